"""``RELION_OUTPUT_NODES.star``: the only way to tell RELION which outputs a job has."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from pathlib import Path

from frostpick.runtime.atomic import write_text
from frostpick_jobs.hosts.relion.generation import Generation

NODES_FILE = "RELION_OUTPUT_NODES.star"


class NodeKind(enum.Enum):
    """What an output is."""

    COORDINATES = "coordinates"
    LOGFILE = "logfile"
    MODEL = "model"
    PARTICLES = "particles"


#: Path below the job folder, and what it is.
Node = tuple[str, NodeKind]

# 3.1 knows no integer for a picker's model; 4 and 5 take any label, but what their GUI does at
# *Display* goes by words in it: a label without one of these words opens relion_display, which
# cannot read a model. The node is the model's card, which is text, and its label has the words
# of the one kind that is shown as text (`cat`). It begins with a word of ours, by which the GUI
# sorts nodes: no button offers it for another job.
_INTEGERS = {NodeKind.COORDINATES: 2, NodeKind.LOGFILE: 13, NodeKind.PARTICLES: 3}
_SHOWN_AS_TEXT = {
    Generation.RELION_4: "ProcessData.txt.relion.polish.params",
    Generation.RELION_5: "ParamsData.txt.relion.polish",
}
_MODEL = "FrostpickModel.json."
_LABELS = {
    Generation.RELION_4: {
        NodeKind.COORDINATES: "MicrographsCoords.star.relion",
        NodeKind.PARTICLES: "ParticlesData.star.relion",
        NodeKind.LOGFILE: "LogFile.pdf.relion",
        NodeKind.MODEL: _MODEL + _SHOWN_AS_TEXT[Generation.RELION_4],
    },
    Generation.RELION_5: {
        NodeKind.COORDINATES: "MicrographCoordsGroup.star.relion",
        NodeKind.PARTICLES: "ParticleGroupMetadata.star.relion",
        NodeKind.LOGFILE: "LogFile.pdf.relion",
        NodeKind.MODEL: _MODEL + _SHOWN_AS_TEXT[Generation.RELION_5],
    },
}
# What 3.1 prints for a label is one line on its terminal; it reads the integer.
_LABELS[Generation.RELION_3] = _LABELS[Generation.RELION_4]


def write_nodes(job: Path, prefix: str, nodes: Sequence[Node], generation: Generation) -> None:
    """Write the list of outputs, with an integer AND a label for each.

    Parameters
    ----------
    job
        The job folder.
    prefix
        The folder as RELION wrote it after ``--o``, with its slash.
    nodes
        ``(path below the job folder, kind)``; what a generation cannot name is left out.
    generation
        Whose labels to write.
    """
    lines = ["", "data_output_nodes", "", "loop_"]
    lines += ["_rlnPipeLineNodeName #1", "_rlnPipeLineNodeType #2", "_rlnPipeLineNodeTypeLabel #3"]
    for name, kind in nodes:
        if generation is Generation.RELION_3 and kind not in _INTEGERS:
            continue
        integer = _INTEGERS.get(kind, 99)
        lines.append(f"{prefix}{name} {integer} {_LABELS[generation][kind]}")
    write_text(job / NODES_FILE, "\n".join([*lines, ""]) + "\n")
