"""``pick``: micrographs and a model in, picks out."""

from frostpick.citations import BEPLER
from frostpick.settings import PickSettings
from frostpick_jobs.tasks.declarations.kinds import MICROGRAPH_TABLE, MICROGRAPHS, REPORT
from frostpick_jobs.tasks.declarations.spec import OutputKind, OutputSpec, TaskSpec

PICK = TaskSpec(
    name="pick",
    settings=PickSettings,
    inputs=(MICROGRAPHS,),
    outputs=(OutputSpec("picks", OutputKind.PICKS), MICROGRAPH_TABLE, REPORT),
    run="frostpick_jobs.tasks.pick.run:run_pick",
    preflight="frostpick_jobs.tasks.preflight:before_picking",
    summary="Pick particles on micrographs. Those that are done already are not picked again.",
    hints={
        "relion": "Pick micrographs in a RELION External job.",
        "cryosparc": "Pick the micrographs of a project.\n\n--model also takes a training job, "
        "such as J20.",
    },
    citation=BEPLER,
)
