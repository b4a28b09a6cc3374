"""The command line: options, version, exit codes, and the folder commands end to end."""

import csv
import json
import logging
import re
import subprocess
import sys

import pytest
from waits import LONG

from frostpick._version import __version__
from frostpick.errors import InputError, JobStopped, option
from frostpick.models.versions import VERSIONS
from frostpick.settings import PickSettings, TrainSettings
from frostpick_jobs.cli import folder_command, main
from frostpick_jobs.cli.options import list_options
from frostpick_jobs.tasks.declarations import TASKS


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "frostpick_jobs.cli.main", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=LONG, check=False)


def read_csv(path) -> list[dict[str, str]]:
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_every_option_has_a_help_text() -> None:
    for task in TASKS:
        assert all(one.help.endswith(".") for one in list_options(task.settings))


@pytest.mark.parametrize("words", [("train",), ("pick",), ("cryosparc", "train")])
def test_help_shows_every_option_in_full_with_its_default(words) -> None:
    text = run(*words, "--help").stdout
    for one in list_options(PickSettings if words[-1] == "pick" else TrainSettings):
        assert (f"{one.flag} " in text) != one.hidden
    assert "[default: auto]" in " ".join(text.split())


def test_a_pattern_that_the_shell_expanded_is_told() -> None:
    done = run("pick", "--micrographs", "a.mrc", "b.mrc", "c.mrc", "-o", "out")
    assert done.returncode == 2 and "put a pattern in quotes" in done.stderr
    assert "b.mrc" not in done.stderr  # there may be thousands


def test_version_is_one_semver_line() -> None:
    done = run("--version")
    assert done.returncode == 0 and done.stdout == f"{__version__}\n"
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", done.stdout)


def test_help_imports_neither_torch_nor_numpy() -> None:
    code = (
        "import sys; sys.argv = ['frostpick', 'train', '--help']\n"
        "from frostpick_jobs.cli.main import main\n"
        "try: main()\nexcept SystemExit as leaving: assert not leaving.code\n"
        "sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "expected-per" in done.stdout.replace("\n", "")


def test_an_error_is_one_sentence_and_status_1(tmp_path) -> None:
    done = run(
        "pick", "--micrographs", tmp_path / "none", "-o", tmp_path / "out", "--diameter", "9"
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert str(tmp_path / "none") in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--diameter", 0, "--pixel-size", 1), "--diameter is 0, expected"),
        (("--diameter", 90, "--pixel-size", 0), "--pixel-size is 0, expected"),
        (("--diameter", 90), "no pixel size"),
    ],
)
def test_evaluate_refuses_impossible_sizes(tmp_path, words, sentence) -> None:
    table = tmp_path / "picks.csv"
    table.write_text("micrograph,x_px,y_px\na.mrc,3,4\n")
    done = run("evaluate", "--picks", table, "--truth", table, *words)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert sentence in done.stderr


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path) -> None:
    (tmp_path / "file").touch()
    done = run("simulate", "-o", tmp_path / "file" / "x", "--micrographs", 1, "--size", 64)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"frostpick: {tmp_path / 'file'}" in done.stderr


def test_a_stop_outside_a_job_is_one_sentence(monkeypatch, capsys) -> None:
    def stopped() -> None:
        raise JobStopped("stopped by SIGINT")

    monkeypatch.setattr(main, "app", stopped)
    with pytest.raises(SystemExit) as leaving:
        main.main()
    assert leaving.value.code == 130
    assert capsys.readouterr().err == "frostpick: stopped by SIGINT\n"


@pytest.mark.parametrize(
    ("words", "told"), [(["cryosparc", "train"], "--particles"), (["train"], "--picks")]
)
def test_an_error_outside_a_job_has_the_command_s_options(monkeypatch, capsys, words, told) -> None:
    def failed() -> None:
        raise InputError(f"no labels; give {option('picks')}")

    monkeypatch.setattr(main, "app", failed)
    monkeypatch.setattr(sys, "argv", ["frostpick", *words])
    with pytest.raises(SystemExit) as leaving:
        main.main()
    assert leaving.value.code == 1
    assert capsys.readouterr().err == f"frostpick: no labels; give {told}\n"


@pytest.mark.parametrize(("code", "told"), [(0, False), (1, False), (130, True), (143, True)])
def test_after_a_stop_it_is_told_how_to_go_on(caplog, code, told) -> None:
    with caplog.at_level(logging.INFO):
        assert folder_command.told(code) == code
    assert ("give the same command again" in caplog.text) == told


