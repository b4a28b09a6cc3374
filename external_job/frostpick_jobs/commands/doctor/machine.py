"""What this machine, and the batch system, give to a job: devices and threads."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator

import torch

from frostpick.runtime.device import resolve_device
from frostpick.runtime.precision import native_precision
from frostpick.runtime.threads import resolve_threads
from frostpick_jobs.commands.doctor.finding import Finding, do, note, ok
from frostpick_jobs.job.slurm import slurm_job

SECONDS = 10.0
#: Of a machine with more processors than this, one thread is an oversight.
FEW = 4


def look_at_devices() -> Iterator[Finding]:
    """Tell what torch computes on, and whether a GPU is there that it cannot use."""
    driver = _drivers()
    device = resolve_device("auto")
    precision = native_precision(device)
    if device.type == "cuda":
        count = torch.cuda.device_count()
        names = ", ".join(torch.cuda.get_device_name(n) for n in range(count))
        yield ok(
            f"{count} GPU: {names}; CUDA {torch.version.cuda}, driver {driver or 'not told'}; "
            f"networks compute in {precision}"
        )
        return
    yield ok(f"no GPU in use; networks compute on the CPU in {precision}")
    if driver is None:
        return
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and hidden.strip() in ("", "-1"):
        yield note("a GPU is here, and CUDA_VISIBLE_DEVICES hides it from this process")
    else:
        built = torch.version.cuda
        why = f"is built for CUDA {built}" if built else "is built for the CPU alone"
        yield do(
            f"a GPU is here (driver {driver}) and torch {torch.__version__}, which {why}, "
            "cannot use it; install a torch that fits the driver"
        )


def look_at_threads() -> Iterator[Finding]:
    """Tell how many threads SLURM, control groups and affinity grant."""
    threads, processors = resolve_threads(0), os.cpu_count() or 1
    told = ", ".join(
        f"{name}={os.environ[name]}"
        for name in ("SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS")
        if os.environ.get(name)
    )
    job = slurm_job()
    where = f"{platform.node()}, {f'SLURM job {job}' if job else 'in no SLURM job'}"
    text = f"{threads} of {processors} processors for a job here ({where}"
    text += f"; {told})" if told else ")"
    if threads == 1 and processors > FEW:
        yield note(f"{text}: ask for more, in SLURM with --cpus-per-task")
    else:
        yield ok(text)


def _drivers() -> str | None:
    """Return the version of the GPUs' driver; None without a GPU."""
    words = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return next(iter(done.stdout.split()), None)
