"""Rows of the inputs of an External job, and of outputs of other jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from frostpick_jobs.hosts.cryosparc.read.exposures import ORIGINAL
from frostpick_jobs.hosts.cryosparc.server.connect import Server
from frostpick_jobs.hosts.cryosparc.server.job_view import InputView, Link, OutputView

OPTIONAL_EXPOSURE_SLOTS = ("mscope_params", "ctf")
OPTIONAL_PARTICLE_SLOTS = ("alignments2D",)
#: Where a picker's figure of merit is.
PICK_STATS = "pick_stats"


def exposure_slots(available: Sequence[str], image_slot: str) -> list[str]:
    """Return the slots to load of an exposure output or connection."""
    optional = [slot for slot in OPTIONAL_EXPOSURE_SLOTS if slot in available]
    return list(dict.fromkeys((ORIGINAL, image_slot, *optional)))


def particle_slots(available: Sequence[str]) -> list[str]:
    """Return the slots to load of a particle output or connection."""
    return ["location", *(slot for slot in OPTIONAL_PARTICLE_SLOTS if slot in available)]


def pruned_slots(available: Sequence[str], image: str, also: Sequence[str] = ()) -> list[str]:
    """Return the slots to load of particles to prune, ``image`` being what boxes are made from."""
    wanted = ("location", *OPTIONAL_PARTICLE_SLOTS, *also)
    return list(dict.fromkeys((image, *(slot for slot in wanted if slot in available))))


def load_output(server: Server, project: str, link: Link | Any, slots: Sequence[str]) -> Any:
    """Return slots of a job's output as a ``Dataset``."""
    client = server.client
    return server.call(
        f"load {link}",
        lambda: client.find_job(project, link.job).load_output(link.output, slots=list(slots)),
    )


def load_parts(
    server: Server, project: str, job: Any, view: InputView, slots_of: Any
) -> dict[str, Any]:
    """Return the rows of an input, by connection.

    All at once from the input where its connections offer the same slots; else from
    each source, so that a slot that only some sessions have is not lost for them.

    Parameters
    ----------
    job
        The client's job controller.
    slots_of
        Available slots -> slots to load.
    """
    wanted = [tuple(slots_of(tuple(link.slots))) for link in view.links]
    if len(set(wanted)) == 1:
        name = " + ".join(str(link) for link in view.links)
        loaded = server.call(
            f"load input {view.name}", lambda: job.load_input(view.name, slots=list(wanted[0]))
        )
        return {name: loaded}
    return {
        str(link): load_output(server, project, link, slots)
        for link, slots in zip(view.links, wanted, strict=True)
    }


def filled_slots(output: OutputView) -> tuple[str, ...]:
    """Return the slots of an output that have data."""
    return tuple(slot for slot in output.slots if slot in output.filled)
