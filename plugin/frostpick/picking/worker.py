"""The process that picks on one of several GPUs: what it is told, and what it tells.

A connection carries it all. From the parent come micrographs and, last, ``None``; the
end of the connection, also by the parent's death, means stop. To the parent go results,
records of the log, and at most one `Ending`. The process keeps nothing: results are
stored by the parent, so that it may be killed at any time.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection

import torch
from numpy.typing import NDArray

import frostpick.errors
from frostpick.errors import FrostpickError, JobStopped
from frostpick.models.card import ModelCard
from frostpick.models.picking_model import PickingModel
from frostpick.picking.pick import pick_micrographs
from frostpick.picking.plan import PickPlan
from frostpick.runtime.reporter import SilentReporter
from frostpick.types import Micrograph

#: Signals that reach the whole group of processes and are the parent's to answer.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
#: Seconds between two looks at the parent while waiting for micrographs.
PATIENCE = 0.2
#: Seconds that a process has to end by itself, e.g. to delete a download.
GRACE = 5.0


@dataclass(frozen=True)
class Assignment:
    """All that a process needs before its first micrograph; plain values.

    Parameters
    ----------
    card, tensors
        The model: its card as JSON, and its tensors.
    plan
        With the one device of this process.
    log_level
        Lowest level of the log records that the parent wants.
    """

    card: str
    tensors: dict[str, NDArray]  # type: ignore[type-arg]
    plan: PickPlan
    log_level: int

    @classmethod
    def of(cls, model: PickingModel, plan: PickPlan, log_level: int) -> Assignment:
        """Take a model apart."""
        tensors = {name: tensor.numpy() for name, tensor in model.tensors().items()}
        return cls(model.card.canonical(), tensors, plan, log_level)

    def model(self) -> PickingModel:
        """Put the model together again."""
        tensors = {name: torch.from_numpy(array) for name, array in self.tensors.items()}
        return PickingModel.build(ModelCard.model_validate_json(self.card), tensors)


@dataclass(frozen=True)
class Ending:
    """Why a process ended before its work was done.

    Parameters
    ----------
    kind
        Class of the error.
    text
        Its message.
    trace
        Its traceback.
    system
        ``errno`` and file name of an `OSError`.
    """

    kind: str
    text: str
    trace: str
    system: tuple[int, str | None] | None = None

    @classmethod
    def by(cls, error: BaseException) -> Ending:
        """Describe an error in plain values: not every exception survives the way."""
        kind, text, system = type(error).__name__, str(error), None
        if isinstance(error, FrostpickError):
            # one with a constructor of its own is told as its base, by its sentence
            known = getattr(frostpick.errors, kind, None) is type(error)
            plain = type(error).__init__ is FrostpickError.__init__
            kind = kind if known and plain else "FrostpickError"
        if isinstance(error, OSError) and error.errno is not None:
            name = None if error.filename is None else str(error.filename)
            kind, text, system = "OSError", error.strerror or text, (error.errno, name)
        return cls(kind, text, "".join(traceback.format_exception(error)), system)


def work(connection: Connection, assignment: Assignment) -> None:
    """Pick what the connection brings until it says that there is no more, or ends."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    outbox, reporter = _Outbox(connection), SilentReporter()
    logger = logging.getLogger()
    logger.setLevel(assignment.log_level)
    logger.addHandler(_ToParent(outbox))
    inbox: queue.Queue[Micrograph | None] = queue.Queue()
    threading.Thread(target=_listen, args=(connection, inbox, reporter), daemon=True).start()
    try:
        device = assignment.plan.device
        if device.type == "cuda":
            torch.cuda.set_device(device)
        micrographs = _incoming(inbox, reporter)
        for found in pick_micrographs(assignment.model(), micrographs, assignment.plan, reporter):
            outbox.send(found)
    except (JobStopped, BrokenPipeError, ConnectionResetError):
        return
    except BaseException as error:
        outbox.send(Ending.by(error))


def _listen(
    connection: Connection, inbox: queue.Queue[Micrograph | None], reporter: SilentReporter
) -> None:
    try:
        while (micrograph := connection.recv()) is not None:
            inbox.put(micrograph)
        inbox.put(None)
        connection.recv()  # nothing more is sent: this returns when the parent hangs up
    except (EOFError, OSError):
        reporter.stop_requested = True
        time.sleep(GRACE)
        os._exit(1)  # also out of a download that hangs: nobody is left to wait for it


def _incoming(
    inbox: queue.Queue[Micrograph | None], reporter: SilentReporter
) -> Iterator[Micrograph]:
    while True:
        reporter.check()
        try:
            micrograph = inbox.get(timeout=PATIENCE)
        except queue.Empty:
            continue
        if micrograph is None:
            return
        yield micrograph


class _Outbox:
    """One sender at a time: results come from one thread, log records from any."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, message: object) -> None:
        with self._lock:
            self._connection.send(message)


class _ToParent(logging.Handler):
    def __init__(self, outbox: _Outbox) -> None:
        super().__init__()
        self._outbox = outbox

    def emit(self, record: logging.LogRecord) -> None:
        plain = {"name": record.name, "levelno": record.levelno, "levelname": record.levelname}
        try:
            self._outbox.send(logging.makeLogRecord({**plain, "msg": record.getMessage()}))
        except OSError:
            pass  # the parent has gone; whoever works will notice
