"""``frostpick methods``: what a paper says of a job, and what it cites."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from frostpick.citations import bibtex
from frostpick.errors import InputError, counted
from frostpick.models.catalogue import catalogue
from frostpick.settings.train import OBJECTIVES
from frostpick.types import REASONS, sigmoid
from frostpick_jobs.tasks.declarations import TASKS, task_named

Record = Mapping[str, Any]
#: The run record of a job in its folder, by host.
RECORDS = ("run.json", "frostpick.json")
#: Figures of a digest that are printed.
DIGITS = 12


def methods(folders: Sequence[Path]) -> str:
    """Return a paragraph on some finished jobs, in their order, and BibTeX.

    Raises
    ------
    InputError
        A folder holds no record of a finished job.
    """
    records = [read_record(one) for one in folders]
    shipped = {one.digest: one for one in catalogue()}
    names = {digest: one.name for digest, one in shipped.items()}
    told = " ".join(_WORDS[str(one["task"])](one, names) for one in records)
    cited = [task_named(str(one["task"])).cited(str(one.get("method", ""))) for one in records]
    cited += [
        shipped[digest].card.citation
        for one in records
        if (digest := one.get("model", {}).get("digest")) in shipped
    ]
    return f"{told}\n\n{bibtex(*cited)}\n"


def read_record(folder: Path) -> Record:
    """Return the run record of a finished job in its folder."""
    for name in RECORDS:
        try:
            found = json.loads((folder / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise InputError(f"{folder / name}: cannot be read: {error}") from error
        if isinstance(found, dict) and found.get("task") in [task.name for task in TASKS]:
            return found
        raise InputError(f"{folder / name}: not the run record of a job")
    raise InputError(
        f"{folder}: no {RECORDS[0]} there; give the folder of a job that came to its end"
    )


def _picking(record: Record, names: Mapping[str, str]) -> str:
    model = record.get("model", {})
    return (
        f"Particles were picked with {_program(record)}, with {_model(record, model, names)}."
        f"{_picked(record)}"
    )


def _picked(record: Record) -> str:
    """Return the sentences on the picks of a job."""
    counts, threshold = record.get("counts", {}), record.get("threshold", {})
    noise, failed = record.get("noise", {}), counts.get("failed", 0)
    score = float(threshold["score"])
    told = (
        f" {_diameter(record)} On {counted(counts['micrographs'], 'micrograph')}, "
        f"{counts['selected']:,} of {counts['picks']:,} candidates were selected, those with a "
        f"score of at least {score:.3f} (log-odds; probability {float(sigmoid(score)):.2f}; "
        f"chosen by the rule '{threshold.get('rule')}')."
    )
    if failed:
        told += f" {counted(failed, 'micrograph')} could not be used."
    if noise.get("at_least"):
        told += f" At least {noise['at_least']:,} of the picks are likely noise, by picking the"
        told += " same micrographs with inverted contrast."
    promise = record.get("promise", {})
    if "precision" in promise:
        low, high = promise["interval_95"]
        told += f" By {promise['judged_picks']} picks judged by eye, the precision is "
        told += f"{promise['precision']:.2f} ({low:.2f} to {high:.2f}, 95 %)."
    return told


def _training(record: Record, names: Mapping[str, str]) -> str:
    training, counts = record.get("training", {}), record.get("counts", {})
    labels, start = counts.get("labels"), record.get("model", {}).get("parent")
    learned = (
        f"{counted(labels, 'labelled particle')} on "
        f"{counted(counts.get('labelled_micrographs', 0), 'micrograph')}"
        if labels
        else "its start model's own picks, without labels"
    )
    told = f"A picking model was trained with {_program(record)} on {learned}"
    told += f", starting from {_called(record, start, names)}" if start else ", from nothing"
    objective = training.get("objective")
    if objective:
        told += f" (objective {objective}, {OBJECTIVES.get(objective, '')}; "
        told += f"{training.get('steps')} steps; seed {record.get('seed')})"
    if record.get("task") == "iterate":
        rounds = counts.get("rounds", 0)
        told += f", in {counted(rounds, 'round')} of picking, verification and training, of which"
        told += f" round {record.get('best_round')} was kept"
    told += f". {_diameter(record)}"
    recall = training.get("recall")
    if recall:
        told += f" At its threshold the model finds {recall['found']} of {recall['labels']} labels"
        told += f" that were held out ({recall['low']:.0%} to {recall['high']:.0%}, 95 %)."
    return f"{told} The model's digest is {_short(record.get('model', {}).get('digest'))}."


def _fewshot(record: Record, names: Mapping[str, str]) -> str:
    how = "cryoMAE" if record.get("method") == "cryomae" else "fine-tuning"
    start = record.get("model", {}).get("parent")
    of = f" of {_called(record, start, names)}" if start else ""
    return (
        f"A picking model was made with {_program(record)} from "
        f"{counted(record.get('exemplars', 0), 'exemplar')}, by {how}{of} "
        f"(digest {_short(record.get('model', {}).get('digest'))}).{_picked(record)}"
    )


def _pruning(record: Record, names: Mapping[str, str]) -> str:
    counts, labels = record.get("counts", {}), record.get("labels", {})
    threshold = record.get("threshold", {})
    model = record.get("model", {})
    told = f"Picks were pruned with {_program(record)}, with {_model(record, model, names)}"
    if labels.get("good") or labels.get("bad"):
        told += f", fitted to {labels.get('good', 0)} good and {labels.get('bad', 0)} bad examples"
    rejected = [f"{counts[reason]:,} {reason}" for reason in REASONS[1:] if counts.get(reason)]
    told += f". {_diameter(record)} Of {counts['rows']:,} rows {counts['kept']:,} were kept"
    if threshold.get("score") is not None:
        told += f", with a score of at least {threshold['score']:.3f}"
    return f"{told}; rejected were {', '.join(rejected) or 'none'}."


def _verifying(record: Record, names: Mapping[str, str]) -> str:
    model = record.get("model", {})
    return (
        f"{record.get('counts', {}).get('rows', 0):,} picks were scored with {_program(record)}, "
        f"with {_model(record, model, names)}, by the mean over four rotations; none was dropped."
        f" {_diameter(record)}"
    )


def _pretraining(record: Record, names: Mapping[str, str]) -> str:
    settings = record.get("settings", {})
    return (
        f"A network was pretrained with {_program(record)} (method {settings.get('method')}, seed "
        f"{settings.get('seed')}). The model's digest is "
        f"{_short(record.get('model', {}).get('digest'))}."
    )


_WORDS: Mapping[str, Callable[[Record, Mapping[str, str]], str]] = {
    "pick": _picking,
    "train": _training,
    "iterate": _training,
    "fewshot": _fewshot,
    "prune": _pruning,
    "verify": _verifying,
    "pretrain": _pretraining,
}


def _program(record: Record) -> str:
    versions = record.get("versions", {})
    return f"frostpick {versions.get('frostpick')} (PyTorch {versions.get('torch')})"


def _model(record: Record, model: Record, names: Mapping[str, str]) -> str:
    """Return a model with its ancestry: its name or digest, what it learned from, its parent."""
    digest, parent = model.get("digest"), model.get("parent")
    if digest in names or _version(record, digest):
        return f"the model {_called(record, digest, names)}"
    known, told = model.get("trained_on", {}), f"a model (digest {_short(digest)})"
    if known.get("labels"):
        told += f" trained on {counted(known['labels'], 'labelled particle')}"
        if known.get("labelled_micrographs"):
            told += f" on {counted(known['labelled_micrographs'], 'micrograph')}"
    return f"{told}, derived from {_called(record, parent, names)}" if parent else told


def _called(record: Record, digest: str | None, names: Mapping[str, str]) -> str:
    """Return name and digest of a model, the digest alone of one that has no name here."""
    name = _version(record, digest) or names.get(str(digest))
    return f"{name} (digest {_short(digest)})" if name else f"a model of digest {_short(digest)}"


def _version(record: Record, digest: str | None) -> str | None:
    used = record.get("shipped", {}).values()
    return next((str(one["version"]) for one in used if one["digest"] == digest), None)


def _short(digest: object) -> str:
    return str(digest)[:DIGITS]


def _diameter(record: Record) -> str:
    found = "diameter_A" in record.get("own_scale", {})
    length = record.get("diameter_A", record.get("settings", {}).get("diameter"))
    if not isinstance(length, (int, float)):
        return "The longest dimension of the particle was taken from the start model."
    how = "found in the micrographs to be" if found else "taken as"
    return f"The longest dimension of the particle was {how} {length:g} Å."
