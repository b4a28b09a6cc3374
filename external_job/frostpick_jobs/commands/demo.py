"""``make demo``: the main job from simulated micrographs to a report, on a machine with nothing.

A made-up protein is simulated, 200 of its particles are labelled at random, a
model is trained on those, and micrographs that no training saw are picked with
it and, for comparison, with the classical blob picker.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from frostpick.evaluation import Evaluation, Truth, evaluate
from frostpick.picking.threshold import Cut
from frostpick.report import (
    Figure,
    Section,
    Table,
    calibration_plot,
    picks_on_micrograph,
    precision_recall_compared,
    render_report,
    training_curves,
)
from frostpick.runtime.atomic import write_text
from frostpick.simulate import SimulationSettings
from frostpick.types import Picks
from frostpick_jobs.api import pick, train
from frostpick_jobs.commands.simulate import write_dataset
from frostpick_jobs.formats import PickTable, read_picks
from frostpick_jobs.job.own_files import OwnFiles
from frostpick_jobs.job.results import PickingResult, TrainingResult
from frostpick_jobs.store import PickStore

log = logging.getLogger(__name__)

SETTINGS = SimulationSettings(micrographs=14, size=1024, seed=11)
TRAINING = range(9)
HELD_OUT = range(9, 14)
LABELS = 200
#: Where the files of the demo itself are noted, below its folder.
NOTES = ".frostpick/demo"


@dataclass(frozen=True)
class Scored:
    """One picker on the held-out micrographs."""

    name: str
    folder: Path
    result: PickingResult
    evaluation: Evaluation


def run_demo(out: Path, *, device: str = "auto", threads: int = 0, overwrite: bool = False) -> Path:
    """Run everything into ``out`` and return the path of the report.

    A second call goes on where the first was stopped. With ``overwrite`` files are replaced
    that no demo wrote.
    """
    began = time.monotonic()
    path = out / "report.html"
    own = OwnFiles(out, out / NOTES)
    own.check([path, out / "labels.csv"], overwrite=overwrite or _of_before(out))
    own.note(path, out / "labels.csv")
    log.info("1 of 4: simulate %d micrographs", SETTINGS.micrographs)
    seen = write_dataset(out / "training", SETTINGS, TRAINING, overwrite=overwrite)
    unseen = write_dataset(out / "held_out", SETTINGS, HELD_OUT, overwrite=overwrite)
    labels = _draw_labels(seen.particles_csv, out / "labels.csv")
    run: dict[str, Any] = {"device": device, "threads": threads, "overwrite": overwrite}
    scale: dict[str, Any] = {"diameter": SETTINGS.diameter_A}
    log.info("2 of 4: train on %d labels", LABELS)
    trained = train(out / "train", micrographs=seen.micrographs, picks=labels, **run, **scale)
    log.info("3 of 4: pick %d micrographs that the training never saw", len(HELD_OUT))
    truth = read_picks(unseen.particles_csv)
    scored = []
    for name, model in (("frostpick", out / "train" / "model"), ("blob", "blob")):
        folder = out / f"pick_{name}"
        result = pick(folder, micrographs=unseen.micrographs, model=model, **run, **scale)
        scored.append(Scored(name, folder, result, _score(folder, truth)))
    log.info("4 of 4: report")
    seconds = time.monotonic() - began
    write_text(path, _report(scored, trained, truth, seconds))
    for one in scored:
        log.info("%-9s  AP %.3f  best F1 %.3f", one.name, one.evaluation.ap, one.evaluation.best_f1)
    log.info("%s (%.0f s in all)", path, seconds)
    return path


def _of_before(out: Path) -> bool:
    """Tell whether a demo from before there were notes has run here."""
    return not (out / NOTES).exists() and (out / "pick_blob" / ".frostpick").is_dir()


def _draw_labels(particles: Path, path: Path) -> Path:
    """Label some particles at random, as a user does who knows a few hundred of thousands."""
    table = read_picks(particles)
    assert table.edge is not None
    whole = np.flatnonzero(~table.edge)
    chosen = np.sort(np.random.default_rng(SETTINGS.seed).choice(whole, LABELS, replace=False))
    rows = [f"{table.micrograph[k]},{table.x_px[k]:.3f},{table.y_px[k]:.3f}" for k in chosen]
    write_text(path, "\n".join(["micrograph,x_px,y_px", *rows]) + "\n")
    return path


def _score(folder: Path, truth: PickTable) -> Evaluation:
    found = read_picks(folder / "picks.csv")
    assert found.score is not None
    picks = {
        name: Picks.from_xy(name, found.x_px[rows], found.y_px[rows], score=found.score[rows])
        for name, rows in found.rows_by_micrograph().items()
    }
    shape = (SETTINGS.size, SETTINGS.size)
    shapes = dict.fromkeys(truth.micrograph, shape)
    return evaluate(picks, _truths(truth), SETTINGS.diameter_px, shapes)


def _truths(table: PickTable) -> Mapping[str, Truth]:
    assert table.edge is not None
    return {
        name: Truth.from_xy(name, table.x_px[rows], table.y_px[rows], edge=table.edge[rows])
        for name, rows in table.rows_by_micrograph().items()
    }


def _report(
    scored: list[Scored],
    trained: TrainingResult,
    truth: PickTable,
    seconds: float,
) -> str:
    ours = scored[0]
    curves = {
        one.name: (one.evaluation.recall, one.evaluation.precision, one.evaluation.ap)
        for one in scored
    }
    compared = Section(
        "Compared with the truth",
        (
            precision_recall_compared(curves),
            calibration_plot(ours.evaluation.probability, ours.evaluation.is_true),
        ),
        f"{ours.evaluation.n_true} particles on {len(HELD_OUT)} micrographs that the training "
        f"never saw; a pick is right within a quarter of the particle's diameter of a centre. "
        f"Carbon, ice crystals, aggregates, fragments and specks are on them too.",
        (_figures_table(scored),),
    )
    step = trained.training.get("chosen_step")
    training = Section("Training", (training_curves(trained.curve, chosen_step=step),))
    pictures = Section("Picks on micrographs", tuple(_pictures(ours, truth)))
    estimated = trained.training.get("expected_per_micrograph")
    return render_report(
        "frostpick demo",
        [
            ("training micrographs", len(TRAINING)),
            ("labels", LABELS),
            ("particles a micrograph, estimated", _shown(estimated)),
            ("held-out micrographs", len(HELD_OUT)),
            ("held-out particles", ours.evaluation.n_true),
            ("diameter", f"{SETTINGS.diameter_A:g} A, {SETTINGS.diameter_px:g} px"),
            ("average precision", f"{ours.evaluation.ap:.3f} (blob {scored[1].evaluation.ap:.3f})"),
            ("time", f"{seconds:.0f} s"),
        ],
        [compared, training, pictures],
        settings=SETTINGS.model_dump(mode="json"),
    )


def _shown(value: object) -> str:
    return f"{value:.0f}" if isinstance(value, (int, float)) else str(value)


def _figures_table(scored: list[Scored]) -> Table:
    rows = []
    for one in scored:
        e = one.evaluation
        at = e.at(one.result.threshold)
        error = e.localisation_rms_px or float("nan")
        numbers = (e.ap, e.best_f1, at.precision, at.recall, error / SETTINGS.diameter_px, e.ece)
        rows.append((one.name, *(f"{n:.3f}" for n in numbers)))
    columns = (
        "picker",
        "average precision",
        "best F1",
        "precision, default threshold",
        "recall, default threshold",
        "localisation (rms), diameters",
        "calibration error",
    )
    return Table(columns, tuple(rows), "Both pickers on the held-out micrographs.", marked=0)


def _pictures(ours: Scored, truth: PickTable) -> list[Figure]:
    store = PickStore(ours.folder / ".frostpick")
    figures = []
    truths = _truths(truth)
    for name in dict.fromkeys(truth.micrograph):
        found = store.get(name)
        if found.preview is None:
            continue
        picks = Cut(ours.result.threshold).select(found.picks)
        one = truths[name]
        figures.append(
            picks_on_micrograph(
                found.preview,
                picks.x_px,
                picks.y_px,
                picks.score,
                picks.selected,
                scale=found.preview.shape[1] / found.shape[1],
                diameter_px=SETTINGS.diameter_px,
                title=name,
                truth_xy=np.column_stack([one.x_px, one.y_px]),
                truth_ignored=one.edge,
                pixel_size_A=found.pixel_size_A,
            )
        )
    return figures
