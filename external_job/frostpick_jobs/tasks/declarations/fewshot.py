"""``fewshot``: about fifteen exemplars in, picks on all micrographs and a model out."""

from frostpick.citations import BEPLER, XU
from frostpick.settings import FewshotSettings
from frostpick_jobs.tasks.declarations.kinds import (
    MICROGRAPH_TABLE,
    MICROGRAPHS,
    MODEL,
    REPORT,
    always,
)
from frostpick_jobs.tasks.declarations.spec import (
    InputKind,
    InputSpec,
    Method,
    OutputKind,
    OutputSpec,
    TaskSpec,
)

FEWSHOT = TaskSpec(
    name="fewshot",
    settings=FewshotSettings,
    inputs=(
        MICROGRAPHS,
        InputSpec(
            "labels",
            InputKind.EXEMPLARS,
            "File of about 15 particles marked on one micrograph (STAR, CSV, .box, Topaz text); "
            "may be repeated.",
            {
                "cryosparc": "About 15 particles of one micrograph, such as J12.particles of a "
                "Manual Picker.",
            },
            needed=always,
            was={"folder": ("exemplars",), "cryosparc": ("exemplars",)},
        ),
    ),
    outputs=(OutputSpec("picks", OutputKind.PICKS), MODEL, MICROGRAPH_TABLE, REPORT),
    run="frostpick_jobs.tasks.fewshot:run_fewshot",
    preflight="frostpick_jobs.tasks.preflight:before_fewshot",
    summary="Pick all micrographs from about fifteen labelled particles. An unfinished job "
    "goes on.",
    hints={
        "relion": "Pick micrographs from a few exemplars in a RELION External job.",
        "cryosparc": "Pick all micrographs from about fifteen labelled particles.",
    },
    citation=f"{XU}; {BEPLER}",
    methods=(
        Method("cryomae", frozenset({"encoder_size", "picking_rule"}), XU),
        Method("pu", citation=BEPLER),
    ),
    no_use={
        "encoder_size": "it is a size of cryoMAE's network",
        "picking_rule": "it is a rule for cryoMAE's scores",
    },
)
