"""What is held out of all rounds, and the figure by which rounds are compared.

Labels are incomplete, so precision cannot be counted. But a picker that finds the
held-out labels among fewer picks is the more precise one: the figure is the recall of the
held-out labels, averaged over cuts from as many picks as particles are expected to twice
as many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from frostpick.iterating.pick_and_verify import VerifiedPicks
from frostpick.training.measure import MATCH, match
from frostpick.types import Labels, Micrograph

#: Fewer labels than this all train, and no round can be judged.
FEWEST = 9
#: Labels, and labelled micrographs, from which on whole micrographs are held out.
MANY, WHOLE = 30, 4
#: Fraction of the labels held out: of many, and of few.
SHARE, SHARE_OF_FEW = 0.2, 1 / 3

#: Probability below which a loss is not chance. With one standard error in its place a round that
#: took the average precision from .81 to .94 was refused by five labels, with two another that
#: took it from .67 to .87 (simulated data).
CHANCE = 0.01


@dataclass(frozen=True)
class Strip:
    """The part of a micrograph at one end of an axis: ``from_px <= coordinate < to_px``."""

    axis: int
    from_px: float
    to_px: float

    def contains(
        self, y: NDArray[np.float64], x: NDArray[np.float64], margin: float = 0.0
    ) -> NDArray[np.bool_]:
        """Return which places lie inside, or within ``margin`` pixels of it."""
        along = (y, x)[self.axis]
        inside: NDArray[np.bool_] = (along >= self.from_px - margin) & (along < self.to_px + margin)
        return inside

    def fraction(self, shape: Sequence[int]) -> float:
        """Return the fraction of an image of ``shape`` that is inside."""
        side = float(shape[self.axis])
        low, high = np.clip([self.from_px + 0.5, self.to_px + 0.5], 0.0, side)
        return float((high - low) / side)


#: A whole micrograph.
EVERYTHING = Strip(0, -np.inf, np.inf)


@dataclass(frozen=True)
class ValidationSplit:
    """Held-out labels by micrograph, and where they lie.

    ``kind`` is ``micrographs``, ``strips`` or ``none``.
    """

    labels: Mapping[str, Labels]
    strips: Mapping[str, Strip]
    kind: str
    text: str

    def allows(self, found: VerifiedPicks, diameter_A: float) -> NDArray[np.bool_]:
        """Return which picks lie a diameter or more outside what is held out."""
        allowed = np.ones(len(found), bool)
        for index, name in enumerate(found.micrographs.tolist()):
            if name in self.strips:
                at = found.micrograph == index
                margin = diameter_A / float(found.pixel_size_A[index])
                inside = self.strips[name].contains(found.y_px[at], found.x_px[at], margin)
                allowed[at] = ~inside
        return allowed

    def found_in_rounds(
        self, found: VerifiedPicks, expected: float, diameter_A: float
    ) -> NDArray[np.float64]:
        """Return what each held-out label is found by, ``(n,)``, 0 to 1.

        That is the fraction of the cuts from N to 2 N picks at which it is found; their mean is
        the recall. NaN on micrographs that could not be picked: the order of the labels is the
        same for the picks of all rounds.

        Parameters
        ----------
        found
            Picks of a round.
        expected
            Mean particles on a micrograph; N is that share of them which is held out.
        """
        count = 0.0
        score: list[NDArray[np.float64]] = [np.zeros(0)]
        label_score: list[NDArray[np.float64]] = [np.zeros(0)]
        places = {name: index for index, name in enumerate(found.micrographs.tolist())}
        for name, own in self.labels.items():
            if name not in places:
                label_score.append(np.full(len(own), np.nan))
                continue
            index, strip = places[name], self.strips[name]
            count += expected * strip.fraction(found.shapes[index])
            at = (found.micrograph == index) & strip.contains(found.y_px, found.x_px)
            at = np.flatnonzero(at)[np.argsort(-found.score[at], kind="stable")]
            yx = np.stack([found.y_px[at], found.x_px[at]], axis=1)
            reach = MATCH * diameter_A / float(found.pixel_size_A[index])
            seen = match(yx, found.score[at], np.stack([own.y_px, own.x_px], axis=1), reach)
            score.append(found.score[at])
            label_score.append(seen.label_logit)
        ordered, labels = np.sort(np.concatenate(score)), np.concatenate(label_score)
        better = len(ordered) - np.searchsorted(ordered, labels, side="right")
        rank = np.where(np.isneginf(labels), np.inf, better + 1.0)
        rank[np.isnan(labels)] = np.nan
        worth: NDArray[np.float64] = np.clip((2 * count - rank) / max(count, 1.0), 0.0, 1.0)
        return worth


def is_worse(now: NDArray[np.float64], before: NDArray[np.float64]) -> bool:
    """Return whether labels are found less well than before, beyond what chance explains.

    By a one-sided paired t-test at the level `CHANCE`. One label of a few that moves down the
    list is no evidence: that is one standard error by itself.

    Parameters
    ----------
    now, before
        ``(n,)`` credits of the same labels; those that are NaN in either do not count.
    """
    change = now - before
    change = change[np.isfinite(change)]
    if len(change) < 2:
        return False
    error = change.std(ddof=1) / np.sqrt(len(change))
    return bool(change.mean() < error * student.ppf(CHANCE, len(change) - 1))


def hold_out_labels(
    labels: Mapping[str, Labels], micrographs: Sequence[Micrograph], seed: int
) -> tuple[dict[str, Labels], list[Micrograph], ValidationSplit]:
    """Divide the user's labels into those that train and those that judge the rounds.

    Returns
    -------
    labels, micrographs
        That may train.
    validation
        Whole micrographs with a fifth of the labels; of few labels or few micrographs
        strips with a third or a fifth of them; nothing of fewer than 9 labels.
    """
    own = {m.id: labels[m.id] for m in micrographs if m.id in labels and len(labels[m.id])}
    particles = {name: int((one.sign > 0).sum()) for name, one in own.items()}
    total = sum(particles.values())
    rng = np.random.default_rng((seed, 23))
    if total < FEWEST:
        text = (
            f"none of the {total} labels is held out, so that rounds are not compared: "
            f"give at least {FEWEST} labels"
        )
        return dict(own), list(micrographs), ValidationSplit({}, {}, "none", text)
    if total >= MANY and sum(n > 0 for n in particles.values()) >= WHOLE:
        chosen = _whole(particles, rng)
        held = {name: _signed(own[name]) for name in chosen}
        kept = {name: one for name, one in own.items() if name not in held}
        train = [m for m in micrographs if m.id not in held]
        validation = ValidationSplit(held, dict.fromkeys(held, EVERYTHING), "micrographs", "")
    else:
        share = SHARE if total >= MANY else SHARE_OF_FEW
        kept, held, strips = _in_strips(own, share, rng)
        train = list(micrographs)
        validation = ValidationSplit(held, strips, "strips", "")
    count = sum(len(one) for one in held.values())
    where = f"on {len(held)} micrographs" if validation.kind == "micrographs" else "in strips"
    text = f"{count} of {total} labels {where} are held out of all rounds to compare them"
    return kept, train, replace(validation, text=text)


def _whole(particles: Mapping[str, int], rng: np.random.Generator) -> list[str]:
    """Choose micrographs whose labels come nearest to the share, out of a few random draws."""
    names = sorted(name for name, count in particles.items() if count)
    number = max(1, round(SHARE * len(names)))
    total = sum(particles.values())
    draws = [sorted(rng.permutation(names)[:number].tolist()) for _ in range(20)]
    return min(draws, key=lambda draw: abs(sum(particles[n] for n in draw) - SHARE * total))


def _in_strips(
    own: Mapping[str, Labels], share: float, rng: np.random.Generator
) -> tuple[dict[str, Labels], dict[str, Labels], dict[str, Strip]]:
    kept, held, strips = {}, {}, {}
    for name in sorted(own):
        one = own[name]
        good = one.sign > 0
        count = round(share * np.count_nonzero(good))
        axis = int(np.ptp(one.x_px) > np.ptp(one.y_px))
        along = (one.y_px, one.x_px)[axis]
        kept[name] = one
        if count < 1 or np.count_nonzero(good) - count < 1:
            continue
        places = np.sort(along[good])
        if rng.integers(2):
            strip = Strip(axis, float(places[-count - 1] + places[-count]) / 2, np.inf)
        else:
            strip = Strip(axis, -np.inf, float(places[count - 1] + places[count]) / 2)
        inside = strip.contains(one.y_px, one.x_px)
        strips[name], held[name] = strip, _signed(one.keep(inside))
        kept[name] = one.keep(~inside)
    return kept, held, strips


def _signed(labels: Labels) -> Labels:
    """Return the particles among labels."""
    return labels.keep(labels.sign > 0)
