"""Train on one draw of exemplars and pick the test micrographs, with the engine alone."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accuracy.empties import EMPTY, write_empties
from accuracy.sets import BenchSet
from scipy.ndimage import gaussian_filter

from fewshot.variants import Variant
from fewshot.ways import Ways, every
from fewshot.windows import window_head, window_maps
from frostpick.evaluation import Evaluation, Truth, evaluate
from frostpick.images import read_image
from frostpick.models.cryomae.exemplar import ExemplarNetwork
from frostpick.models.cryomae.model import AutoencoderModel
from frostpick.models.picking_model import PickingModel
from frostpick.picking.calibration import calibrated, floor_logit
from frostpick.picking.dense import ScoreMap, score_map
from frostpick.picking.emptiness import SLACK_OF_SIMILARITY, emptiness
from frostpick.picking.inference import InferenceNetwork, prepared_for_inference
from frostpick.picking.plan import PickPlan, plan_picking
from frostpick.picking.selectors.density_cut import density_cut
from frostpick.picking.selectors.disc_nms import find_peaks
from frostpick.picking.threshold import choose_threshold
from frostpick.preprocess import WorkingImage, preprocess
from frostpick.runtime.device import resolve_device
from frostpick.runtime.reporter import SilentReporter
from frostpick.runtime.threads import resolve_threads
from frostpick.settings import FewshotSettings, PickSettings
from frostpick.simulate import write_mrc
from frostpick.training.cryomae.recipe import FewshotRecipe
from frostpick.training.cryomae.train import FewshotResult, train_fewshot
from frostpick.types import Labels, LocalFile, Micrograph, Picks

#: Training micrographs without exemplars that are read for unlabelled windows.
UNLABELLED = 3
#: Most picks of a micrograph; far more than there is room for.
MOST = 10**5

Maps = Mapping[str, ScoreMap]


@dataclass(frozen=True)
class Session:
    """What all runs share.

    Parameters
    ----------
    limit
        Only so many test micrographs of each set.
    """

    encoder: AutoencoderModel | None
    preset: str
    device: str
    threads: int
    limit: int | None = None


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
    first = [f for f in files if f.name == exemplars.micrograph_id]
    rest = [f for f in files if f not in first][:UNLABELLED]
    settings = FewshotSettings(
        diameter=data.diameter_A,
        encoder_size=session.preset,
        device=session.device,
        threads=session.threads,
        seed=seed,
    )
    cpu = time.process_time()
    with tempfile.TemporaryDirectory() as spool, smoothed(first + rest, data, variant) as used:
        result = train_fewshot(
            [Micrograph(f.name, LocalFile(f), data.pixel_A) for f in used],
            {exemplars.micrograph_id: exemplars},
            settings,
            start=session.encoder if variant.pretrained else None,
            spool=Path(spool),
            reporter=SilentReporter(),
            recipe=replace(FewshotRecipe(), **variant.recipe),
        )
    return result, time.process_time() - cpu


@contextmanager
def smoothed(files: list[Path], data: BenchSet, variant: Variant) -> Iterator[list[Path]]:
    """Give micrographs as a variant wants them: smoothed copies, or themselves."""
    if not variant.low_pass:
        yield files
        return
    with tempfile.TemporaryDirectory() as folder:
        copies = [Path(folder) / file.name for file in files]
        for file, copy in zip(files, copies, strict=True):
            image = read_image(file, file.stem).data
            write_mrc(
                copy, gaussian_filter(image, variant.low_pass * data.diameter_px), data.pixel_A
            )
        yield copies


class Picker:
    """A trained model at work on the micrographs of a set."""

    def __init__(self, session: Session, data: BenchSet, model: PickingModel) -> None:
        settings = PickSettings(device=session.device, threads=session.threads)
        self.data, self.model = data, model
        self.plan: PickPlan = plan_picking(model, settings)
        self.device = resolve_device(session.device)
        ready = prepared_for_inference(model, self.device, self.plan.precision).network
        assert isinstance(ready, InferenceNetwork)
        self.network = ready
        torch.set_num_threads(resolve_threads(session.threads))

    def working(self, path: Path, low_pass: float = 0.0) -> WorkingImage:
        """Read and preprocess a micrograph."""
        pixels = read_image(path, path.stem).data
        if low_pass:
            pixels = gaussian_filter(pixels, low_pass * self.data.diameter_px)
        card = self.model.card
        return preprocess(
            pixels,
            self.data.pixel_A,
            self.plan.scale_diameter_A,
            card.preprocess,
            px_per_diameter=card.px_per_diameter,
            device=self.device,
        )

    def picks(self, name: str, scores: ScoreMap, *, cut: bool = False) -> Picks:
        """Return the picks above the floor, or above the density cut too."""
        calibration = self.model.card.calibration
        floor = floor_logit(calibration)
        if cut:
            floor = max(floor, density_cut(scores.logits.numpy()).cut)
        reach = self.plan.min_distance_A / self.data.pixel_A
        peaks = find_peaks(scores, reach, floor, MOST)
        score = calibrated(peaks.logit, calibration)
        score += emptiness(score, SLACK_OF_SIMILARITY)  # as `pick_image` does
        return Picks.from_xy(name, peaks.x_px, peaks.y_px, score=score)

    def score(
        self, picks: Mapping[str, Picks], names: Sequence[str], rule: str = "iou50"
    ) -> Evaluation:
        """Score picks on test micrographs."""
        truths = {}
        for name in names:
            one = self.data.test.truth.particles.on(name)
            truths[name] = Truth.from_xy(name, one.x_px, one.y_px, edge=one.edge)
        shapes = dict.fromkeys(names, self.data.test.shape)
        return evaluate(picks, truths, self.data.diameter_px, shapes, rule)  # type: ignore[arg-type]


def figures(
    session: Session, data: BenchSet, model: PickingModel, low_pass: float = 0.0
) -> dict[str, Any]:
    """Pick test micrographs in all ways and score the picks.

    F1 and AP by way: ``max`` matching, ``mean``, and ``max`` at every second and third token.
    """
    picker = Picker(session, data, model)
    ways = Ways(picker.network)
    names, cpu = data.test.names[: session.limit], time.process_time()
    found: dict[str, dict[str, Picks]] = {}
    for name in names:
        working = picker.working(data.test.micrographs / f"{name}.mrc", low_pass)
        for way, scores in ways.maps(working).items():
            found.setdefault(way, {})[name] = picker.picks(name, scores)
            if way == "max":
                found.setdefault("cut", {})[name] = picker.picks(name, scores, cut=True)
    out: dict[str, Any] = {
        "cpu_per_micrograph": (time.process_time() - cpu) / len(names),
        "micrographs": len(names),
    }
    for way, picks in found.items():
        result = picker.score(picks, names)
        out[way] = {"best_f1": result.best_f1, "ap": result.ap, "all_f1": result.at(-np.inf).f1}
    scores = [p.score for p in found["max"].values()]
    out["max"]["auto_f1"] = (
        picker.score(found["max"], names).at(choose_threshold(scores, "auto")).f1
    )
    return out


@dataclass(frozen=True)
class Compared:
    """One way to score a micrograph: best F1, AP, CPU seconds, and its logits."""

    best_f1: float
    ap: float
    cpu_s: float
    logits: torch.Tensor


def compare_with_windows(
    session: Session, data: BenchSet, model: PickingModel, exemplars: Labels, stride: int
) -> dict[str, Compared]:
    """Score the first test micrograph with tokens shared and by windows, at the same places.

    Returns
    -------
    dict
        ``shared``: as picked; ``windows``: every window encoded by itself; ``windows
        throughout``: and the exemplars described as windows too.
    """
    picker = Picker(session, data, model)
    name = data.test.names[0]
    working = picker.working(data.test.micrographs / f"{name}.mrc")
    network = model.network
    assert isinstance(network, ExemplarNetwork)
    own = picker.working(data.train.micrographs / exemplars.micrograph_id)
    yx = own.sampling.from_parent(np.stack([exemplars.y_px, exemplars.x_px], axis=1))
    cpu = time.process_time()
    maps = {"shared": every(score_map(picker.network, working), stride)}
    once = time.process_time() - cpu
    heads = {
        "windows": network.head,
        "windows throughout": window_head(network, own, yx, FewshotRecipe().pull),
    }
    cpu = time.process_time()
    maps.update(window_maps(network, working, stride, heads))
    spent = {"shared": once, **dict.fromkeys(heads, time.process_time() - cpu)}
    out = {}
    for way, scores in maps.items():
        result = picker.score({name: picker.picks(name, scores)}, [name])
        out[way] = Compared(result.best_f1, result.ap, spent[way], scores.logits.cpu())
    return out


def on_empties(session: Session, data: BenchSet, model: PickingModel) -> dict[str, Any]:
    """Return selected picks on micrographs with nothing on them and on the test micrographs.

    All are one job: the threshold is chosen on the scores of all of them.
    """
    picker = Picker(session, data, model)
    with tempfile.TemporaryDirectory() as folder:
        place = write_empties(data, Path(folder) / "micrographs")
        empty = [f"{kind}_{k}" for kind in ("blank", "carbon") for k in range(EMPTY)]
        names = [*data.test.names[: session.limit], *empty]
        picks = {
            name: picker.picks(
                name, score_map(picker.network, picker.working(place / f"{name}.mrc"))
            )
            for name in names
        }
    threshold = choose_threshold([p.score for p in picks.values()], "auto")
    selected = {name: int((one.score >= threshold).sum()) for name, one in picks.items()}
    mean = float(np.mean([n for name, n in selected.items() if name not in empty]))
    return {
        "selected_per_micrograph": mean,
        **{kind: [selected[f"{kind}_{k}"] for k in range(EMPTY)] for kind in ("blank", "carbon")},
    }
