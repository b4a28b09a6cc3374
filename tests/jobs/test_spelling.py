"""Messages as the users of a folder, of RELION and of CryoSPARC see them."""

import io
import json
import logging
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from made_images import write_mrc

from frostpick.errors import ConfigError, Wording, option
from frostpick.runtime.reporter import SilentReporter
from frostpick_jobs.cli import relion, relion_job
from frostpick_jobs.cli.options import list_options
from frostpick_jobs.formats.star.particles import read_particles
from frostpick_jobs.hosts.cryosparc.server.event_log import EventLogHandler
from frostpick_jobs.hosts.relion import markers
from frostpick_jobs.job.lifecycle import run_job
from frostpick_jobs.job.results import Place
from frostpick_jobs.job.spelling import SpelledFormatter, in_relion
from frostpick_jobs.tasks.declarations import PRUNE, check_inputs, task_named
from frostpick_jobs.tasks.training_inputs import given_labels

JOB = "External/job002/"
PARTICLES = "data_particles\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n10 20\n\n"


class Named:
    """The parts of a host that the life cycle touches, under the name of a real one."""

    def __init__(self, name, spool):
        self.name, self.spool, self.reporter = name, spool, SilentReporter()
        self.log_folder, self.record, self.given = spool, None, {}
        self.place = Place(name, spool)
        self.ends = []

    def labels(self):
        return {}

    def end(self, outcome, message=""):
        self.ends.append(message)


@pytest.fixture
def told(tmp_path, caplog):
    """What a job's user is told, by the log and by the host's own words of the end."""

    def run(name, task):
        host = Named(name, tmp_path / "spool")
        caplog.clear()
        assert run_job(host, lambda: task(host)) == 1
        (line,) = caplog.messages
        assert host.ends == [line]
        return line

    return run


def no_labels(host):
    given_labels(host, None)


def no_images(host):
    path = host.spool.parent / "picks.star"
    path.write_text(PARTICLES)
    read_particles(path, None)


def rest_of_nothing(host):
    check_inputs(PRUNE, {"particles": ["p.star"], "bad": ["rest"]}, PRUNE.settings())


def no_memory(host):
    raise MemoryError("12 GB")


def unfinished(host):
    raise ConfigError(f"throw it away with {option('restart')}")


LABELS = "no label is on any of the micrographs; check {} and its names"
IMAGES = (
    "expected rlnImageName, the images of particles; these are coordinates: give them with {}, and "
    "their {}"
)
REST = "{} means all that is not among the labels; give {}"
MEMORY = "out of memory (12 GB); free memory, or use fewer {}"
AWAY = "throw it away with {}"


@pytest.mark.parametrize(
    ("name", "task", "text", "words"),
    [
        ("folder", no_labels, LABELS, ["--labels"]),
        ("cryosparc", no_labels, LABELS, ["--labels"]),
        ("relion", no_labels, LABELS, ["field 'Input coordinates' or 'Input particles'"]),
        ("another", no_labels, LABELS, ["--labels"]),
        ("folder", no_images, IMAGES, ["--picks", "--micrographs"]),
        ("cryosparc", no_images, IMAGES, ["--particles", "--micrographs"]),
        ("relion", no_images, IMAGES, ["field 'Input coordinates'", "field 'Input micrographs'"]),
        ("folder", rest_of_nothing, REST, ["--bad rest", "--labels"]),
        ("cryosparc", rest_of_nothing, REST, ["--bad rest", "--labels"]),
        ("relion", rest_of_nothing, REST, ["label bad = rest", "label 'labels'"]),
        ("folder", no_memory, MEMORY, ["--threads"]),
        ("cryosparc", no_memory, MEMORY, ["--threads"]),
        ("relion", no_memory, MEMORY, ["threads (label threads)"]),
        ("folder", unfinished, AWAY, ["--restart"]),
        ("relion", unfinished, AWAY, ["label restart = yes"]),
    ],
)
def test_a_sentence_is_spelled_for_its_host(told, name, task, text, words):
    assert told(name, task).endswith(text.format(*words))


