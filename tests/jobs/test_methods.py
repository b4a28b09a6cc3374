"""The paragraph for a paper: figures of the record, ancestry, what was pruned; and BibTeX."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from frostpick.citations import BEPLER, LI, VOSS, XU, ZHU, bibtex
from frostpick.models.catalogue import find_card
from frostpick_jobs.cli.main import app
from frostpick_jobs.tasks.declarations import TASKS

VERSIONS = {"frostpick": "9.8.7", "torch": "6.5"}
PICK: dict[str, Any] = {
    "task": "pick",
    "versions": VERSIONS,
    "model": {"digest": "feed" * 16, "trained_on": {"labels": 213, "labelled_micrographs": 12}},
    "diameter_A": 160.0,
    "threshold": {"score": 0.0, "rule": "auto"},
    "counts": {"micrographs": 40, "failed": 1, "picks": 9876, "selected": 4321},
    "noise": {"share": 0.02, "at_least": 55},
}


def told(folder: Path, *records: dict[str, Any]) -> str:
    for number, record in enumerate(records):
        (folder / str(number)).mkdir()
        (folder / str(number) / "run.json").write_text(json.dumps(record))
    words = [str(folder / str(number)) for number in range(len(records))]
    done = CliRunner().invoke(app, ["methods", *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_picks_with_a_model_of_the_users_own(tmp_path: Path) -> None:
    _, general = find_card("general-2")
    record = {**PICK, "model": {**PICK["model"], "parent": general}}
    text = told(tmp_path, record)
    assert text.startswith(
        "Particles were picked with frostpick 9.8.7 (PyTorch 6.5), with a model (digest "
        "feedfeedfeed) trained on 213 labelled particles on 12 micrographs, derived from general-2 "
        f"(digest {general[:12]}). The longest dimension of the particle was taken as 160 Å. On 40 "
        "micrographs, 4,321 of 9,876 candidates were selected, those with a score of at least "
        "0.000 (log-odds; probability 0.50; chosen by the rule 'auto'). 1 micrograph could not be "
        "used. At least 55 of the picks are likely noise"
    )
    assert "@article{bepler2019" in text and "@article{li2022" not in text


def test_what_was_pruned_behind_what_was_picked(tmp_path: Path) -> None:
    _, blob = find_card("blob")
    pruned = {
        "task": "prune",
        "versions": VERSIONS,
        "model": {"digest": "beef" * 16, "parent": find_card("pruner")[1]},
        "labels": {"good": 30, "bad": 12},
        "settings": {"diameter": 160.0},
        "threshold": {"score": 0.25},
        "counts": {"rows": 4321, "kept": 4000, "carbon": 300, "low score": 21},
    }
    text = told(tmp_path, {**PICK, "model": {"digest": blob}}, pruned)
    assert "with the model blob (digest" in text and "@article{voss2009" in text
    assert (
        "derived from pruner-1 (digest" in text
        and "fitted to 30 good and 12 bad examples" in text
        and "Of 4,321 rows 4,000 were kept, with a score of at least 0.250; rejected were 300 "
        "carbon, 21 low score."
        in text
    )
    assert text.index("@software{frostpick") > text.index("rejected") and "@article{li2022" in text


def test_a_training_names_its_start_its_labels_and_its_recall(tmp_path: Path) -> None:
    record = {
        "task": "iterate",
        "versions": VERSIONS,
        "seed": 3,
        "model": {"digest": "f00d" * 16, "parent": "cafe" * 16},
        "shipped": {"general": {"version": "general-7", "digest": "cafe" * 16}},
        "settings": {"diameter": "auto"},
        "own_scale": {"diameter_A": 171.0},
        "diameter_A": 171.0,
        "training": {
            "objective": "nnpu",
            "steps": 400,
            "recall": {"found": 9, "labels": 12, "low": 0.45, "high": 0.93},
        },
        "best_round": 2,
        "counts": {"labels": 60, "labelled_micrographs": 4, "rounds": 3},
    }
    text = told(tmp_path, record)
    for part in (
        "on 60 labelled particles on 4 micrographs, starting from general-7 (digest cafecafecafe)",
        "in 3 rounds of picking, verification and training, of which round 2 was kept",
        "was found in the micrographs to be 171 Å",
        "finds 9 of 12 labels that were held out (45% to 93%, 95 %)",
        "400 steps; seed 3",
        "@article{zhu2017",
    ):
        assert part in text, text


def test_a_folder_without_a_finished_job_is_told(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["methods", str(tmp_path)])
    assert done.exit_code == 1 and "no run.json there" in str(done.exception)


@pytest.mark.quick
def test_every_citation_of_a_task_has_its_entry() -> None:
    for text in (BEPLER, LI, XU, ZHU, VOSS):
        entries = re.findall(r"^@\w+\{(\w+),", bibtex(text), re.MULTILINE)
        assert len(entries) == 2 and entries[0] == "frostpick"
    for task in TASKS:
        assert bibtex(task.citation).count("\n@") >= 1
        assert bibtex(task.citation).count("{") == bibtex(task.citation).count("}")


@pytest.mark.parametrize(
    ("model", "cited"), [("general", "Nat. Methods 16, 1153"), ("pruner", "J. Comput. Biol. 29")]
)
def test_a_shipped_model_says_what_to_cite(model: str, cited: str) -> None:
    shown = json.loads(CliRunner().invoke(app, ["models", "show", model]).output)
    assert cited in shown["citation"]
