import pytest

from frostpick.errors import ConfigError
from frostpick.settings import PickSettings, TrainSettings, resolve
from frostpick_jobs.cli.options import add_argparse_options, values_from_namespace
from frostpick_jobs.hosts.relion.arguments import JobParser, device_of, job_arguments, parallel_rank

pytestmark = pytest.mark.quick

OURS = ["--o", "External/job002/"]


def parse(kind, *words):
    parser = JobParser(prog="frostpick-relion")
    add_argparse_options(parser, kind)
    namespace = parser.read([*OURS, *words])
    return job_arguments(namespace), values_from_namespace(namespace, kind)


def test_everything_relion_passes_is_accepted():
    words = "--in_movies a.star --in_mics Import/job001/micrographs.star --in_parts p.star"
    words += " --in_coords c.star --in_3dref r.mrc --in_mask m.mrc --j 4"
    words += " --pipeline_control External/job002/"
    arguments, values = parse(PickSettings, *words.split())
    assert arguments.prefix == "External/job002/"
    assert arguments.in_mics == "Import/job001/micrographs.star"
    assert (arguments.in_coords, arguments.in_parts) == ("c.star", "p.star")
    assert arguments.unused(["in_coords"]) == ("in_parts", "in_movies", "in_3dref", "in_mask")
    assert arguments.threads == "4"
    assert values == {}


@pytest.mark.parametrize("spelling", ["--picks_pixel_size", "--picks-pixel-size"])
def test_dashes_and_underscores(spelling):
    assert parse(TrainSettings, spelling, "2.5")[1] == {"picks_pixel_size": "2.5"}


@pytest.mark.parametrize("value", ["-3", "-0.25", "-3e-1", "-.5"])
def test_negative_values(value):
    _, values = parse(PickSettings, "--threshold", value, "--j", "1")
    settings = resolve(PickSettings, ("command line", values))
    assert str(settings.threshold) == value and settings.threshold.value == float(value)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--all_micrographs"], True),
        (["--all_micrographs", ""], True),
        (["--all_micrographs", "Yes"], True),
        (["--all_micrographs", "1"], True),
        (["--all_micrographs", "no"], False),
        (["--all_micrographs", "FALSE"], False),
        (["--all_micrographs", "0"], False),
        ([], False),
    ],
)
def test_booleans_take_words(words, expected):
    settings = resolve(TrainSettings, ("command line", parse(TrainSettings, *words)[1]))
    assert settings.all_micrographs is expected


@pytest.mark.parametrize(
    "words", [["--diameter", "--steps", "150"], ["--diameter", "", "--steps", "150"]]
)
def test_an_empty_value_is_unset(words):
    _, values = parse(TrainSettings, *words)
    settings = resolve(TrainSettings, ("command line", values))
    assert settings.diameter is None
    assert settings.steps == 150


def test_a_start_model_may_lie_in_another_job():
    _, values = parse(TrainSettings, "--start-model", "General/model")
    assert resolve(TrainSettings, ("command line", values)).start_model == "General/model"


def test_an_unknown_label_is_named_with_its_neighbours():
    with pytest.raises(ConfigError, match=r"'treshold'.*threshold"):
        parse(PickSettings, "--treshold", "1")


def test_no_abbreviation():
    with pytest.raises(ConfigError, match=r"'in_mic'.*in_mics"):
        parse(PickSettings, "--in_mic", "a.star")


def test_a_stray_word_is_named():
    with pytest.raises(ConfigError, match=r"'model'.*quotes"):
        parse(PickSettings, "--model", "my", "model")


def test_no_job_folder():
    parser = JobParser(prog="x")
    with pytest.raises(ConfigError, match="--o"):
        job_arguments(parser.read(["--j", "1"]))


@pytest.mark.parametrize(
    ("gpu", "device"),
    [("0", "0"), ("0:1", "0,1"), ("0,1", "0,1"), ("cuda:1", "cuda:1"), ("cpu", "cpu")],
)
def test_gpu_ids(gpu, device):
    assert device_of(gpu) == device
    assert parse(PickSettings, "--gpu", gpu)[0].device == device


@pytest.mark.parametrize("name", ["OMPI_COMM_WORLD_RANK", "SLURM_PROCID", "PMI_RANK"])
def test_ranks(monkeypatch, name):
    for other in ("OMPI_COMM_WORLD_RANK", "SLURM_PROCID", "PMI_RANK", "PMIX_RANK"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, "0")
    assert parallel_rank() == 0
    monkeypatch.setenv(name, "3")
    assert parallel_rank() == 3
