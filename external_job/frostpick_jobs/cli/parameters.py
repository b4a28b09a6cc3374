"""Parameters that several commands share; those of settings come from the settings classes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path, typer.Option("-o", "--out", help="Folder for the results.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]

Micrographs = Annotated[
    list[str],
    typer.Option(
        "--micrographs",
        help="Folder, pattern in quotes, file or list (.star, .txt) of micrographs; "
        "may be repeated.",
    ),
]
PickedMicrographs = Annotated[
    list[str] | None,
    typer.Option(
        "--micrographs",
        help="Micrographs that the picks lie on: folder, pattern in quotes, file or list; "
        "may be repeated.",
    ),
]
Picks = Annotated[
    list[str] | None,
    typer.Option("--picks", help="Picks of any program: file, folder or pattern; may be repeated."),
]
ParticlesFile = Annotated[
    Path | None,
    typer.Option("--particles", help="Extracted particles: a particles STAR file, or a .mrcs."),
]

# On a CryoSPARC server.
Url = Annotated[
    str | None,
    typer.Option("--url", help="CryoSPARC, such as http://host:39000; else CRYOSPARC_BASE_URL."),
]
Project = Annotated[str, typer.Option("--project", help="Project, such as P3.")]
Workspace = Annotated[
    str | None, typer.Option("--workspace", help="Workspace to make the job in, such as W1.")
]
Job = Annotated[
    str | None,
    typer.Option(
        "--job", help="An External job made and connected in the web page, or one to resume."
    ),
]
Title = Annotated[str, typer.Option("--title", help="Title of the job.")]
Blob = Annotated[
    str,
    typer.Option("--blob", help="Slot of the image to read, such as micrograph_blob_non_dw."),
]
FlipY = Annotated[
    bool,
    typer.Option(
        "--flip-y",
        help="Mirror picks top to bottom: for images that another program read from TIFF movies.",
    ),
]
Spool = Annotated[
    Path | None,
    typer.Option("--spool", help="Folder of this machine for results that are not saved yet."),
]
MicrographOutputs = Annotated[
    list[str] | None,
    typer.Option("--micrographs", help="Output of a job, such as J10.exposures; may be repeated."),
]
ParticleOutputs = Annotated[
    list[str] | None,
    typer.Option("--particles", help="Output with picks or particles, such as J12.particles."),
]
BoxOutputs = Annotated[
    list[str] | None,
    typer.Option(
        "--micrographs",
        help="Cut the boxes from these, such as J10.exposures, for picks without images.",
    ),
]
