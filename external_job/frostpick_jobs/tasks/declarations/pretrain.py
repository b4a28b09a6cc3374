"""``pretrain``: simulated or unlabelled images in, what the other tasks start from out."""

from frostpick.citations import BEPLER, LI, XU
from frostpick.settings import PretrainSettings
from frostpick_jobs.tasks.declarations.kinds import MODEL, REPORT
from frostpick_jobs.tasks.declarations.spec import InputKind, InputSpec, Method, TaskSpec

PRETRAIN = TaskSpec(
    name="pretrain",
    settings=PretrainSettings,
    inputs=(
        InputSpec(
            "micrographs",
            InputKind.MICROGRAPHS,
            "Folder, pattern in quotes, file or list of any micrographs, without labels, for "
            "--method mae; simulated ones when left out; may be repeated.",
        ),
    ),
    outputs=(MODEL, REPORT),
    run="frostpick_jobs.tasks.pretrain:run_pretrain",
    summary="Pretrain what train, fewshot or prune start from. An unfinished pretraining goes on.",
    citation=f"{BEPLER}; {XU}; {LI}",
    methods=(
        Method("picker", frozenset({"corpus"}), BEPLER),
        Method("mae", frozenset({"encoder_size"}), XU),
        Method("pruner", frozenset({"corpus", "imagenet", "boxes"}), LI),
    ),
    no_use={
        "imagenet": "only a pruner starts from general images",
        "boxes": "only a pruner learns from boxes",
        "corpus": "windows are simulated, or read, as it goes",
        "encoder_size": "it is a size of the autoencoder",
    },
    hosts=("folder",),
)
