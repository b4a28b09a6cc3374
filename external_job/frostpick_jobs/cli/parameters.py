"""Parameters beside inputs and settings, which come from the declarations: a host's extras."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path, typer.Option("-o", "--out", help="Folder for the results.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace files that are there and not its own.")
]

# On a CryoSPARC server.
#: The image that ``--blob`` reads when it is not given.
ORIGINAL = "micrograph_blob"
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
Download = Annotated[
    bool,
    typer.Option("--download", help="Download micrographs, also where the project is mounted."),
]
Mapped = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        help="Where a folder of the server is on this machine, such as /bulk=/mnt/bulk; repeat it "
        "for others.",
    ),
]
IgnoreVersion = Annotated[
    bool,
    typer.Option(
        "--ignore-version",
        help="Go on where cryosparc-tools is not of the server's version, with a warning.",
    ),
]
