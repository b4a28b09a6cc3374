"""What `frostpick_jobs.cli.relion` guards: read the command line, run the task in its host."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from frostpick._version import __version__
from frostpick.config import (
    FewshotSettings,
    IterateSettings,
    PickSettings,
    PruneSettings,
    Settings,
    TrainSettings,
    VerifySettings,
    resolve,
)
from frostpick.errors import ConfigError
from frostpick_jobs.cli.options import add_argparse_options, values_from_namespace
from frostpick_jobs.hosts.relion.arguments import JobArguments, JobParser, job_arguments
from frostpick_jobs.job.spelling import SpelledFormatter

logger = logging.getLogger(__name__)

#: Exit status of a program that found its job already running.
BUSY = 75

_KINDS: dict[str, type[Settings]] = {
    "train": TrainSettings,
    "iterate": IterateSettings,
    "pick": PickSettings,
    "fewshot": FewshotSettings,
    "prune": PruneSettings,
    "verify": VerifySettings,
}
#: Labels that name files, beside the settings of a task.
_FILES: dict[str, Mapping[str, str]] = {
    "prune": {
        "good": "Known particles: a particles or coordinates STAR file, as the input is.",
        "bad": "Known non-particles; rest takes all input that is not good.",
    },
}
_EPILOG = (
    "Every option is a parameter label of the External job, without its dashes. "
    "Yes and no are values of switches; an empty value is as if the label was not given. "
    "Filaments are not supported yet."
)


def run_relion_job(
    task: Literal["train", "iterate", "pick", "fewshot", "prune", "verify"], argv: Sequence[str]
) -> int:
    """Run one External job and return the exit status of the program."""
    log_to_run_files()
    arguments, settings = read_command_line(task, argv)
    logger.info("frostpick %s: %s in %s", __version__, task, arguments.prefix)
    needed = () if task == "pick" else ("in_coords", "in_parts")
    for name in arguments.unused(needed):
        logger.warning("input --%s is not used by this job", name)
    from frostpick_jobs.hosts.relion.host import RelionHost
    from frostpick_jobs.job.lifecycle import run_job
    from frostpick_jobs.tasks import run_fewshot, run_iterate, run_pick, run_train

    if isinstance(settings, PruneSettings):
        return _prune(arguments, settings)
    if isinstance(settings, VerifySettings):
        return _verify(arguments, settings)
    if isinstance(settings, TrainSettings):
        training, iterating = settings, isinstance(settings, IterateSettings)
        host = RelionHost(
            arguments,
            labelled=settings.start_from == "none",
            pixel_size_A=training.pixel_size,
            picks_pixel_size_A=training.picks_pixel_size,
        )
        run = run_iterate if iterating else run_train
        status = run_job(host, lambda: run(host, training), debug=arguments.debug)
    elif isinstance(settings, FewshotSettings):
        few = settings
        host = RelionHost(
            arguments,
            labelled=True,
            pixel_size_A=few.pixel_size,
            picks_pixel_size_A=few.picks_pixel_size,
        )
        status = run_job(host, lambda: run_fewshot(host, few), debug=arguments.debug)
    else:
        assert isinstance(settings, PickSettings)
        picking = settings
        host = RelionHost(arguments)
        status = run_job(host, lambda: run_pick(host, picking), debug=arguments.debug)
    # Not ended means never begun: another process works in this folder, and ends its job itself.
    return status if host.ended else BUSY


def _prune(arguments: JobArguments, settings: PruneSettings) -> int:
    from frostpick_jobs.hosts.relion.prune_host import RelionPruneHost
    from frostpick_jobs.job.lifecycle import run_job
    from frostpick_jobs.tasks.prune.run import run_prune

    files = arguments.files
    host = RelionPruneHost(
        arguments,
        good=files.get("good"),
        bad=files.get("bad"),
        pixel_size_A=settings.pixel_size,
    )
    status = run_job(host, lambda: run_prune(host, settings), debug=arguments.debug)
    return status if host.ended else BUSY


def _verify(arguments: JobArguments, settings: VerifySettings) -> int:
    from frostpick_jobs.hosts.relion.verify_host import RelionVerifyHost
    from frostpick_jobs.job.lifecycle import run_job
    from frostpick_jobs.tasks.prune.run import run_verify

    host = RelionVerifyHost(arguments, pixel_size_A=settings.pixel_size)
    status = run_job(host, lambda: run_verify(host, settings), debug=arguments.debug)
    return status if host.ended else BUSY


def read_command_line(task: str, argv: Sequence[str]) -> tuple[JobArguments, Settings]:
    """Return RELION's arguments and the resolved settings.

    Precedence, rising: defaults, RELION's ``--j``, the YAML file, the labels.

    Raises
    ------
    ConfigError
        An unknown label, a wrong value or an unreadable YAML file.
    """
    kind = _KINDS[task]
    parser = JobParser(prog=f"frostpick-relion-{task}", epilog=_EPILOG)
    parser.add_argument("--version", action="version", version=__version__)
    add_argparse_options(parser, kind)
    files = _FILES.get(task, {})
    for name, text in files.items():
        parser.add_argument(f"--{name}", metavar="FILE", nargs="?", help=text)
    namespace = parser.read(argv)
    arguments = job_arguments(namespace, files)
    typed = values_from_namespace(namespace, kind)
    if arguments.device is not None:
        if typed.get("device", arguments.device) != arguments.device:
            raise ConfigError(
                f"labels gpu {arguments.device!r} and device {typed['device']!r} differ; give one"
            )
        typed["device"] = arguments.device
    layers: list[tuple[str, Mapping[str, Any]]] = [
        ("number of threads (--j)", {"threads": arguments.threads})
    ]
    if arguments.config is not None:
        from frostpick_jobs.cli.config_file import read_config

        layers.append((arguments.config, read_config(Path(arguments.config))))
    return arguments, resolve(kind, *layers, ("parameter labels", typed))


def log_to_run_files() -> None:
    """Send news to standard output (``run.out``), warnings and errors to ``run.err``."""
    out = logging.StreamHandler(sys.stdout)
    out.addFilter(lambda record: record.levelno < logging.WARNING)
    err = logging.StreamHandler(sys.stderr)
    err.setLevel(logging.WARNING)
    for handler in (out, err):
        handler.setFormatter(SpelledFormatter("relion", "%(asctime)s %(message)s", "%H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [out, err]
    root.setLevel(logging.WARNING)
    for package in ("frostpick", "frostpick_jobs"):
        logging.getLogger(package).setLevel(logging.INFO)
    logging.captureWarnings(True)