def test_unknown_yaml_key_is_an_error(tmp_path) -> None:
    config = tmp_path / "job.yaml"
    config.write_text("diametre: 100\n")
    done = run("pick", "--micrographs", tmp_path, "-o", tmp_path / "out", "--config", config)
    assert done.returncode == 2
    assert "job.yaml: unknown setting 'diametre'; did you mean 'diameter'?" in done.stderr


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "data"
    config = folder.with_suffix(".yaml")
    config.write_text("particles_per_micrograph: 20\ndiameter_A: 150\nnoise: low\n")
    done = run(
        "simulate", "-o", folder, "--micrographs", 3, "--size", 512, "--seed", 5, "--config", config
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_simulate_writes_what_the_contract_says(dataset) -> None:
    names = sorted(p.name for p in (dataset / "micrographs").iterdir())
    assert names == ["sim_000.mrc", "sim_001.mrc", "sim_002.mrc"]
    rows = read_csv(dataset / "particles.csv")
    assert rows and {r["kind"] for r in rows} == {"particle"}
    text = (dataset / "particles.star").read_text()
    assert "_rlnMicrographName" in text and text.count("sim_0") == len(rows)


def test_truth_against_itself_is_perfect(dataset) -> None:
    done = run(
        "evaluate", "--picks", dataset / "particles.csv", "--truth", dataset / "particles.csv",
        "--micrographs", dataset / "micrographs", "--diameter", 150, "--json",
    )  # fmt: skip
    figures = json.loads(done.stdout)
    assert figures["quarter"]["ap"] == 1.0 and figures["iou50"]["best_f1"] == 1.0
    assert figures["quarter"]["calibration_error"] is None  # the truth tells no probabilities
    whole = sum(r["edge"] == "0" for r in read_csv(dataset / "particles.csv"))
    assert figures["quarter"]["n_true"] == whole


def test_star_and_csv_truth_agree(dataset) -> None:
    def score(name: str) -> dict[str, object]:
        done = run(
            "evaluate", "--picks", dataset / "particles.csv", "--truth", dataset / name,
            "--micrographs", dataset / "micrographs", "--diameter", 150, "--json",
        )  # fmt: skip
        return json.loads(done.stdout)["quarter"]

    star = score("particles.star")
    assert star["ap"] == 1.0 and star["n_true"] == score("particles.csv")["n_true"]


def test_pick_select_and_score(dataset, tmp_path) -> None:
    out = tmp_path / "out"
    done = run(
        "pick", "--micrographs", dataset / "micrographs", "--model", "blob", "--diameter", 150,
        "-o", out, "--threads", 1,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in ("picks.csv", "picks.star", "run.json", "report.html"):
        assert (out / name).is_file(), name
    assert not (out / "star").exists()
    all_rows = read_csv(out / "picks.csv")
    again = run("select", out, "--threshold", "-2.5")
    assert again.returncode == 0, again.stderr
    rows = read_csv(out / "picks.csv")
    assert len(rows) == len(all_rows)
    assert all((float(r["score"]) >= -2.5) == (r["selected"] == "1") for r in rows)
    scored = run(
        "evaluate", "--picks", out / "picks.csv", "--truth", dataset / "particles.csv",
        "--micrographs", dataset / "micrographs", "--diameter", 150, "--json", "--threshold", -2.5,
    )  # fmt: skip
    figures = json.loads(scored.stdout)["quarter"]
    assert figures["largest_recall"] > 0.9
    assert 0.0 <= figures["calibration_error"] <= 1.0
    assert figures["at_threshold"]["n_picks"] <= sum(r["selected"] == "1" for r in rows)
    table = run(*scored.args[3:-3], "--threshold", -2.5)
    assert "picks with a score of at least -2.5\nn_picks" in table.stdout
    assert "names in the truth belong to" in table.stderr


def test_models_list_and_show() -> None:
    listed = run("models", "list")
    words = [line.split() for line in listed.stdout.splitlines()]
    assert listed.returncode == 0
    names = [one for name, row in VERSIONS.items() for one in (name, *reversed(row))]
    assert [one[0] for one in words] == list(dict.fromkeys(names))
    assert {one[0] for one in words} >= {"general", "general-1", "blob", "pruner", "mae-tiny"}
    now = {one[0]: one[2] for one in words if one[1] == "="}
    assert now == {name: row[-1] for name, row in VERSIONS.items() if name != "blob"}
    used = {one[0]: one[-1] for one in words}
    assert used["general"] == used["general-1"] == used["blob"] == used["pruner"] == "iterate"
    assert used["mae-tiny"] == used["mae-tiny-1"] == "fewshot"
    newest, exact = (run("models", "show", name).stdout for name in ("general", now["general"]))
    assert newest == exact
    card = json.loads(run("models", "show", "blob").stdout)
    assert card["kind"] == "dense" and len(card["digest"]) == 64
    wrong = run("models", "show", "bolb")
    assert wrong.returncode == 1 and "blob" in wrong.stderr
    wrong = run("models", "show", "general-999")
    assert wrong.returncode == 1 and "versions of general are: general-1" in wrong.stderr


def test_evaluate_counts_what_it_could_not_score(tmp_path) -> None:
    run("simulate", "-o", tmp_path / "s", "--micrographs", 2, "--size", 128)
    (tmp_path / "s/micrographs/sim_001.mrc").write_bytes(b"short")
    table = tmp_path / "s/particles.csv"
    words = ["evaluate", "--picks", table, "--truth", table, "--diameter", 160]
    words += ["--micrographs", tmp_path / "s/micrographs"]
    done = run(*words)
    last = "1 micrograph could not be used: sim_001.mrc"
    assert done.returncode == 0 and done.stderr.splitlines()[-1] == last
    assert run(*words, "--strict").returncode == 3
    assert json.loads(run(*words, "--json").stdout)["not_scored"] == ["sim_001.mrc"]


def test_strict_and_live_on_a_folder(tmp_path) -> None:
    run("simulate", "-o", tmp_path / "s", "--micrographs", 2, "--size", 128)
    mics = tmp_path / "s/micrographs"
    words = ["pick", "--micrographs", mics, "--model", "blob", "--diameter", 160, "--threads", 1]
    (mics / "sim_001.mrc").write_bytes(b"short")
    done = run(*words, "-o", tmp_path / "out")
    assert done.returncode == 0
    assert "; 1 micrograph could not be used: sim_001.mrc" in done.stderr.splitlines()[-2]
    assert run(*words, "-o", tmp_path / "out", "--strict").returncode == 3
    (mics / "sim_000.mrc").write_bytes(b"short")
    assert run(*words, "-o", tmp_path / "new").returncode == 1
    done = run(*words, "-o", tmp_path / "live", "--live")
    assert done.returncode == 4 and "nothing to do yet" in done.stderr.splitlines()[-1]
    for path in mics.iterdir():
        path.unlink()
    assert run(*words, "-o", tmp_path / "live", "--live").returncode == 4
    assert run(*words, "-o", tmp_path / "new").returncode == 1
