"""``verify``: picks or particles in, every row out with its score and spread."""

from frostpick.citations import LI, ZHU
from frostpick.settings import VerifySettings
from frostpick_jobs.tasks.declarations.kinds import PICKS, REPORT, UNDER_PICKS, particles
from frostpick_jobs.tasks.declarations.spec import OutputKind, OutputSpec, TaskSpec

VERIFY = TaskSpec(
    name="verify",
    settings=VerifySettings,
    inputs=(UNDER_PICKS, PICKS, particles("score")),
    one_of=(("picks", "micrographs"), ("particles",)),
    outputs=(
        OutputSpec("verified", OutputKind.SCORED_ROWS, ("picks", "particles")),
        REPORT,
    ),
    run="frostpick_jobs.tasks.prune.run:run_verify",
    preflight="frostpick_jobs.tasks.preflight:before_pruning",
    summary="Score picks by mean and spread over four rotations. No row is dropped.",
    hints={
        "relion": "Score coordinates or particles in a RELION External job.",
        "cryosparc": "Score particles by mean and spread over four rotations."
        "\n\nNo row is dropped. Inspect Picks then cuts by the probability (NCC score) and by the "
        "spread (power). "
        "--pruner also takes a pruning job, such as J30.",
    },
    citation=f"{ZHU}; {LI}",
)
