"""Settings of ``prune``."""

from __future__ import annotations

from frostpick.settings.field import setting
from frostpick.settings.licence import LICENSE, Licence
from frostpick.settings.threshold import RULES, Threshold
from frostpick.settings.verify import VerifySettings


class PruneSettings(VerifySettings):
    """Options of ``prune``."""

    border: float = setting(
        0.0,
        "Reject centres nearer to an edge of the micrograph than this many diameters; 0 judges "
        "every row that the input holds, and 0.5 leaves out every particle that is cut.",
        "Pruning",
        unit="diameters",
        ge=0,
        le=5,
    )
    min_distance: float | None = setting(
        None,
        "Of two kept rows nearer than this in Angstrom the worse is a duplicate; 0 keeps both.",
        "Pruning",
        unset="the pruner's own",
        unit="A",
        ge=0,
    )
    threshold: Threshold = setting(
        Threshold.parse("auto"),
        f"{RULES}; all for the share of particles in the input.",
        "Pruning",
        was="keep_at",
        changes_results=False,
    )
    assume_mostly_particles: bool = setting(
        False,
        "Take the input for mostly particles and learn from it without labels what is odd in it.",
        "Pruning",
        was="mostly_good",
    )
    particle_fraction: float | None = setting(
        None,
        "Fraction of particles in the input.",
        "Pruning",
        unset="estimated from the scores",
        was="expected_good",
        gt=0,
        lt=1,
    )
    four_rotations: bool = setting(
        True,
        "Score the mean of four rotations of a box; without it, one look, which takes a quarter "
        "of the network's time.",
        "Pruning",
        advanced=True,
    )
    figure_of_merit: bool = setting(
        True,
        "Let the figure of merit that the input's picker gave count for half; without it, the "
        "images alone.",
        "Pruning",
        advanced=True,
    )
    license: Licence = setting(
        "", LICENSE, "Model", advanced=True, unset="not stated", changes_results=False
    )
    restart: bool = setting(
        False,
        "Throw away what an earlier run of this job has scored and fitted.",
        "Running",
        changes_results=False,
    )
