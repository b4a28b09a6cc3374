"""How a pruner for any particle is made: boxes of a simulated corpus, classes, two heads.

``pretrain_pruner`` runs every stage in order and goes on where a stopped run ended:
boxes are kept by micrograph, the fit by its own state. ``labelled_boxes`` is the second
source: any folder with one stack ``<class>.mrcs`` a class. The finished pruner asks a
picking network too (`frostpick.models.pruner.picker_score`); how much that one's word counts is
fitted, with the calibration, to the boxes held out.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from safetensors.torch import save as save_tensors

from frostpick.errors import InputError, ModelError
from frostpick.images.content import ImageFileError
from frostpick.images.stack import Stack
from frostpick.models.card import CalibrationSpec, ModelCard, NetworkSpec, PreprocessSpec
from frostpick.models.licence import licence_of, licensed
from frostpick.models.picking_model import PickingModel
from frostpick.models.pruner.box_network import CLASSES, BoxNetwork, ResNet18
from frostpick.models.pruner.imagenet import load_imagenet
from frostpick.models.pruner.model import KIND, Pruner
from frostpick.models.pruner.picker_score import picker_logits
from frostpick.models.pruner.registry import build_box_network
from frostpick.models.shipped import load_model
from frostpick.pretraining.pruner.boxes import simulated_boxes
from frostpick.pruning.boxes import BATCH, BoxGeometry, boxes_of_images
from frostpick.pruning.grey import CLIP, NAME, VERSION
from frostpick.runtime.atomic import atomic_write
from frostpick.runtime.precision import native_precision
from frostpick.runtime.reporter import Reporter
from frostpick.simulate.corpus import corpus_micrograph
from frostpick.training.pruner.augment import BoxAugmentation, augment_boxes
from frostpick.training.pruner.calibration import fit_joint_scores, fit_scores
from frostpick.training.pruner.losses import LossWeights, class_loss, log_odds
from frostpick.training.pruner.training_loop import Fit, FitSchedule

log = logging.getLogger(__name__)

#: Steps of an 8-bit copy of a box: 127 is `CLIP`.
QUANTUM = CLIP / 127
#: What a card calls the checkpoint that a pruner starts from.
IMAGES = "a checkpoint of general images"
#: Micrographs in one file of boxes.
SHARD = 50


@dataclass(frozen=True)
class PretrainRecipe:
    """Numbers of the recipe. The card of a pruner tells those that it was made with.

    Parameters
    ----------
    micrographs, held_out
        Of the corpus with this ``seed``; the last ``held_out``, of a small corpus a quarter,
        are not learned from.
    share
        Of the classes in a batch, in the order of `CLASSES`.
    picker
        Picking model that the pruner asks too, as `frostpick.models.shipped.load_model`
        takes it; empty for none.
    """

    seed: int = 2022
    micrographs: int = 3200
    held_out: int = 50
    network: str = "slim-resnet"
    units: int = 16
    heads: int = 2
    steps: int = 14000
    batch: int = 128
    rate: float = 2e-3
    side: int = 64
    px_per_diameter: float = 32.0
    share: tuple[float, ...] = (0.5, 0.12, 0.08, 0.05, 0.05, 0.05, 0.05, 0.10)
    losses: LossWeights = field(default_factory=LossWeights)
    augmentation: BoxAugmentation = field(default_factory=BoxAugmentation)
    picker: str = "general"

    @property
    def learned(self) -> int:
        """Number of micrographs that are learned from."""
        return self.micrographs - min(self.held_out, max(1, self.micrographs // 4))

    def spec(self) -> NetworkSpec:
        """Return network and arguments for the card."""
        if self.network == "resnet18":
            return NetworkSpec(name=self.network, arguments={"heads": self.heads})
        return NetworkSpec(name=self.network, arguments={"units": self.units, "heads": self.heads})


@dataclass(frozen=True)
class LabelledBoxes:
    """Boxes ``(n, side, side)`` int8 in units of `QUANTUM`, and classes ``(n,)`` int64."""

    boxes: torch.Tensor
    classes: torch.Tensor

    @classmethod
    def concat(cls, parts: Sequence[LabelledBoxes]) -> LabelledBoxes:
        """Join them."""
        return cls(torch.cat([p.boxes for p in parts]), torch.cat([p.classes for p in parts]))


def pretrain_pruner(
    folder: Path,
    reporter: Reporter,
    recipe: PretrainRecipe | None = None,
    *,
    imagenet: Path | None = None,
    labelled: Sequence[LabelledBoxes] = (),
    picker: PickingModel | None = None,
    device: torch.device | None = None,
) -> Pruner:
    """Make a pruner and save it in ``folder / "pruner"``.

    Parameters
    ----------
    folder
        For boxes, state and result; a run that was stopped goes on.
    imagenet
        Checkpoint that a ``resnet18`` starts from.
    labelled
        Further boxes, e.g. of `labelled_boxes`.
    picker
        The model that the recipe's ``picker`` names, where the caller has it.
    device
        Where to train; the CPU when None.

    Raises
    ------
    ModelError
        The checkpoint is none of a ResNet-18, or the recipe's network is another.
    """
    recipe = recipe or PretrainRecipe()
    at = device or torch.device("cpu")
    network = _start(recipe, imagenet)
    learned = recipe.learned
    data = LabelledBoxes.concat([*corpus_boxes(folder, recipe, 0, learned, reporter), *labelled])
    test = LabelledBoxes.concat(
        list(corpus_boxes(folder, recipe, learned, recipe.micrographs, reporter))
    )
    schedule = FitSchedule(
        recipe.steps,
        recipe.rate,
        bf16=native_precision(at) == "bfloat16",
        save_every=250,
    )
    fit = Fit(
        network,
        draw=lambda generator: _draw(data, recipe, generator),
        loss=lambda logits, classes: class_loss(logits, classes, recipe.losses),
        schedule=schedule,
        seed=recipe.seed,
        device=at,
        folder=folder,
        key=_key(recipe, imagenet, data, labelled),
    )
    reporter.stage("training the pruner", recipe.steps)
    fit.run(reporter)
    network.to("cpu")
    calibration, word = _fit_score(network, test, picker or recipe.picker)
    card = _card(recipe, calibration, len(data.classes), imagenet, labelled)
    pruner = Pruner.build(card, network.state_dict())
    if word is not None:
        pruner = licensed(pruner.asking(*word), "", None if imagenet is None else IMAGES, word[0])
    pruner.save(folder / "pruner")
    return pruner


def _fit_score(
    network: BoxNetwork, test: LabelledBoxes, picker: PickingModel | str
) -> tuple[CalibrationSpec, tuple[PickingModel, float] | None]:
    """Fit the score to boxes held out: its calibration, and the picker with its weight."""
    logits = classify(network, test.boxes)
    right = logits.mean(1).argmax(1) == test.classes
    log.info("held-out boxes: %d, classes right %.3f", len(right), float(right.float().mean()))
    raw = log_odds(logits).mean(1).double().numpy()
    good = (test.classes == 0).numpy()
    told = "simulated boxes"
    if not picker or not good.any() or good.all():
        return fit_scores(raw, good, fitted_on=told), None
    model = load_model(picker) if isinstance(picker, str) else picker
    calibration, weight = fit_joint_scores(raw, _word(model, test), good, fitted_on=told)
    return calibration, (model, weight)


def _word(model: PickingModel, boxes: LabelledBoxes) -> NDArray[np.float64]:
    """Return the picking model's logit of each box, one look."""
    data = boxes.boxes
    starts = range(0, len(data), BATCH)
    with torch.no_grad():
        parts = [
            picker_logits(model.network, data[at : at + BATCH].float() * QUANTUM) for at in starts
        ]
    return torch.cat(parts).double().numpy()


