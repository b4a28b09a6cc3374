"""The programs as RELION starts them: an exit file whatever happens."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from waits import LONG, ended, wait_until

from frostpick_jobs.cli import relion
from frostpick_jobs.cli.relion_job import read_command_line
from frostpick_jobs.hosts.relion import markers
from frostpick_jobs.tasks.declarations import task_named

ROOT = Path(__file__).parents[2]
RANKS = ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID")


@pytest.fixture(autouse=True)
def _in_an_empty_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in RANKS:
        monkeypatch.delenv(name, raising=False)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def start(*words, before=(), **environment):
    paths = [*map(str, before), str(ROOT / "plugin"), str(ROOT / "external_job")]
    return subprocess.run(
        [sys.executable, "-m", "frostpick_jobs.cli.relion", *words],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | environment,
        capture_output=True,
        text=True,
        timeout=LONG,
    )


def left_in(job):
    return sorted(p.name for p in job.glob("RELION_JOB_EXIT_*"))


@pytest.mark.parametrize(
    ("words", "folder"),
    [
        (["--o", "External/job002/", "--j", "1"], "External/job002"),
        (["--j", "1", "--o=External/job002/"], "External/job002"),
        (["--j", "1"], None),
        (["--o", "--j", "1"], None),
        (["--o"], None),
        ([], None),
    ],
)
def test_job_folder_without_a_parser(words, folder):
    found = relion.job_folder(words)
    assert found == (None if folder is None else Path(folder))


def test_missing_torch(tmp_path):
    """A half-built environment: the import of torch fails, RELION must hear of it."""
    stub = tmp_path / "stub"
    stub.mkdir()
    (stub / "torch.py").write_text("raise ImportError('libtorch.so is not there')\n")
    done = start("pick", "--o", "External/job002/", "--in_mics", "m.star", before=[stub])
    assert done.returncode == 1
    assert left_in(tmp_path / "External/job002") == [markers.FAILURE]
    assert "libtorch.so is not there" in done.stderr


def test_a_signal_while_torch_is_imported(tmp_path):
    (tmp_path / "torch.py").write_text(
        "import pathlib, time\npathlib.Path('importing').touch()\ntime.sleep(3600)\n"
    )
    paths = [str(tmp_path), str(ROOT / "plugin"), str(ROOT / "external_job")]
    process = subprocess.Popen(
        [sys.executable, "-m", "frostpick_jobs.cli.relion", "pick", "--o", "External/job002/"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until((tmp_path / "importing").exists)
    process.terminate()
    _, printed = ended(process)
    assert process.returncode == 143
    assert "SIGTERM" in printed
    assert left_in(tmp_path / "External/job002") == [markers.FAILURE]


def test_unknown_label(tmp_path):
    done = start("pick", "--o", "External/job002/", "--treshold", "0.5", "--j", "1")
    assert done.returncode == 2
    assert left_in(tmp_path / "External/job002") == [markers.FAILURE]
    (line,) = done.stderr.splitlines()
    assert "'treshold'" in line
    assert "threshold" in line.partition("did you mean")[2]


def test_an_unknown_task_is_told_and_leaves_an_exit_file(tmp_path):
    done = start("picks", "--o", "External/job002/")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "frostpick: the first word is one of train, iterate, pick, fewshot, prune, verify"
    ]
    assert left_in(tmp_path / "External/job002") == [markers.FAILURE]
    assert start().returncode == 2


def test_a_rank_above_zero_touches_nothing(tmp_path):
    done = start("pick", "--o", "External/job002/", SLURM_PROCID="1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (tmp_path / "External").exists()


@pytest.mark.parametrize("word", ["--version", "--help"])
def test_version_and_help_need_no_torch(tmp_path, word):
    (tmp_path / "torch.py").write_text("raise ImportError\n")
    done = start("pick", word, before=[tmp_path])
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.strip()


@pytest.mark.parametrize(
    ("task", "words", "sentence"),
    [
        ("pick", [], "Input micrographs"),
        ("pick", ["--in_mics", "Import/job001/m.star"], "Import/job001/m.star"),
        ("train", ["--in_mics", "here.star", "--start-model", "none"], "Input coordinates"),
        ("train", ["--in_mics", "here.star", "--in_coords", "c.star"], "c.star"),
        ("train", ["--in_mics", "here.star", "--in_parts", "p.star"], "p.star"),
    ],
)
def test_missing_inputs(capsys, tmp_path, task, words, sentence):
    """RELION itself waits for an input that is not there; a queue or a hand does not."""
    (tmp_path / "here.star").write_text("\ndata_\n\nloop_\n_rlnMicrographName #1\na.mrc\n\n")
    job = tmp_path / "External/job002"
    assert relion.guarded(task, ["--o", "External/job002/", *words]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line
    assert left_in(job) == [markers.FAILURE]


def test_a_wrong_value_is_one_sentence(capsys, tmp_path):
    status = relion.guarded("pick", ["--o", "External/job002/", "--diameter", "wide"])
    assert status == 2
    assert "parameter labels: diameter = 'wide'" in capsys.readouterr().err
    assert left_in(tmp_path / "External/job002") == [markers.FAILURE]


def test_an_old_success_does_not_survive_a_failure(tmp_path):
    job = tmp_path / "External/job002"
    job.mkdir(parents=True)
    (job / markers.SUCCESS).touch()
    assert relion.guarded("pick", ["--o", "External/job002/", "--nonsense"]) == 2
    assert left_in(job) == [markers.FAILURE]


def test_no_job_folder_is_said(capsys, tmp_path):
    assert relion.guarded("pick", ["--j", "1"]) == 2
    assert "--o" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


class TestPrecedence:
    def settings(self, *words, task="pick"):
        return read_command_line(task_named(task), ["--o", "External/job002/", *words])[1]

    def test_threads_come_from_j(self):
        assert self.settings("--j", "3").threads == 3

    def test_yaml_wins_over_j_and_labels_over_yaml(self, tmp_path):
        (tmp_path / "my.yaml").write_text("threads: 5\nmin-distance: 50\ndiameter: 100\n")
        words = ["--j", "3", "--config", "my.yaml", "--diameter", "120"]
        settings = self.settings(*words)
        assert (settings.threads, settings.min_distance, settings.diameter) == (5, 50, 120)

    def test_gpu_is_the_device(self):
        assert self.settings("--gpu", "0:1").device == "0,1"
        assert self.settings("--gpu").device == "auto"

    @pytest.mark.parametrize("text", ["nonsense: 1\n", "- a\n- b\n", "a: [\n", None])
    def test_a_bad_yaml_file_is_named(self, tmp_path, capsys, text):
        if text is not None:
            (tmp_path / "my.yaml").write_text(text)
        assert relion.guarded("pick", ["--o", "job/", "--config", "my.yaml"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "my.yaml" in line
