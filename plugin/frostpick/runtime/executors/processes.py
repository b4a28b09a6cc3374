"""The engine of several devices: one process each, items dealt out as they are finished.

A connection to each process carries it all. From the parent come items and, last,
``None``; the end of the connection, also by the parent's death, means stop. To the
parent go results in the order of the items, records of the log, and at most one `Ending`.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import queue
import signal
import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain, islice
from multiprocessing import connection as connections
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import torch

from frostpick.errors import DeviceError, JobStopped
from frostpick.runtime.executors.base import Item, Resources, Result, Work, in_order, through
from frostpick.runtime.executors.transport import Ending, LogSender
from frostpick.runtime.reporter import Reporter, SilentReporter

log = logging.getLogger(__name__)

#: Signals that reach the whole group of processes and are the parent's to answer.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
#: Seconds between two looks at the parent while waiting for items.
PATIENCE = 0.2
#: Seconds that a process has to end by itself, e.g. to delete a download.
GRACE = 5.0


class ProcessExecutor:
    """Does items in several processes at a time; none is started for a single item.

    A script that uses it starts its own work below ``if __name__ == "__main__":``, as every
    process imports it.

    Parameters
    ----------
    devices
        One for each process.
    threads
        CPU threads, shared out among the processes that have an item.
    told
        Whether the log says on which devices they are.
    """

    def __init__(self, devices: Sequence[torch.device], threads: int, *, told: bool = True) -> None:
        self.devices, self.threads, self.told = tuple(devices), threads, told

    def run(
        self,
        work: Work[Item, Result],
        items: Iterable[Item],
        reporter: Reporter,
        *,
        ordered: bool = True,
    ) -> Generator[tuple[Item, Result], None, None]:
        """See `Executor.run`.

        Raises
        ------
        DeviceError
            A process died.
        FrostpickError, OSError, MemoryError, RuntimeError
            What ended the work of a process; its own traceback is the cause.
        """
        remaining = iter(items)
        first = list(islice(remaining, len(self.devices)))
        items = chain(first, remaining)
        if len(first) < 2:
            here = Resources.of(self.devices[0], self.threads)
            yield from through(work, items, here, reporter.check)
            return
        devices = self.devices[: len(first)]
        if self.told:
            named = ", ".join(str(device) for device in devices)
            log.info("%s on %s, one process each", work.doing, named)
        with closing(_Crew(work, devices, max(1, self.threads // len(devices)))) as crew:
            found = crew.finished(items, reporter)
            yield from in_order(found) if ordered else ((one, made) for _, one, made in found)


@dataclass
class _Member:
    device: torch.device
    process: BaseProcess
    connection: Connection
    given: deque[tuple[int, Any]] = field(default_factory=deque)  # sent and not yet come back
    told_end: bool = False


class _Crew:
    """The processes of a job, from their start to their end."""

    def __init__(self, work: Work[Any, Any], devices: Sequence[torch.device], threads: int) -> None:
        context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
        level = logging.getLogger("frostpick").getEffectiveLevel()
        self._died, self._members, self._count = work.died, list[_Member](), 0
        # One more than a process reads ahead, so that none waits for the next.
        self._most_given = Resources.of(devices[0], threads).readers + 2
        try:
            for device in devices:
                here, there = context.Pipe()
                told = (there, work, Resources.of(device, threads), level)
                process = context.Process(target=_serve, args=told, name=str(device))
                self._members.append(_Member(device, process, here))
                process.start()
                there.close()
        except BaseException:
            self.close()
            raise

    def finished(
        self, items: Iterable[Item], reporter: Reporter
    ) -> Iterator[tuple[int, Item, Any]]:
        """Yield number, item and result as they come."""
        remaining = iter(items)
        while True:
            reporter.check()
            for depth in range(1, self._most_given + 1):  # first one each, then a second
                for member in self._members:
                    self._deal(member, remaining, depth)
            waiting = {member.connection: member for member in self._members if member.given}
            if not waiting:
                return
            for ready in connections.wait(list(waiting), timeout=PATIENCE):
                member = waiting[ready]  # type: ignore[index]
                message = self._receive(member)
                if isinstance(message, logging.LogRecord):
                    logging.getLogger(message.name).handle(message)
                    continue
                number, item = member.given.popleft()
                yield number, item, message

    def _deal(self, member: _Member, remaining: Iterator[Item], depth: int) -> None:
        try:
            while len(member.given) < depth and not member.told_end:
                item = next(remaining, None)
                member.connection.send(item)
                member.told_end = item is None
                if item is not None:
                    member.given.append((self._count, item))
                    self._count += 1
        except OSError as error:
            if not member.given:
                raise self._death(member) from error
            # what it said last is still to be read

    def _receive(self, member: _Member) -> Any:
        try:
            message = member.connection.recv()
        except (EOFError, OSError) as error:
            raise self._death(member) from error
        if isinstance(message, Ending):
            trace = RuntimeError(f"in its process:\n{message.trace}")
            raise message.error(member.device) from trace
        return message

    def _death(self, member: _Member) -> DeviceError:
        member.process.join(GRACE)
        code = member.process.exitcode
        how = f"exit code {code}"
        if code is not None and code < 0:
            how = signal.Signals(-code).name
            if how == "SIGKILL":
                how += ", often for want of memory"
        return DeviceError(self._died.format(device=member.device, how=how))

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


def _serve(
    connection: Connection, work: Work[Any, Any], resources: Resources, log_level: int
) -> None:
    """Do what the connection brings until it says that there is no more, or ends."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    outbox, reporter = _Outbox(connection), SilentReporter()
    logger = logging.getLogger()
    logger.setLevel(log_level)
    logger.addHandler(LogSender(outbox.send))
    logging.captureWarnings(True)
    inbox: queue.Queue[Any] = queue.Queue()
    threading.Thread(target=_listen, args=(connection, inbox, reporter), daemon=True).start()
    try:
        if resources.device.type == "cuda":
            torch.cuda.set_device(resources.device)
        for _, made in through(work, _incoming(inbox, reporter), resources, reporter.check):
            outbox.send(made)
    except (JobStopped, BrokenPipeError, ConnectionResetError):
        return
    except BaseException as error:
        outbox.send(Ending.by(error))


def _listen(connection: Connection, inbox: queue.Queue[Any], reporter: SilentReporter) -> None:
    try:
        while (item := connection.recv()) is not None:
            inbox.put(item)
        inbox.put(None)
        connection.recv()  # nothing more is sent: this returns when the parent hangs up
    except (EOFError, OSError):
        reporter.stop_requested = True
        time.sleep(GRACE)
        os._exit(1)  # also out of a download that hangs: nobody is left to wait for it
    except Exception as error:  # an item that cannot be read here
        inbox.put(error)


def _incoming(inbox: queue.Queue[Any], reporter: SilentReporter) -> Iterator[Any]:
    while True:
        reporter.check()
        try:
            item = inbox.get(timeout=PATIENCE)
        except queue.Empty:
            continue
        if item is None:
            return
        if isinstance(item, Exception):
            raise item
        yield item


class _Outbox:
    """One sender at a time: results come from one thread, log records from any."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, message: object) -> None:
        with self._lock:
            self._connection.send(message)