def _start(recipe: PretrainRecipe, imagenet: Path | None) -> BoxNetwork:
    """Return the network before the first step."""
    spec = recipe.spec()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = build_box_network(spec.name, spec.arguments)
    if imagenet is not None:
        if not isinstance(network, ResNet18):
            raise ModelError(
                f"{imagenet}: a checkpoint of ResNet-18 cannot start network {spec.name!r}; "
                "take network 'resnet18'"
            )
        load_imagenet(network, imagenet)
    return network


def corpus_boxes(
    folder: Path, recipe: PretrainRecipe, first: int, last: int, reporter: Reporter
) -> Iterator[LabelledBoxes]:
    """Give the boxes of micrographs ``first`` to ``last``, from the disk where they are there."""
    reporter.stage("simulating boxes", last - first)
    for start in range(first, last, SHARD):
        stop = min(last, start + SHARD)
        name = f"boxes_{recipe.seed}_{recipe.side}_{start:06d}_{stop:06d}.safetensors"
        path = folder / "boxes" / name
        if not path.exists():
            parts = []
            for index in range(start, stop):
                reporter.check()
                rng = np.random.default_rng([recipe.seed, index])
                micrograph = corpus_micrograph(recipe.seed, index)
                found, classes = simulated_boxes(
                    micrograph, rng, side=recipe.side, px_per_diameter=recipe.px_per_diameter
                )
                parts.append(LabelledBoxes(quantised(found), classes))
            joined = LabelledBoxes.concat(parts)
            tensors = {"boxes": joined.boxes, "classes": joined.classes}
            with atomic_write(path) as handle:
                handle.write(save_tensors(tensors))
        stored = load_file(path)
        reporter.advance(stop - start)
        yield LabelledBoxes(stored["boxes"], stored["classes"])


