"""The search: pictures of micrographs and the picks on them in, kinds of objects out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.errors import counted, option
from frostpick.points import nearest_distance
from frostpick.preprocess.rescale import rescale
from frostpick.repeated.candidates import Candidates, find_candidates, phase_randomised
from frostpick.repeated.kinds import HALF, SPREAD, above_noise, repeated_groups
from frostpick.repeated.lattice import opposite_excess
from frostpick.training.examples import Points

#: Pixels a diameter of what is searched, and the fewest that a picture must have.
PIXELS, LEAST_PIXELS = 16.0, 10.0
#: A candidate with a pick so near, in diameters, is picked: a small end of a long particle
#: draws the eye beside the particle's own middle.
ON = 0.5
#: A kind with a larger `opposite_excess` is a lattice.
LATTICE = 0.15
#: What such a kind is called.
ICE = "ice (a lattice)"


@dataclass(frozen=True)
class Picture:
    """A micrograph that is searched.

    Parameters
    ----------
    micrograph_id
        `Micrograph.id`.
    pixels
        ``(h, w)`` in any grey levels, particles dark.
    px_per_diameter
        Its pixels a diameter.
    picks_yx
        ``(n, 2)`` what is picked, in its pixels.
    """

    micrograph_id: str
    pixels: NDArray[np.float32]
    px_per_diameter: float
    picks_yx: Points


@dataclass(frozen=True)
class Kind:
    """One kind of repeated objects.

    Parameters
    ----------
    picture
        ``(n,)`` int64, which of the pictures each member is on; the most typical member first.
    yx
        ``(n, 2)`` in pixels of that picture.
    picked
        Share of the members that are picked.
    of_noise
        Expected members if the pictures were noise of the same spectrum.
    away
        ``(n,)`` how much each member's look differs from the middle of all, squared, 1 being
        what noise does.
    opposite
        `opposite_excess` of the members; NaN where they are too few to ask.
    """

    picture: NDArray[np.int64]
    yx: Points
    picked: float
    of_noise: float
    away: NDArray[np.float64]
    opposite: float

    def __len__(self) -> int:
        return len(self.picture)

    @property
    def is_ice(self) -> bool:
        """Whether the members lie on a lattice."""
        return self.opposite > LATTICE

    @property
    def is_missed(self) -> bool:
        """Whether it may be a particle and fewer than half are picked."""
        return self.picked < HALF and not self.is_ice

    @property
    def typical(self) -> NDArray[np.bool_]:
        """``(n,)`` which members are as near to the middle as the kind as a whole must be."""
        return np.asarray(self.away <= SPREAD)


def search(
    pictures: Sequence[Picture], *, seed: int = 0, check: Callable[[], None] = lambda: None
) -> list[Kind]:
    """Return the kinds of objects that occur again and again, the largest first.

    Nothing is found on fewer than three pictures, nor where particles lie so close together
    that a picture without them is nowhere to be seen: its random phases have their energy too.

    Parameters
    ----------
    pictures
        Those with fewer than `LEAST_PIXELS` pixels a diameter are passed over.
    seed
        Of random phases and grouping.
    check
        Called before each picture, to be able to stop.
    """
    found, noise, steps = [], [], {}
    for number, one in enumerate(pictures):
        check()
        if one.px_per_diameter < LEAST_PIXELS:
            continue
        small, px, step = _at_working_size(one)
        rng = np.random.default_rng((seed, 53, number))
        found.append(find_candidates(small, number, px))
        noise.append(find_candidates(phase_randomised(small, rng), number, px))
        steps[number] = step
    if not found:
        return []
    places = Candidates.concat(found)
    if not len(places):
        return []
    image = places.image
    yx = places.yx * np.array([steps[k] for k in image.tolist()])
    picked = _picked(pictures, image, yx)
    chance = Candidates.concat(noise)
    groups = repeated_groups(places, chance, picked, seed)
    height = above_noise(places, chance) or 0.0
    return [
        Kind(
            image[g.members],
            yx[g.members],
            float(picked[g.members].mean()),
            g.of_noise,
            g.away,
            _opposite(pictures, places, yx, g.members, height),
        )
        for g in groups
    ]


def told_of(kinds: Sequence[Kind], job: str = "") -> str:
    """Return one sentence about the kinds and which of them is not picked; empty for none.

    Parameters
    ----------
    job
        What a training calls the job whose kinds they are.
    """
    if not kinds:
        return ""
    text = f"found {counted(len(kinds), 'kind')} of repeated objects"
    ice = [f"kind {number}" for number, kind in enumerate(kinds, 1) if kind.is_ice]
    text += f", {', '.join(ice)} being {ICE}" if ice else ""
    if len(ice) == len(kinds):
        return text
    missed = {number: kind for number, kind in enumerate(kinds, 1) if kind.is_missed}
    if not missed:
        others = "the others are" if ice else "all are" if len(kinds) > 1 else "it is"
        return f"{text}: {others} mostly picked"
    seen = [
        f"kind {number} ({len(kind)} seen, {kind.picked:.0%} of them picked)"
        for number, kind in missed.items()
    ]
    return (
        f"{text}; mostly not picked: {', '.join(seen)}: look in the report whether that is "
        f"a particle, and label some of it if so{offered(job, missed)}"
    )


def offered(job: str, numbers: Iterable[int]) -> str:
    """Return how a training takes kinds of a job; empty for a job without a name."""
    named = option("include", f"{job}:{','.join(map(str, numbers))}")
    return f", or train with {named}" if job else ""


def _at_working_size(one: Picture) -> tuple[NDArray[np.float32], float, tuple[float, float]]:
    """Return a picture with about `PIXELS` a diameter, these, and its pixels in the picture's."""
    pixels = np.ascontiguousarray(one.pixels, np.float32)
    factor = one.px_per_diameter / PIXELS
    if factor <= 1.05:
        return pixels, one.px_per_diameter, (1.0, 1.0)
    small, sampling = rescale(pixels, factor, 1.0, device=torch.device("cpu"))
    step = sampling.step_yx
    return small.numpy(), one.px_per_diameter / float(np.mean(step)), step


def _picked(pictures: Sequence[Picture], image: NDArray[np.int64], yx: Points) -> NDArray[np.bool_]:
    """Tell which places have a pick in reach."""
    picked = np.zeros(len(image), np.bool_)
    for number in np.unique(image).tolist():
        one, own = pictures[number], image == number
        picked[own] = nearest_distance(yx[own], one.picks_yx) <= ON * one.px_per_diameter
    return picked


def _opposite(
    pictures: Sequence[Picture],
    places: Candidates,
    yx: Points,
    members: NDArray[np.int64],
    height: float,
) -> float:
    """Return the `opposite_excess` of members among all places that are above noise.

    Parameters
    ----------
    yx
        ``(n, 2)`` the places in pixels of their pictures.
    members
        Which of the places.
    """
    own = np.zeros(len(places), np.bool_)
    own[members] = True
    each = []
    for number in np.unique(places.image[members]).tolist():
        here = (places.image == number) & (places.height > height)
        h, w = pictures[number].pixels.shape
        each.append((yx[here & own], yx[here], (int(h), int(w))))
    return opposite_excess(each)
