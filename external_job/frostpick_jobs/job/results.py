"""What a task comes to for a Python caller: one type a task, the same on every host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frostpick.notebook import html_table
from frostpick.types import Decisions

if TYPE_CHECKING:
    from frostpick.models.cryomae.model import AutoencoderModel
    from frostpick.models.picking_model import PickingModel
    from frostpick.models.pruner.model import Pruner


@dataclass(frozen=True)
class Place:
    """Where the outputs of a job are.

    Parameters
    ----------
    job
        What the host calls the job: ``P3-J20``, ``External/job012/``, or the folder's path.
    folder
        The job's folder, where this machine sees it.
    """

    job: str
    folder: Path | None = None


@dataclass(frozen=True)
class Result:
    """What every task comes to.

    Parameters
    ----------
    place
        Where the outputs are.
    failed
        ``id -> one clause`` for micrographs that could not be used.
    """

    place: Place
    failed: Mapping[str, str]

    @property
    def job(self) -> str:
        """What the host calls the job."""
        return self.place.job

    @property
    def folder(self) -> Path | None:
        """The job's folder, where this machine sees it."""
        return self.place.folder

    def _shown(self) -> dict[str, object]:
        """Return what a notebook shows, by name."""
        return {}

    def _repr_html_(self) -> str:
        """Return the numbers, and where the report is, as a notebook shows them."""
        report = None if self.folder is None else self.folder / "report.html"
        rows = {
            **self._shown(),
            "failed": len(self.failed) or None,
            "report": report if report is not None and report.is_file() else None,
        }
        return html_table(f"{type(self).__name__}: {self.job}", rows)

    # Names of before, until 2.0.

    @property
    def out(self) -> Path | None:
        """`folder`."""
        return self.folder

    @property
    def summary(self) -> Any:
        """The result itself."""
        return self


@dataclass(frozen=True)
class PickingResult(Result):
    """What picking came to.

    Parameters
    ----------
    micrographs
        Number of micrographs that were picked.
    picks, selected
        Number of picks above the floor, and of those at or above the threshold.
    threshold
        In score units.
    """

    micrographs: int
    picks: int
    selected: int
    threshold: float

    def _shown(self) -> dict[str, object]:
        return {
            "micrographs": self.micrographs,
            "picks selected": f"{self.selected:,} of {self.picks:,}",
            "threshold": f"{self.threshold:.3f}",
        }


@dataclass(frozen=True)
class FewshotResult(PickingResult):
    """What few-shot picking came to, and the model that it made."""

    model: PickingModel


@dataclass(frozen=True)
class TrainSummary:
    """What `TrainingResult.summary` was before; goes with version 2.0."""

    model: PickingModel
    curve: Sequence[Mapping[str, float]]
    summary: Mapping[str, Any]


@dataclass(frozen=True)
class TrainingResult(Result):
    """A trained model.

    Parameters
    ----------
    curve
        Figures of the training by step.
    training
        What the training was: split, steps, figures.
    """

    model: PickingModel
    curve: Sequence[Mapping[str, float]]
    training: Mapping[str, Any]

    @property
    def summary(self) -> TrainSummary:
        """Model, curve and training under their names of before, until 2.0."""
        return TrainSummary(self.model, self.curve, self.training)

    @property
    def model_path(self) -> Path | None:
        """The model's file, where this machine sees the job's folder."""
        from frostpick.models.model_file import WEIGHTS

        return None if self.folder is None else self.folder / "model" / WEIGHTS

    def _shown(self) -> dict[str, object]:
        steps = self.curve[-1].get("step") if self.curve else None
        return {"steps": None if steps is None else f"{steps:.0f}", "model": self.model_path}


@dataclass(frozen=True)
class IteratingResult(TrainingResult):
    """A model trained in rounds.

    Parameters
    ----------
    rounds
        Figures of each round, the start first.
    best_round
        The round whose model was kept.
    """

    rounds: Sequence[Mapping[str, float]]
    best_round: int

    def _shown(self) -> dict[str, object]:
        return {"rounds": len(self.rounds) - 1, "best round": self.best_round, **super()._shown()}


@dataclass(frozen=True)
class PruningResult(Result):
    """What pruning came to: one decision for every row of the input.

    Parameters
    ----------
    pruner
        As it was fitted to the job's labels.
    threshold
        In score units; minus infinity where no row is dropped.
    record
        The run record.
    """

    decisions: Decisions
    pruner: Pruner
    threshold: float
    record: Mapping[str, Any]

    def _shown(self) -> dict[str, object]:
        cut = {"threshold": f"{self.threshold:.3f}"} if isfinite(self.threshold) else {}
        return {**{name: f"{n:,}" for name, n in self.decisions.counts().items()}, **cut}


@dataclass(frozen=True)
class VerifyingResult(PruningResult):
    """What verifying came to: every row with score and spread."""


@dataclass(frozen=True)
class PretrainingResult(Result):
    """What a pretraining made."""

    model: PickingModel | AutoencoderModel | Pruner
