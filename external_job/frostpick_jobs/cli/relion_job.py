"""What `frostpick_jobs.cli.relion` guards: read the command line, run the task in its host."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from frostpick._version import __version__
from frostpick.errors import ConfigError
from frostpick.settings import RunSettings
from frostpick_jobs.cli.notes import send_log_to
from frostpick_jobs.cli.options import add_argparse_options, values_from_namespace
from frostpick_jobs.cli.site_file import log_site, task_settings
from frostpick_jobs.cli.task_inputs import inputs_on
from frostpick_jobs.hosts.relion.arguments import JobArguments, JobParser, job_arguments
from frostpick_jobs.job.endings import USAGE, help_text
from frostpick_jobs.job.spelling import SpelledFormatter, in_relion
from frostpick_jobs.tasks.declarations import InputKind, TaskSpec, inputs_of_today, tasks_on

logger = logging.getLogger(__name__)

#: Of `run_relion_job`: the job runs already, in another process that ends it itself.
BUSY = 75

#: Kinds of input that come through a field of the External job.
_FIELDS = {
    "in_coords": (InputKind.LABELS, InputKind.EXEMPLARS, InputKind.PICKS),
    "in_parts": (InputKind.LABELS, InputKind.EXEMPLARS, InputKind.PARTICLES),
}
_EPILOG = (
    "Every option is a parameter label of the External job, without its dashes. "
    "Yes and no are values of switches; an empty value is as if the label was not given. "
    "Filaments are not supported yet. "
)


def run_relion_job(name: str, argv: Sequence[str]) -> int:
    """Run the External job of a task and return the exit status of the program."""
    tasks = {task.name: task for task in tasks_on("relion")}
    if name not in tasks:
        print(f"frostpick: the first word is one of {', '.join(tasks)}", file=sys.stderr)
        return USAGE
    log_to_run_files()
    return run_task(tasks[name], argv)


def run_task(task: TaskSpec, argv: Sequence[str]) -> int:
    """Run a task in its External job and return the exit status of the program."""
    arguments, settings = read_command_line(task, argv)
    logger.info("frostpick %s: %s in %s", __version__, task.name, arguments.prefix)
    for name in unused_fields(task, arguments):
        logger.warning("%s is not used by this job", in_relion(name))
    from frostpick_jobs.hosts.relion.host import RelionHost
    from frostpick_jobs.job.lifecycle import run_job

    host = RelionHost(
        arguments,
        task,
        pixel_size_A=getattr(settings, "pixel_size", None),
        picks_pixel_size_A=getattr(settings, "picks_pixel_size", None),
    )
    run = task.load_run()
    status = run_job(
        host, lambda: run(host, settings), debug=arguments.debug, strict=settings.strict
    )
    # Not ended means never begun: another process works in this folder, and ends its job itself.
    return status if host.ended else BUSY


def unused_fields(task: TaskSpec, arguments: JobArguments) -> tuple[str, ...]:
    """Return the fields that were filled in and that the task has no input for."""
    return arguments.unused([name for name, kinds in _FIELDS.items() if task.of_kind(*kinds)])


def job_parser(task: TaskSpec) -> JobParser:
    """Return the parser of a task: RELION's own options, the settings, and labels of files."""
    parser = JobParser(
        prog=f"frostpick-relion-{task.name}",
        description=task.help_on("relion"),
        epilog=_EPILOG + help_text("relion"),
    )
    parser.add_argument("--version", action="version", version=__version__)
    add_argparse_options(parser, task.settings)
    for one in inputs_on(task, "relion"):
        parser.add_argument(f"--{one.name}", metavar="FILE", nargs="?", help=one.help_on("relion"))
        for old in one.was.get("relion", ()):
            parser.add_argument(f"--{old}", nargs="?", help=argparse.SUPPRESS)
    return parser


def read_command_line(task: TaskSpec, argv: Sequence[str]) -> tuple[JobArguments, RunSettings]:
    """Return RELION's arguments and the resolved settings.

    Precedence, rising: defaults, files of the site, RELION's ``--j``, the YAML file, the labels.

    Raises
    ------
    ConfigError
        An unknown label, a wrong value or an unreadable YAML file.
    """
    kind = task.settings
    namespace = job_parser(task).read(argv)
    inputs = inputs_on(task, "relion")
    labels = [name for one in inputs for name in (one.name, *one.was.get("relion", ()))]
    arguments = job_arguments(namespace, labels)
    named = {name: (file,) for name, file in arguments.files.items()}
    files = {name: file for name, (file,) in inputs_of_today(task, "relion", named).items()}
    arguments = replace(arguments, files=files)
    typed = values_from_namespace(namespace, kind)
    if arguments.device is not None:
        if typed.get("device", arguments.device) != arguments.device:
            raise ConfigError(
                f"labels gpu {arguments.device!r} and device {typed['device']!r} differ; give one"
            )
        typed["device"] = arguments.device
    config = None if arguments.config is None else Path(arguments.config)
    threads = ("number of threads (--j)", {"threads": arguments.threads})
    settings, origin = task_settings(task, config, typed, given=[threads], last="parameter labels")
    log_site(settings, origin)
    return arguments, settings


def log_to_run_files() -> None:
    """Send news to standard output (``run.out``), warnings and errors to ``run.err``."""
    out = logging.StreamHandler(sys.stdout)
    out.addFilter(lambda record: record.levelno < logging.WARNING)
    err = logging.StreamHandler(sys.stderr)
    err.setLevel(logging.WARNING)
    for handler in (out, err):
        handler.setFormatter(SpelledFormatter("relion", "%(asctime)s %(message)s", "%H:%M:%S"))
    send_log_to(out, err)
