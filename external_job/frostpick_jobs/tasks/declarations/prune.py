"""``prune``: picks or particles in, every row kept or rejected."""

from frostpick.citations import LI
from frostpick.settings import PruneSettings
from frostpick_jobs.tasks.declarations.kinds import PICKS, REPORT, UNDER_PICKS, particles
from frostpick_jobs.tasks.declarations.spec import (
    HOSTS,
    InputKind,
    InputSpec,
    OutputKind,
    OutputSpec,
    TaskSpec,
)

PRUNE = TaskSpec(
    name="prune",
    settings=PruneSettings,
    inputs=(
        UNDER_PICKS,
        PICKS,
        particles("prune"),
        InputSpec(
            "labels",
            InputKind.EXAMPLES,
            "Known particles, 20 are a start: picks or particles STAR.",
            {
                "relion": "Known particles: a particles or coordinates STAR file, as the input is.",
                "cryosparc": "Known particles, such as J14.particles_selected.",
            },
            was={host: ("good",) for host in HOSTS},
        ),
        InputSpec(
            "bad",
            InputKind.EXAMPLES,
            "Known non-particles; rest takes all input that is not among the labels.",
            {
                "cryosparc": "Known non-particles, such as J14.particles_excluded; rest takes all "
                "that is not among the labels.",
            },
            rest="labels",
        ),
    ),
    one_of=(("picks", "micrographs"), ("particles",)),
    outputs=(
        OutputSpec("kept", OutputKind.KEPT_ROWS, ("picks", "particles")),
        OutputSpec("pruner", OutputKind.MODEL),
        REPORT,
    ),
    run="frostpick_jobs.tasks.prune.run:run_prune",
    preflight="frostpick_jobs.tasks.preflight:before_pruning",
    summary="Keep the particles among picks or extracted particles. The others get a reason.",
    hints={
        "relion": "Prune coordinates or particles in a RELION External job.",
        "cryosparc": "Split particles into kept and rejected ones.\n\nEvery other slot passes "
        "through. --pruner also takes an earlier pruning job, such as J30.",
    },
    citation=LI,
)
