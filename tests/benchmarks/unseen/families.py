"""A shape that a model has never seen, beside one that it has, at a reduced budget.

Each fold takes the layouts of some shapes out of the corpus, so that every shape in a fold is
judged by models that never saw it; ``all`` sees every shape, and its proteins are new all the
same, for the corpus holds none of their structures.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from accuracy.summary import Result
from accuracy.text_table import markdown, number

from frostpick.models.model_file import WEIGHTS
from frostpick.models.picking_model import PickingModel
from frostpick.pretraining.picker.pretrain import PickerRecipe, pretrain_picker
from frostpick.runtime.reporter import SilentReporter
from unseen.proteins import Shape
from unseen.sets import SETS

log = logging.getLogger(__name__)

ALL = "all"
#: By name, the shapes whose layouts the corpus leaves out.
FOLDS: dict[str, tuple[Shape, ...]] = {
    ALL: (),
    "tube-rod": ("tube", "rod"),
    "ring-plate": ("ring", "plate"),
    "branched-shell": ("branched", "shell"),
}
SEEDS = (81_001, 81_002)
MICROGRAPHS, STEPS = 1600, 12_000
#: The shape of every protein, as the corpus names its layouts.
SHAPES: dict[str, Shape] = {
    "tube": "tube",
    "capped": "tube",
    "ring": "ring",
    "rod": "rod",
    "plate": "plate",
    "yshape": "branched",
    "lshape": "branched",
    "cage": "shell",
    "membrane": "membrane",
    "dna": "nucleic",
    "species": "compact",
}


@dataclass(frozen=True)
class Member:
    """One model of the comparison."""

    fold: str
    seed: int

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"{self.fold}-{self.seed}"


def members(seeds: int = len(SEEDS)) -> list[Member]:
    """Return every model, the first seed of all folds before the second."""
    return [Member(fold, seed) for seed in SEEDS[:seeds] for fold in FOLDS]


def recipe_of(member: Member, base: PickerRecipe | None = None) -> PickerRecipe:
    """Return the recipe of a model: another seed, and its fold's shapes left out."""
    recipe = base or PickerRecipe(micrographs=MICROGRAPHS, steps=STEPS, measure_every=STEPS // 3)
    return replace(recipe, seed=member.seed, without=FOLDS[member.fold])


def model_at(member: Member, folder: Path) -> Path:
    """Return where a model lies."""
    return folder / member.name / "model" / WEIGHTS


def pretrained(
    member: Member, folder: Path, threads: int, base: PickerRecipe | None = None
) -> Path:
    """Pretrain a model where it is not yet there, or go on with one; return its file.

    Parameters
    ----------
    base
        Another recipe than that of the reduced budget.
    """
    place = folder / member.name
    path = model_at(member, folder)
    if path.exists():
        PickingModel.load(path)
        return path
    recipe = recipe_of(member, base)
    log.warning("pretraining %s: %d steps", member.name, recipe.steps)
    made = pretrain_picker(
        recipe, spool=place / "training", reporter=SilentReporter(), threads=threads
    )
    made.model.save(place / "model")
    return path


def judged(name: str, fold: str) -> bool:
    """Tell whether a fold's models never saw the shape of a set."""
    return SHAPES[SETS[name][0]] in FOLDS[fold]


def families_table(results: Sequence[Result], tags: Mapping[Member, str]) -> str:
    """Return the AP without labels of every set by models that saw its shape or did not.

    Parameters
    ----------
    results
        Of runs without labels.
    tags
        Name of each model in the results.
    """
    ap = {(r["start"], r["set"]): float(r["ap"]) for r in results if r["labels"] == "none"}
    header = ("set", "shape", "every shape seen", "its shape unseen", "lost", "seeds")
    rows, known, unknown, paired = [], [], [], []
    for name in SETS:
        seen = [ap[t, name] for m, t in tags.items() if m.fold == ALL and (t, name) in ap]
        never = [ap[t, name] for m, t in tags.items() if judged(name, m.fold) and (t, name) in ap]
        if not seen and not never:
            continue
        with_, without = _mean(seen), _mean(never)
        known += [with_] if seen else []
        if seen and never:
            unknown.append(without)
            paired.append(with_)
        rows.append(
            [
                name,
                SHAPES[SETS[name][0]],
                number(with_),
                number(without),
                number(with_ - without),
                f"{len(seen)}, {len(never)}",
            ]
        )
    if known:
        rows.append(_total("all sets", known, []))
        rows.append(_total("sets of the shapes left out", paired, unknown))
        rows.append(_worst("worst of them", paired, unknown))
    return markdown(header, rows)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _total(title: str, seen: Sequence[float], never: Sequence[float]) -> list[str]:
    lost = _mean(seen) - _mean(never)
    return [title, "", number(_mean(seen)), number(_mean(never)), number(lost), ""]


def _worst(title: str, seen: Sequence[float], never: Sequence[float]) -> list[str]:
    low = [min(v, default=float("nan")) for v in (seen, never)]
    return [title, "", number(low[0]), number(low[1]), number(low[0] - low[1]), ""]
