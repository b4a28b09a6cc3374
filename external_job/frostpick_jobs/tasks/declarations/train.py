"""``train``: micrographs and labels in, a picking model out."""

from frostpick.citations import BEPLER
from frostpick.settings import TrainSettings
from frostpick_jobs.tasks.declarations.kinds import (
    FILES,
    MICROGRAPHS,
    MODEL,
    PICKED_OR_EXTRACTED,
    REPORT,
)
from frostpick_jobs.tasks.declarations.spec import InputKind, InputSpec, TaskSpec


def from_nothing(settings: TrainSettings) -> bool:
    """Tell whether a training starts from no model, so that it needs labels."""
    return settings.start_model == "none"


TRAIN = TaskSpec(
    name="train",
    settings=TrainSettings,
    inputs=(
        MICROGRAPHS,
        InputSpec(
            "labels",
            InputKind.LABELS,
            "File, folder or pattern of picks to learn from (STAR, CSV, .box, Topaz text); may "
            "be repeated. Without it the start model learns from its own picks.",
            {"cryosparc": PICKED_OR_EXTRACTED},
            needed=from_nothing,
            was={"folder": ("picks",), "cryosparc": ("particles", "picks")},
        ),
    ),
    outputs=(MODEL, FILES, REPORT),
    run="frostpick_jobs.tasks.train:run_train",
    preflight="frostpick_jobs.tasks.preflight:before_training",
    summary="Train a picking model from incomplete picks, or from none. An unfinished training "
    "goes on.",
    hints={
        "relion": "Train a picking model in a RELION External job.",
        "cryosparc": "Train a picking model on picks or particles of a project.",
    },
    citation=BEPLER,
)
