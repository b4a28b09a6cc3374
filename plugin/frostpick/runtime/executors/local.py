"""The engine of this machine: in this process on one device, else a process each."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from functools import cached_property

import torch

from frostpick.runtime.device import resolve_devices
from frostpick.runtime.executors.base import Executor, Item, Resources, Result, Work
from frostpick.runtime.executors.inline import InlineExecutor
from frostpick.runtime.executors.processes import ProcessExecutor
from frostpick.runtime.reporter import Reporter
from frostpick.runtime.threads import resolve_threads


class LocalExecutor:
    """The default: the devices and threads that a user's settings name.

    They are looked for when they are first asked for; a wrong one is an error then.

    Parameters
    ----------
    device, threads
        As `resolve_devices` and `resolve_threads` take them.
    most
        Of the devices named only so many are used.
    """

    def __init__(self, device: str, threads: int, *, most: int | None = None) -> None:
        self._asked = (device, threads, most)

    @cached_property
    def _chosen(self) -> Executor:
        device, asked, most = self._asked
        devices = resolve_devices(device)[:most]
        threads = resolve_threads(asked)
        if len(devices) == 1:
            return InlineExecutor(Resources.of(devices[0], threads))
        return ProcessExecutor(devices, threads)

    @property
    def devices(self) -> Sequence[torch.device]:
        """The devices that were found."""
        return self._chosen.devices

    @property
    def threads(self) -> int:
        """CPU threads of all processes together."""
        return self._chosen.threads

    def run(
        self,
        work: Work[Item, Result],
        items: Iterable[Item],
        reporter: Reporter,
        *,
        ordered: bool = True,
    ) -> Generator[tuple[Item, Result], None, None]:
        """See `Executor.run`."""
        return self._chosen.run(work, items, reporter, ordered=ordered)