def labelled_boxes(
    folder: Path, pixel_size_A: float, diameter_A: float, *, light: bool, side: int = 64
) -> LabelledBoxes:
    """Read a folder of labelled boxes: one stack ``<class>.mrcs`` a class of `CLASSES`.

    Raises
    ------
    InputError
        A stack's name is no class, one cannot be read, or the folder has none.
    """
    geometry = BoxGeometry(diameter_A, side)
    parts: list[LabelledBoxes] = []
    for path in sorted(folder.glob("*.mrc*")):
        if path.stem not in CLASSES:
            raise InputError(
                f"{path}: {path.stem!r} is no class; expected one of {', '.join(CLASSES)}"
            )
        try:
            parts += _boxes_of_class(path, pixel_size_A, geometry, light=light)
        except (ImageFileError, OSError) as error:
            raise InputError(f"{path}: {error}; expected a stack of boxes") from error
    if not parts:
        raise InputError(f"{folder}: no stacks; expected particle.mrcs, carbon.mrcs and so on")
    return LabelledBoxes.concat(parts)


def _boxes_of_class(
    path: Path, pixel_size_A: float, geometry: BoxGeometry, *, light: bool
) -> Iterator[LabelledBoxes]:
    stack = Stack.open(path)
    for start in range(0, stack.sections, BATCH):
        at = np.arange(start, min(start + BATCH, stack.sections))
        images = torch.from_numpy(stack.read(at))
        boxes = boxes_of_images(images, pixel_size_A, geometry, light=light)
        data = boxes.data[boxes.usable]
        classes = torch.full((len(data),), CLASSES.index(path.stem))
        yield LabelledBoxes(quantised(data), classes)


def quantised(boxes: torch.Tensor) -> torch.Tensor:
    """Return boxes as int8 in units of `QUANTUM`."""
    return (boxes / QUANTUM).round().clamp(-127, 127).to(torch.int8)


def classify(network: BoxNetwork, boxes: torch.Tensor) -> torch.Tensor:
    """Return logits ``(n, heads, classes)`` of quantised boxes."""
    network.eval()
    starts = range(0, len(boxes), BATCH)
    with torch.no_grad():
        parts = [network(boxes[at : at + BATCH, None].float() * QUANTUM) for at in starts]
    return torch.cat(parts)


def _draw(
    data: LabelledBoxes, recipe: PretrainRecipe, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw a batch in which every class has its share."""
    share = torch.tensor(recipe.share)
    counts = torch.bincount(data.classes, minlength=len(share))
    weight = torch.where(counts > 0, share / counts.clamp_min(1), 0.0)[data.classes]
    total = weight.double().cumsum(0)
    at = torch.rand(recipe.batch, generator=generator, dtype=torch.float64) * total[-1]
    chosen = torch.searchsorted(total, at).clamp_max(len(total) - 1)
    boxes = data.boxes[chosen].float() * QUANTUM
    return augment_boxes(boxes, recipe.augmentation, generator), data.classes[chosen]


def _key(
    recipe: PretrainRecipe,
    imagenet: Path | None,
    data: LabelledBoxes,
    labelled: Sequence[LabelledBoxes],
) -> str:
    start = None if imagenet is None else _digest_of_file(imagenet)
    parts = {"recipe": asdict(recipe), "start": start, "boxes": len(data.classes)}
    if labelled:
        own = hashlib.sha256()
        for part in labelled:
            own.update(part.boxes.numpy().tobytes() + part.classes.numpy().tobytes())
        parts["labelled"] = own.hexdigest()
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _digest_of_file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _card(
    recipe: PretrainRecipe,
    calibration: CalibrationSpec,
    boxes: int,
    imagenet: Path | None,
    labelled: Sequence[LabelledBoxes],
) -> ModelCard:
    others: dict[str, str | int] = {}
    if imagenet is not None:
        others["general_images"] = f"checkpoint {_digest_of_file(imagenet)[:16]}"
    if labelled:
        others["labelled_boxes"] = sum(len(part.classes) for part in labelled)
    return ModelCard(
        kind=KIND,
        network=recipe.spec(),
        preprocess=PreprocessSpec(
            name=NAME, version=VERSION, constants={"side": float(recipe.side)}
        ),
        px_per_diameter=recipe.px_per_diameter,
        calibration=calibration,
        trained_on={
            "kind": "simulated micrographs of procedural proteins",
            "micrographs": recipe.learned,
            "boxes": boxes,
            "seed": recipe.seed,
            "steps": recipe.steps,
            **others,
        },
        license=licence_of("", None if imagenet is None else IMAGES),
        citation="Li et al., J. Comput. Biol. 29, 1117 (2022): two heads, several losses",
    )
