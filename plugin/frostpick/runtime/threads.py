"""How many CPU threads a job may use."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Mapping
from pathlib import Path

log = logging.getLogger(__name__)

CGROUP = Path("/sys/fs/cgroup")


def resolve_threads(wanted: int) -> int:
    """Return the number of threads to use.

    Parameters
    ----------
    wanted
        0: all that CPU affinity, control groups, ``SLURM_CPUS_PER_TASK`` and
        ``OMP_NUM_THREADS`` allow. A number: that many, but never more than affinity
        and control groups give, which would only be slower.
    """
    hard = _hard_limit()
    if wanted == 0:
        return min([hard, *_soft_limits(os.environ)])
    if wanted > hard:
        log.warning("%d threads were asked for and %d are available; %d used", wanted, hard, hard)
    return min(wanted, hard)


def _hard_limit() -> int:
    """Return the processors of this process: its affinity and the quotas of its control groups."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    limits = [affinity or 1, *_cgroup_limits(CGROUP, Path("/proc/self/cgroup"))]
    return max(1, min(limits))


def _soft_limits(environment: Mapping[str, str]) -> list[int]:
    limits = []
    for name in ("SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS"):
        value = environment.get(name, "").split(",")[0].strip()
        if value.isdigit() and int(value) > 0:
            limits.append(int(value))
    return limits


def _cgroup_limits(root: Path, membership: Path) -> list[int]:
    """Return the processor quotas of this process's control group and all above it, v2 and v1."""
    quotas = [root / "cpu/cpu.cfs_quota_us", root / "cpu.max"]
    for line in _read(membership).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            group = Path(path.lstrip("/"))
            quotas += [root / part / "cpu.max" for part in (group, *group.parents)]
        elif "cpu" in controllers.split(","):
            quotas.append(root / "cpu" / path.lstrip("/") / "cpu.cfs_quota_us")
    limits = []
    for file in quotas:
        if file.name == "cpu.max":
            quota, _, period = _read(file).strip().partition(" ")
        else:
            quota, period = _read(file).strip(), _read(file.with_name("cpu.cfs_period_us")).strip()
        if quota.isdigit() and period.isdigit() and int(period) > 0:
            limits.append(max(1, math.ceil(int(quota) / int(period))))
    return limits


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
