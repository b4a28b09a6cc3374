"""Inputs and outputs that several tasks share."""

from frostpick_jobs.tasks.declarations.spec import (
    InputKind,
    InputSpec,
    OutputKind,
    OutputSpec,
)


def always(settings: object) -> bool:
    """Say that a task cannot do without an input."""
    return True


MICROGRAPHS = InputSpec(
    "micrographs",
    InputKind.MICROGRAPHS,
    "Folder, pattern in quotes, file or list (.star, .txt) of micrographs; may be repeated.",
    {"cryosparc": "Output of a job, such as J10.exposures; may be repeated."},
    needed=always,
)
#: Of a task that decides on rows.
UNDER_PICKS = InputSpec(
    "micrographs",
    InputKind.MICROGRAPHS,
    "Micrographs that the picks lie on: folder, pattern in quotes, file or list; may be repeated.",
    {
        "cryosparc": "Cut the boxes from these, such as J10.exposures, for picks without images.",
    },
)
PICKS = InputSpec(
    "picks",
    InputKind.PICKS,
    "Picks of any program: file, folder or pattern; may be repeated.",
)
PICKED_OR_EXTRACTED = "Output with picks or particles, such as J12.particles."

REPORT = OutputSpec("report", OutputKind.REPORT)
FILES = OutputSpec("files", OutputKind.FILES, files=("repeated_objects.csv",))
MICROGRAPH_TABLE = OutputSpec(
    "files", OutputKind.FILES, files=("micrographs.csv", "repeated_objects.csv")
)
MODEL = OutputSpec("model", OutputKind.MODEL)


def particles(to_do: str) -> InputSpec:
    """Return the input of extracted particles of a task; ``to_do``: "prune", "score"."""
    return InputSpec(
        "particles",
        InputKind.PARTICLES,
        "Extracted particles: a particles STAR file, or a .mrcs.",
        {"cryosparc": f"Particles to {to_do}, such as J12.particles."},
    )
