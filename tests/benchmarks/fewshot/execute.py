"""Train on one draw of exemplars and pick the test micrographs, with the engine alone."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accuracy.sets import BenchSet

from fewshot.variants import Variant
from fewshot.windows import window_map
from frostpick.config import FewshotSettings, PickSettings
from frostpick.evaluation import Truth, evaluate
from frostpick.images import read_image
from frostpick.inference.calibration import calibrated, floor_logit
from frostpick.inference.dense import ScoreMap, score_map
from frostpick.inference.peaks import find_peaks
from frostpick.inference.plan import plan_picking
from frostpick.inference.ready import make_ready
from frostpick.inference.threshold import choose_threshold
from frostpick.models.mae.model import AutoencoderModel
from frostpick.models.picking_model import PickingModel
from frostpick.preprocess import WorkingImage, preprocess
from frostpick.runtime.reporter import SilentReporter
from frostpick.training.fewshot import FewshotResult, train_fewshot
from frostpick.training.fewshot_recipe import FewshotRecipe
from frostpick.types import Labels, LocalFile, Micrograph, Picks


@dataclass(frozen=True)
class Session:
    """What all runs share."""

    encoder: AutoencoderModel | None
    preset: str
    device: str
    threads: int


def exemplars_of(data: BenchSet, draw: Sequence[int], count: int, seed: int) -> Labels:
    """Return a published draw of 15, cut to ``count`` or filled up from the same micrograph."""
    truth = data.train.truth
    chosen = np.flatnonzero(np.isin(truth.row, draw))
    name = str(truth.name[chosen[0]])
    rng = np.random.default_rng((seed, count))
    if count < len(chosen):
        chosen = rng.choice(chosen, count, replace=False)
    pool = truth.drawable
    others = np.setdiff1d(pool.row[pool.name == name], truth.row[chosen])
    rows = [*truth.row[chosen], *rng.permutation(others)[: count - len(chosen)]]
    kept = truth.keep(np.isin(truth.row, rows))
    return Labels.from_xy(f"{name}.mrc", kept.x_px, kept.y_px)


def train(
    session: Session, data: BenchSet, variant: Variant, exemplars: Labels, seed: int
) -> tuple[FewshotResult, float]:
    """Train; return the result and its CPU seconds."""
    files = sorted(data.train.micrographs.glob("*.mrc"))
    micrographs = [Micrograph(f.name, LocalFile(f), data.pixel_A) for f in files]
    settings = FewshotSettings(
        diameter=data.diameter_A,
        preset=session.preset,
        device=session.device,
        threads=session.threads,
        seed=seed,
    )
    cpu = time.process_time()
    with tempfile.TemporaryDirectory() as spool:
        result = train_fewshot(
            micrographs,
            {exemplars.micrograph_id: exemplars},
            settings,
            start=session.encoder if variant.pretrained else None,
            spool=Path(spool),
            reporter=SilentReporter(),
            recipe=replace(FewshotRecipe(), **variant.recipe),
        )
    return result, time.process_time() - cpu


def figures(
    session: Session,
    data: BenchSet,
    model: PickingModel,
    *,
    stride: int = 1,
    windows: bool = False,
    limit: int | None = None,
) -> dict[str, Any]:
    """Pick test micrographs and score the picks.

    Parameters
    ----------
    stride
        Tokens between scored places.
    windows
        Encode every window by itself instead of sharing tokens.
    limit
        Only so many micrographs.
    """
    settings = PickSettings(device=session.device, threads=session.threads)
    plan = plan_picking(model, settings)
    ready = make_ready(model, plan.device, plan.precision)
    torch.set_num_threads(plan.threads)
    card, picks, truths, cpu = model.card, {}, {}, 0.0
    names = data.test.names[:limit]
    for name in names:
        image = read_image(data.test.micrographs / f"{name}.mrc", name)
        start = time.process_time()
        working = preprocess(
            image.data,
            data.pixel_A,
            plan.scale_diameter_A,
            card.preprocess,
            px_per_diameter=card.px_per_diameter,
            device=plan.device,
        )
        scores = _scores(model, ready, working, stride, windows)
        peaks = find_peaks(
            scores, plan.min_distance_A / data.pixel_A, floor_logit(card.calibration), 10**6
        )
        cpu += time.process_time() - start
        score = calibrated(peaks.logit, card.calibration)
        picks[name] = Picks.from_xy(name, peaks.x_px, peaks.y_px, score=score)
        one = data.test.truth.particles.on(name)
        truths[name] = Truth.from_xy(name, one.x_px, one.y_px, edge=one.edge)
    threshold = choose_threshold([p.score for p in picks.values()], "auto")
    out: dict[str, Any] = {"cpu_per_micrograph": cpu / len(names), "micrographs": len(names)}
    for rule in ("iou50", "quarter"):
        found = evaluate(
            picks, truths, data.diameter_px, dict.fromkeys(names, data.test.shape), rule
        )
        out[rule] = {
            "best_f1": found.best_f1,
            "ap": found.ap,
            "auto_f1": found.at(threshold).f1,
        }
    return out


def _scores(
    model: PickingModel,
    ready: PickingModel,
    working: WorkingImage,
    stride: int,
    windows: bool,
) -> ScoreMap:
    if windows:
        return window_map(model.network, working, stride)  # type: ignore[arg-type]
    shared = score_map(ready.network, working)
    if stride == 1:
        return shared
    logits = shared.logits[::stride, ::stride].contiguous()
    shape = (logits.shape[0], logits.shape[1])
    return ScoreMap(logits, shared.sampling.child(shape, (stride, stride), (0.0, 0.0)))
