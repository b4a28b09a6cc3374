"""Judge labels before they teach: what of them looks like particles, and what each is worth.

Picks of a program are labels like any others to a training, and where most of them are noise it
learns noise. A model that knows many particles tells how likely each label is one. It does not
tell of a view, or a particle, that it has never seen. So labels count fully unless it finds
nothing at all at many of them and is sure of its own picks on the same micrographs; and then too
where those that it doubts resemble each other (`frostpick.training.picker.repeats`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from frostpick.errors import Wording, option
from frostpick.models.picking_model import PickingModel
from frostpick.picking.emptiness import likeliest_share
from frostpick.runtime.reporter import Reporter
from frostpick.training.examples import TrainingImage
from frostpick.training.picker.label_evidence import Places, look_at_labels
from frostpick.training.picker.label_views import LabelViews, compare_views
from frostpick.training.picker.repeats import distinct_share, stand_out
from frostpick.training.picker.soft_labels import BY_HAND, SURE, ModelSoftLabels, sureness
from frostpick.training.read_images import Reading
from frostpick.training.tiles import mirrored
from frostpick.types import Labels

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]

#: Share of likely particles from which on all labels count fully: of all particles of three
#: simulated test sets it is .96 to 1, of a hundred of them .94 and more.
NEARLY_ALL = 0.9
#: Share of particles among the candidates whose scores are calibrated.
CANDIDATES = 0.3
#: Smaller a share of likely particles, and a start model learns more from its own picks than from
#: those labels that it agrees with. One simulated set, average precision by own picks .991:
#: RELION's LoG picks with shares of .40 and .55 gave .813 and .722, .72 of random noise .995.
MOSTLY = 2 / 3
#: A label worth less is set aside: its place counts as unlabelled.
LEAST = 0.5
#: Share of doubtful labels that must resemble each other, and fewest that can be asked. Seen:
#: .20 to .61 for what is false of RELION's LoG picks at four thresholds, .67 to .98 for
#: particles and views that the start model does not know.
REPEAT, ASKED = 0.65, 30
#: A label at which the judge finds no more than at so large a share of other places is as
#: nothing to it. Labels may be noise where that share of them is above the second figure. Of true
#: labels it is 0 to .25 (on one of twenty-two sets of unseen proteins .39), of RELION's LoG picks
#: at four thresholds .34 to .65. They may only where the judge is `SURE` of its own picks too.
ELSEWHERE, NOTHING = 0.9, 0.3
#: Least trusted labels that are shown, the side of their boxes in diameters, and the deviation
#: of the Gaussian that smooths them.
SHOWN, BOX, SMOOTH = 10, 1.5, 0.06


@dataclass(frozen=True)
class JudgedLabels:
    """What labels are worth.

    Parameters
    ----------
    images
        With the labels that teach, and what each counts.
    told
        JSON values for the record; ``text`` is the verdict in words.
    changed
        Whether any label counts less than fully.
    boxes, captions
        Smoothed ``(h, w)`` images about the least trusted labels, the least trusted first.
    useless
        Whether a start model is better off without any of them.
    """

    images: list[TrainingImage]
    told: dict[str, Any]
    changed: bool = False
    boxes: Sequence[NDArray[np.float32]] = ()
    captions: Sequence[str] = ()
    useless: bool = False
    views: LabelViews = field(default_factory=LabelViews)

    @property
    def left(self) -> int:
        """How many labels teach."""
        return sum(len(image.particles_yx) for image in self.images)


def judge_labels(
    images: Sequence[TrainingImage],
    judge: PickingModel,
    device: torch.device,
    reporter: Reporter,
    seed: int,
) -> JudgedLabels:
    """Estimate what labels are worth, and tell it in the log.

    Parameters
    ----------
    images
        Preprocessed as ``judge`` was trained, at its scale.
    judge
        Model whose scores tell.
    """
    count = sum(len(image.particles_yx) for image in images)
    if count < BY_HAND:
        return JudgedLabels(list(images), {})
    px = judge.card.px_per_diameter
    soft = ModelSoftLabels(judge, 1.0, device, alone=False)
    labels, others = look_at_labels(images, soft, px, device, reporter, seed)
    picked = [soft.on(one)[1] for one in images if len(one.particles_yx)]
    told, worth = weigh(labels, others, sureness(np.concatenate(picked)), seed)
    changed = not told["all_count"]
    log.log(logging.WARNING if changed else logging.INFO, "labels: %s", told["text"])
    order = np.argsort(labels.probability, kind="stable")[:SHOWN]
    boxes = [_box(images[labels.image[k]], labels.yx[k], px) for k in order.tolist()]
    captions = [f"p = {labels.probability[k]:.3f}" for k in order.tolist()]
    kept = with_worth(images, labels.image, worth) if changed else list(images)
    judged = JudgedLabels(kept, told, changed, boxes, captions)
    return replace(judged, useless=changed and teach_nothing(told["share"], judged.left))


def judged_by(
    judge: PickingModel | None,
    images: Sequence[TrainingImage],
    reading: Reading,
    device: torch.device,
    reporter: Reporter,
    seed: int,
    *,
    from_model: bool,
) -> JudgedLabels:
    """Judge labels where there is a model that can: one that sees images as they were read.

    Labels that are useless do not count where the training begins at a model, and where it
    begins from nothing and too few are left, all do.
    """
    usable = (
        judge is not None and judge.card.kind == "dense" and len(list(judge.network.parameters()))
    )
    if judge is None or not usable:
        return JudgedLabels(list(images), {})
    card = judge.card
    if (card.px_per_diameter, card.preprocess) != (reading.px_per_diameter, reading.preprocess):
        log.info("labels: not judged, as the model that could sees images at another scale")
        return JudgedLabels(list(images), {})
    soft = ModelSoftLabels(judge, 1.0, device, alone=False)
    views = compare_views(images, soft, card.px_per_diameter, seed)
    judged = replace(judge_labels(images, judge, device, reporter, seed), views=views)
    if judged.useless and from_model:
        return without_labels(judged)
    if judged.changed and judged.left < BY_HAND:
        return with_all_labels(judged, images)
    return judged


def teach_nothing(share: float, left: int) -> bool:
    """Tell whether a start model is better off without labels, some of which were set aside.

    Parameters
    ----------
    share
        Share of likely particles among all of them.
    left
        How many were not set aside.
    """
    return share < MOSTLY or left < BY_HAND


def without_labels(judged: JudgedLabels) -> JudgedLabels:
    """Return judged images without any labels: what is left of them teaches nothing."""
    log.warning(
        Wording(
            "LABELS ARE NOT LEARNED FROM: too few of them look like particles; the start model "
            f"learns from its own picks instead. {option('label_weights', 'trust')} takes all "
            "labels as they are"
        )
    )
    images = [replace(one, particles_yx=one.particles_yx[:0], worth=None) for one in judged.images]
    text = str(judged.told["text"]).partition(";")[0]
    told = {**judged.told, "text": f"{text}; none of them is learned from"}
    return replace(judged, images=images, told=told)


def with_all_labels(judged: JudgedLabels, images: Sequence[TrainingImage]) -> JudgedLabels:
    """Return the images as they were: without a start, a training from nothing needs its labels."""
    log.warning(
        "MOST LABELS LOOK LIKE NO PARTICLE, and a training from nothing has nothing else to learn "
        "from: all of them count; look at the least trusted"
    )
    text = str(judged.told["text"]).partition(";")[0]
    told = {**judged.told, "text": f"{text}; from nothing all of them count"}
    return replace(judged, images=list(images), told=told, changed=False)


def labels_judged(labels: Mapping[str, Labels], judged: JudgedLabels) -> dict[str, Labels]:
    """Return the labels that judged images have left, with what each is worth.

    Those on other micrographs, and places labelled as none, stay.
    """
    kept = dict(labels)
    for image in judged.images:
        own = labels.get(image.micrograph_id)
        if own is None or image.worth is None:
            continue
        at = image.sampling.from_parent(np.stack([own.y_px, own.x_px], axis=1))
        # the same numbers by the same sum; without any in reach the index is one too many
        index = cKDTree(image.particles_yx).query(at, distance_upper_bound=1e-6)[1]
        worth = np.where(own.sign > 0, np.append(image.worth, 0.0)[index], 1.0)
        one = replace(own, worth=worth, complete=image.complete)
        kept[image.micrograph_id] = one.keep(worth > 0.0)
    return kept


def found_nothing(labels: Places, others: Places) -> float:
    """Return the share of labels that are as nothing to the judge, at most 1.

    The labels with no more than most other places, over the share of those: how many of a
    sample are of the null hypothesis, by those that fall where the null mostly does (Storey 2002,
    eq. 6). It needs no calibrated scores, but it does not tell what is unknown from noise.
    """
    if not len(others):
        return 0.0
    most = np.quantile(others.probability, ELSEWHERE)
    elsewhere = float((others.probability <= most).mean())
    return min(1.0, float((labels.probability <= most).mean()) / elsewhere)


def weigh(labels: Places, others: Places, sure: float, seed: int) -> tuple[dict[str, Any], Floats]:
    """Return what is told of labels, and what each is worth, ``(n,)``, 1 where all count fully.

    Parameters
    ----------
    sure
        `sureness` of the judge's picks on the same micrographs.
    """
    ratio = likelihood_ratio(labels.probability)
    share = likeliest_share(ratio)
    worth = share * ratio / (share * ratio + 1.0 - share)
    doubtful = worth < LEAST
    n, found, nothing = len(labels), int(doubtful.sum()), found_nothing(labels, others)
    told: dict[str, Any] = {"labels": n, "share": round(share, 3), "doubtful": found}
    told |= {"nothing": round(nothing, 3), "sure": round(sure, 3)}
    text = f"of {n:,} labels about {100 * share:.0f} % look like particles"
    all_count = share >= NEARLY_ALL
    if all_count:
        text += "; all count fully"
    elif nothing <= NOTHING:
        all_count = True
        text += (
            f" to the model that judges; but it finds nothing at no more than {nothing:.0%} of "
            "them: all count fully; look at the least trusted"
        )
    elif sure < SURE:
        all_count = True
        text += (
            " to the model that judges; but it is unsure of its own picks on these micrographs "
            "too, as of a particle that it does not know: all count fully; look at the least "
            "trusted"
        )
    elif found < ASKED:
        all_count = True
        text += (
            f" to the model that judges; the {found} in doubt are too few to tell whether they "
            "resemble each other: all count fully; look at the least trusted"
        )
    elif stand_out(labels.keep(doubtful).answer, others.answer):
        all_count = True
        text += (
            f" to the model that judges; but the {found:,} in doubt are darker than any other "
            "place, as a particle is that it has not seen: all count fully"
        )
    else:
        told["repeat"] = round(distinct_share(labels.keep(doubtful), others, seed), 3)
        all_count = told["repeat"] >= REPEAT
        if all_count:
            text += (
                f" to the model that judges; but of the {found:,} in doubt {told['repeat']:.0%} "
                "resemble each other and no other place, as a particle or a view does that it "
                "has not seen: all count fully"
            )
        else:
            text += (
                f"; {found:,} are set aside as if unlabelled, the other {n - found:,} count by "
                "what each is worth"
            )
    told |= {"all_count": all_count, "text": text}
    return told, np.ones(n) if all_count else np.asarray(worth)


def likelihood_ratio(probability: Floats) -> Floats:
    """Return how much likelier a score is of a particle than of anything else."""
    p = np.clip(probability, 1e-9, 1.0 - 1e-9)
    ratio: Floats = p / (1.0 - p) * (1.0 - CANDIDATES) / CANDIDATES
    return ratio


def with_worth(
    images: Sequence[TrainingImage], image: NDArray[np.int64], worth: Floats
) -> list[TrainingImage]:
    """Return images whose labels are those worth at least `LEAST`, with what each counts.

    A micrograph whose labels were complete is no longer known to be.
    """
    judged = []
    for index, one in enumerate(images):
        own = worth[image == index]
        stays = own >= LEAST
        judged.append(
            replace(
                one,
                particles_yx=one.particles_yx[stays],
                worth=own[stays],
                complete=one.complete and not len(own),
            )
        )
    return judged


def _box(image: TrainingImage, yx: Floats, px_per_diameter: float) -> NDArray[np.float32]:
    half = int(BOX * px_per_diameter / 2)
    reach = np.arange(-half, half + 1)
    y, x = np.round(yx).astype(int)
    rows, columns = (
        mirrored(at + reach, size) for at, size in zip((y, x), image.pixels.shape, strict=True)
    )
    box = np.asarray(image.pixels[rows[:, None], columns[None, :]], np.float32)
    return np.asarray(gaussian_filter(box, SMOOTH * px_per_diameter), np.float32)
