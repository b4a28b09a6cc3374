"""``iterate``: labels or a model in, rounds of picking, verifying and training, a model out."""

from dataclasses import replace

from frostpick.citations import BEPLER, ZHU
from frostpick.settings import IterateSettings
from frostpick_jobs.tasks.declarations.kinds import (
    FILES,
    MICROGRAPHS,
    MODEL,
    PICKED_OR_EXTRACTED,
    REPORT,
)
from frostpick_jobs.tasks.declarations.spec import InputKind, InputSpec, TaskSpec
from frostpick_jobs.tasks.declarations.train import from_nothing

ITERATE = TaskSpec(
    name="iterate",
    settings=IterateSettings,
    inputs=(
        MICROGRAPHS,
        InputSpec(
            "labels",
            InputKind.LABELS,
            "File, folder or pattern of picks to begin with; may be repeated, and left out where "
            "--start-model names a model.",
            {"cryosparc": PICKED_OR_EXTRACTED},
            needed=from_nothing,
            was={"folder": ("picks",), "cryosparc": ("particles", "picks")},
        ),
    ),
    outputs=(MODEL, replace(FILES, files=("rounds.csv", "repeated_objects.csv")), REPORT),
    run="frostpick_jobs.tasks.iterate:run_iterate",
    preflight="frostpick_jobs.tasks.preflight:before_iterating",
    summary="Train in rounds: pick, verify every pick, learn from them. Unfinished rounds go on.",
    hints={
        "relion": "Train a picking model in rounds in a RELION External job.",
        "cryosparc": "Train in rounds: pick, verify the picks, learn from them.\n\n--labels "
        "may be left out. Without them a model is needed to start from. --pruner also "
        "takes a pruning job, such as J30.",
    },
    citation=f"{ZHU}; {BEPLER}",
)
