"""Picking on several GPUs: one process each, micrographs dealt out as they are finished."""

from __future__ import annotations

import logging
import multiprocessing
import signal
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain, islice
from multiprocessing import connection as connections
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import torch

import frostpick.errors
from frostpick.errors import DeviceError, FrostpickError
from frostpick.models.picking_model import PickingModel
from frostpick.picking.pick import MicrographFailure, MicrographPicks, pick_micrographs
from frostpick.picking.plan import PickPlan
from frostpick.picking.worker import GRACE, PATIENCE, Assignment, Ending, work
from frostpick.runtime.reporter import Reporter
from frostpick.types import Micrograph

log = logging.getLogger(__name__)

Found = MicrographPicks | MicrographFailure


def pick_on_devices(
    model: PickingModel, micrographs: Iterable[Micrograph], plan: PickPlan, reporter: Reporter
) -> Iterator[Found]:
    """Pick micrographs on all of the plan's devices.

    With one device the same as `pick_micrographs`. With several, each has a process of
    its own; the picks on a micrograph do not depend on which process had it, but results
    come in the order in which they are finished. No process outlives the iterator.

    Parameters
    ----------
    model, micrographs, plan, reporter
        As for `pick_micrographs`; sources of micrographs must be picklable. A script that
        calls this starts its own work below ``if __name__ == "__main__":``, as every
        process imports it.

    Yields
    ------
    MicrographPicks or MicrographFailure
        One for each micrograph.

    Raises
    ------
    DeviceError
        A process died.
    FrostpickError, OSError, MemoryError, RuntimeError
        What ended the work of a process; its own traceback is the cause.
    """
    remaining = iter(micrographs)
    first = list(islice(remaining, len(plan.devices)))
    micrographs = chain(first, remaining)
    if len(first) < 2:
        yield from pick_micrographs(model, micrographs, plan, reporter)
        return
    with closing(_Crew(model, plan, plan.devices[: len(first)])) as crew:
        yield from crew.pick(micrographs, reporter)


@dataclass
class _Member:
    device: torch.device
    process: BaseProcess
    connection: Connection
    given: int = 0  # micrographs given out and not yet come back
    told_end: bool = False


class _Crew:
    """The processes of a job, from their start to their end."""

    def __init__(
        self, model: PickingModel, plan: PickPlan, devices: tuple[torch.device, ...]
    ) -> None:
        context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
        level = logging.getLogger("frostpick").getEffectiveLevel()
        threads = max(1, plan.threads // len(devices))
        self._members: list[_Member] = []
        # One more than a process reads ahead, so that none waits for the next.
        readers = max(1, min(plan.readers, threads))
        self._most_given = readers + 2
        log.info("picking on %s, one process each", ", ".join(str(device) for device in devices))
        try:
            for device in devices:
                own = replace(
                    plan, device=device, devices=(device,), threads=threads, readers=readers
                )
                here, there = context.Pipe()
                process = context.Process(
                    target=work, args=(there, Assignment.of(model, own, level)), name=str(device)
                )
                self._members.append(_Member(device, process, here))
                process.start()
                there.close()
        except BaseException:
            self.close()
            raise

    def pick(self, micrographs: Iterable[Micrograph], reporter: Reporter) -> Iterator[Found]:
        remaining = iter(micrographs)
        while True:
            reporter.check()
            for member in self._members:
                self._deal(member, remaining)
            busy = [member for member in self._members if member.given]
            if not busy:
                return
            waiting = {member.connection: member for member in busy}
            for ready in connections.wait(list(waiting), timeout=PATIENCE):
                member = waiting[ready]  # type: ignore[index]
                message = _receive(member)
                if isinstance(message, logging.LogRecord):
                    logging.getLogger(message.name).handle(message)
                    continue
                member.given -= 1
                yield message

    def _deal(self, member: _Member, remaining: Iterator[Micrograph]) -> None:
        try:
            while member.given < self._most_given and not member.told_end:
                micrograph = next(remaining, None)
                member.connection.send(micrograph)
                member.told_end = micrograph is None
                member.given += not member.told_end
        except OSError as error:
            if not member.given:
                raise _death(member) from error
            # what it said last is still to be read

    def close(self) -> None:
        """Hang up, which stops the processes, and see them end."""
        for member in self._members:
            member.connection.close()
        started = [member.process for member in self._members if member.process.pid is not None]
        try:
            for process in started:
                process.join(GRACE)
        finally:
            for process in started:
                process.kill()
                process.join()
                process.close()


def _receive(member: _Member) -> Found | logging.LogRecord:
    try:
        message = member.connection.recv()
    except (EOFError, OSError) as error:
        raise _death(member) from error
    if isinstance(message, Ending):
        raise _error(message, member.device) from RuntimeError(f"in its process:\n{message.trace}")
    return message  # type: ignore[no-any-return]


def _error(ending: Ending, device: torch.device) -> BaseException:
    """Return the error that ended a process, as the same error in this one would be."""
    kind = getattr(frostpick.errors, ending.kind, None)
    if isinstance(kind, type) and issubclass(kind, FrostpickError):
        return kind(ending.text)
    if ending.system is not None:
        return OSError(ending.system[0], ending.text, ending.system[1])
    if ending.kind == "OutOfMemoryError":
        return DeviceError(f"{device} ran out of memory ({ending.text.splitlines()[0]})")
    if ending.kind == "MemoryError" or "allocate memory" in ending.text:
        return MemoryError(ending.text)
    return RuntimeError(f"{ending.kind}: {ending.text}")


def _death(member: _Member) -> DeviceError:
    member.process.join(GRACE)
    code = member.process.exitcode
    how = f"exit code {code}"
    if code is not None and code < 0:
        how = signal.Signals(-code).name
        if how == "SIGKILL":
            how += ", often for want of memory"
    return DeviceError(
        f"the process that picks on {member.device} died ({how}); what was picked is kept: "
        "continue the job, or name fewer GPUs with --device"
    )