@pytest.mark.parametrize("task", ["train", "iterate", "pick", "fewshot", "prune", "verify"])
def test_labels_are_those_that_a_relion_job_takes(task):
    """A setting in a message is a word that RELION's parser knows."""
    for one in list_options(task_named(task).settings):
        word = one.label.removeprefix("--")
        assert in_relion(one.field) in (
            f"label {word}",
            f"label {word} = yes",
            f"{word} (label {word})",
        )


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Two micrographs in a RELION project; the header of one tells the pixel size."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    for name, pixel in (("a.mrc", 2.0), ("b.mrc", 0.0)):
        write_mrc(tmp_path / name, rng.normal(size=(128, 128)).astype(np.float32), pixel)
    (tmp_path / "all.star").write_text("\ndata_\n\nloop_\n_rlnMicrographName #1\na.mrc\nb.mrc\n\n")
    (tmp_path / "one.star").write_text("\ndata_\n\nloop_\n_rlnMicrographName #1\nb.mrc\n\n")
    return tmp_path


def pick(star, *words):
    shutil.rmtree(JOB, ignore_errors=True)
    given = ["--o", JOB, "--in_mics", star, "--model", "blob", "--device", "cpu", "--j", "1"]
    return relion.guarded("pick", [*given, *words])


def test_a_relion_job_names_labels_everywhere(project, capsys):
    assert pick("one.star") == 1
    sentence = "this model picks any particle and needs its size: give label diameter, "
    assert sentence in capsys.readouterr().err

    assert pick("one.star", "--diameter", "60") == 1
    missing = "expected one in Angstrom: give label pixel_size"
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].endswith(missing) and "no micrograph could be picked" in lines[-1]
    assert not any("--" in line for line in lines)

    assert pick("all.star", "--diameter", "60") == 0
    err = capsys.readouterr().err
    assert "not picked: b.mrc: no pixel size in the header" in err and missing in err
    assert (project / JOB / markers.SUCCESS).exists()
    assert missing in (project / JOB / "report.html").read_text()
    # the record is for programs, which read it on every host alike
    record = json.loads((project / JOB / "run.json").read_text())
    assert record["failed"]["b.mrc"].endswith("expected one in Angstrom: give --pixel-size")

    assert pick("all.star", "--diameter", "60", "--pixel_size", "3") == 0
    assert "a.mrc: the header says 2 A a pixel; 3 A is used" in capsys.readouterr().err

    unread = ["--in_coords", "c.star", "--in_3dref", "r.mrc", "--in_mask", "m.mrc"]
    assert pick("none.star", "--diameter", "60", *unread) == 1
    *warned, refused = capsys.readouterr().err.splitlines()
    assert [line.partition(" ")[2] for line in warned] == [
        f"field 'Input {name}' is not used by this job"
        for name in ("coordinates", "3D reference", "3D mask")
    ]
    assert "none.star: no such file (field 'Input micrographs'); run the job" in refused


def test_an_error_outside_the_job_names_labels_too(monkeypatch, tmp_path, capsys):
    def refuse(task, argv):
        raise ConfigError(f"choose {option('device', 'cpu')}")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(relion_job, "run_relion_job", refuse)
    assert relion.guarded("pick", ["--o", JOB]) == 2
    assert capsys.readouterr().err == "frostpick: choose label device = cpu\n"


def test_one_record_is_spelled_by_each_handler():
    message = Wording(f"%d labels; check {option('labels')} or {option('picks_pixel_size')}")
    record = logging.LogRecord("frostpick", logging.WARNING, "", 0, message, (7,), None)
    told = []
    events = SimpleNamespace(text=lambda text, level: told.append((text, level)))
    EventLogHandler(events).emit(record)
    assert told == [("7 labels; check --labels or --picks-pixel-size", "warning")]
    lines = {
        "folder": "7 labels; check --labels or --picks-pixel-size",
        "cryosparc": "7 labels; check --labels or --picks-pixel-size",
        "relion": "7 labels; check field 'Input coordinates' or 'Input particles' "
        "or label picks_pixel_size",
    }
    for host, line in lines.items():
        stream = io.StringIO()
        handler = logging.StreamHandler(stream)
        handler.setFormatter(SpelledFormatter(host))
        handler.handle(record)
        assert stream.getvalue() == line + "\n"
    assert record.getMessage() == lines["folder"] and record.args == (7,)
