"""Carry out a run with the public product alone: `frostpick_jobs.api`."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accuracy.code_version import code_version
from accuracy.draws import ADAPTED, write_labels
from accuracy.empties import EMPTY, write_empties
from accuracy.measure import Picked, check_against, load_scorer, measure, read_picked
from accuracy.recorded import topaz_recall
from accuracy.resample import resampled_split
from accuracy.runs import NONE, Run
from accuracy.sets import BenchSet
from frostpick.models.model_file import WEIGHTS
from frostpick.models.shipped import load_model
from frostpick.runtime.atomic import write_text
from frostpick_jobs import api

#: Prior and pixel size of the robustness runs, in units of the truth's.
PRIOR = {"prior_half": 0.5, "prior_twice": 2.0}
PIXEL = {"pixel_half": 0.5, "pixel_twice": 2.0}


@dataclass(frozen=True)
class Session:
    """What all runs of a call share.

    Parameters
    ----------
    out
        Folder of results and of trained models.
    start
        ``none``, a shipped name, or a model's path: what training starts from, and what
        picks without labels.
    scorer
        ``score.py`` of the development data, or a path that is not there.
    keep_picks
        Keep the picks of every run beside its result.
    """

    out: Path
    start: str
    threads: int
    device: str
    scorer: Path
    keep_picks: bool = False

    @property
    def start_tag(self) -> str:
        """Name and digest of the start model, for the names of results."""
        if self.start == NONE:
            return NONE
        digest = load_model(self.start).digest.removeprefix("sha256:")
        name = Path(self.start).stem if os.sep in self.start else self.start
        return f"{name}-{digest[:8]}"

    def result_path(self, run: Run) -> Path:
        """Return where the result of a run lies."""
        tag = "blob" if run.kind == "blob" else self.start_tag
        return self.out / "results" / f"{run}-{tag}-{code_version()}.json"

    def picks_path(self, run: Run) -> Path:
        """Return where the picks of a run are kept."""
        return self.out / "picks" / f"{self.result_path(run).stem}.csv"


def carry_out(
    session: Session, data: BenchSet, run: Run, draws: Mapping[str, Sequence[Sequence[int]]]
) -> dict[str, Any]:
    """Train where the run trains, pick, measure, and keep the result.

    Returns
    -------
    dict
        The result, as it was written: what the run was, its figures, and what it cost.
    """
    began = time.strftime("%Y-%m-%dT%H:%M:%S")
    (session.out / "work").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=session.out / "work") as folder:
        work = Path(folder)
        model, training = _model(session, data, run, draws, work)
        figures = _figures(session, data, run, model, work)
    result = {
        "set": run.set,
        "labels": run.labels,
        "draw": run.draw,
        "kind": run.kind,
        "start": "blob" if run.kind == "blob" else session.start_tag,
        "code": code_version(),
        "simulated": data.simulated,
        "true_per_training_micrograph": data.train.mean_count,
        "training": training,
        "threads": session.threads,
        "date": began,
        **figures,
    }
    write_text(session.result_path(run), json.dumps(result, indent=1) + "\n")
    return result


def _model(
    session: Session,
    data: BenchSet,
    run: Run,
    draws: Mapping[str, Sequence[Sequence[int]]],
    work: Path,
) -> tuple[str, dict[str, Any]]:
    """Return the model to pick with, and what its training cost and found."""
    if run.kind == "blob" or run.training is None:
        return ("blob" if run.kind == "blob" else session.start), {}
    kept = session.out / "models" / f"{run.training}-{session.start_tag}-{code_version()}"
    if not (kept / "training.json").exists():
        labels = work / "labels.csv"
        # without labels nothing is drawn, and the draws are seeds
        rows = [] if run.labels == ADAPTED else draws[run.draws][run.draw]
        labelled = write_labels(labels, data.train.truth, rows)
        told = (
            {"expected_per_micrograph": PRIOR[run.kind] * data.train.mean_count}
            if (run.kind in PRIOR)
            else {}
        )
        cpu, wall = time.process_time(), time.perf_counter()
        trained = api.train(
            work / "train",
            micrographs=str(data.train.micrographs),
            labels=[str(labels)] if rows else [],
            diameter=data.diameter_A,
            start_model=session.start,
            seed=run.draw if run.labels == ADAPTED else 0,
            threads=session.threads,
            device=session.device,
            **told,
        )
        summary = dict(trained.training)
        info = {
            "cpu_s": time.process_time() - cpu,
            "wall_s": time.perf_counter() - wall,
            "labelled_micrographs": labelled,
            "estimated_per_micrograph": summary.get("estimated_per_micrograph"),
            "summary": summary,
        }
        assert trained.model_path is not None
        write_text(trained.model_path.parent / "training.json", json.dumps(info, default=str))
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(kept, ignore_errors=True)
        shutil.move(trained.model_path.parent, kept)
    return str(kept / WEIGHTS), json.loads((kept / "training.json").read_text())


def _pick(
    session: Session, data: BenchSet, model: str, micrographs: Path, count: int, work: Path
) -> tuple[Picked, dict[str, Any]]:
    cpu = time.process_time()
    # A model that was trained knows its diameter; the others are told it.
    api.pick(
        work / "pick",
        micrographs=str(micrographs),
        model=model,
        diameter=data.diameter_A,
        threads=session.threads,
        device=session.device,
    )
    cost = {"pick_cpu_s": (time.process_time() - cpu) / count}
    return read_picked(work / "pick" / "picks.csv"), cost


def _figures(session: Session, data: BenchSet, run: Run, model: str, work: Path) -> dict[str, Any]:
    test = data.test
    if run.kind == "empty":
        folder = write_empties(data, work / "micrographs")
        picked, cost = _pick(session, data, model, folder, len(test.names) + 2 * EMPTY, work)
        return {**_on_empties(data, picked), **cost}
    if run.kind in PIXEL:
        test = resampled_split(test, data.pixel_A, PIXEL[run.kind], work / "resampled")
    picked, cost = _pick(session, data, model, test.micrographs, len(test.names), work)
    if session.keep_picks:
        write_text(session.picks_path(run), (work / "pick" / "picks.csv").read_text("utf-8"))
    figures = measure(data, test, picked, topaz_recall(data.name))
    scorer = load_scorer(session.scorer)
    if scorer is not None:
        scale = test.shape[1] / data.test.shape[1]
        check_against(scorer, test, picked, data.diameter_px * scale, figures)
    return {**figures, **cost, "checked_by_score_py": scorer is not None}


def _on_empties(data: BenchSet, picked: Picked) -> dict[str, Any]:
    """Return the selected picks on micrographs without particles, and on the others."""

    def selected(name: str) -> int:
        one = picked.picks.get(name)
        return 0 if one is None else int((one.score >= picked.threshold).sum())

    return {
        "selected_per_micrograph": sum(map(selected, data.test.names)) / len(data.test.names),
        "selected_on_blank": [selected(f"blank_{k}") for k in range(EMPTY)],
        "selected_on_carbon": [selected(f"carbon_{k}") for k in range(EMPTY)],
    }
