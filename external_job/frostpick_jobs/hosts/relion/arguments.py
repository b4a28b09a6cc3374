"""What RELION puts on the command line of an External job."""

from __future__ import annotations

import argparse
import difflib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from frostpick.errors import ConfigError, listed

#: Fields of the job that a task may read.
_FIELDS = ("in_mics", "in_coords", "in_parts")
#: What RELION passes by itself, and what asks for a text instead of a job.
_OWN = ("o", "j", "pipeline_control", "help", "version")
_INPUTS = {
    "in_mics": "Micrographs STAR file.",
    "in_coords": "Coordinates: an autopick.star list or a coords_suffix file.",
    "in_parts": "Particles STAR file.",
    "in_movies": "Not used.",
    "in_3dref": "Not used.",
    "in_mask": "Not used.",
}


@dataclass(frozen=True)
class JobArguments:
    """RELION's own arguments.

    Parameters
    ----------
    job
        The job folder, relative to the project folder, which is the working folder.
    prefix
        The job folder as RELION wrote it, with a slash at its end: what its tables use.
    in_mics, in_coords, in_parts
        Input files as RELION wrote them; None when the field was empty.
    given
        Names of all the input fields that were filled in.
    device, threads
        From ``--gpu`` and ``--j``; None when not given.
    config
        YAML file with settings.
    debug
        Whether a failure shows its traceback.
    files
        Files of the task's own labels, by label; those not given are absent.
    """

    job: Path
    prefix: str
    in_mics: str | None = None
    in_coords: str | None = None
    in_parts: str | None = None
    given: tuple[str, ...] = ()
    device: str | None = None
    threads: str | None = None
    config: str | None = None
    debug: bool = False
    files: Mapping[str, str] = field(default_factory=dict)

    def unused(self, needed: Sequence[str]) -> tuple[str, ...]:
        """Return the inputs that were given to a task that reads ``needed`` and micrographs."""
        return tuple(name for name in self.given if name not in ("in_mics", *needed))


class JobParser(argparse.ArgumentParser):
    """An ``argparse`` for RELION: raises `ConfigError`, never abbreviates, takes ``-3`` as a value.

    RELION hands over a label with an empty value as a bare flag, so every option
    must be declared with ``nargs="?"``; settings are added by the caller.
    """

    def __init__(self, **others: Any) -> None:
        super().__init__(allow_abbrev=False, **others)
        group = self.add_argument_group("RELION", "What RELION passes by itself.")
        group.add_argument("--o", metavar="FOLDER/", help="The job folder.", nargs="?")
        for name, text in _INPUTS.items():
            group.add_argument(f"--{name}", metavar="FILE", nargs="?", help=text)
        group.add_argument("--j", metavar="N", nargs="?", help="Threads (RELION's own field).")
        group.add_argument("--pipeline_control", metavar="FOLDER/", nargs="?", help="Not used.")
        more = self.add_argument_group("More parameter labels")
        more.add_argument("--gpu", metavar="IDS", nargs="?", help="GPU ids, 0 or 0,1 or 0:1.")
        more.add_argument("--config", metavar="YAML", nargs="?", help="File with any setting.")
        more.add_argument(
            "--debug", metavar="yes|no", nargs="?", const="yes", help="Show tracebacks."
        )

    def error(self, message: str) -> NoReturn:
        """Raise instead of leaving the program."""
        raise ConfigError(f"command line: {message}")

    def read(self, argv: Sequence[str]) -> argparse.Namespace:
        """Parse a command line; an unknown option is a `ConfigError` with near matches."""
        namespace, unknown = self.parse_known_args(self._joined(argv))
        if not unknown:
            return namespace
        word = unknown[0].partition("=")[0]
        if not word.startswith("--"):
            raise ConfigError(
                f"command line: stray word {unknown[0]!r}; put quotes around a value with spaces"
            )
        label, known = word[2:].replace("-", "_"), self._labels()
        near = difflib.get_close_matches(label, [*known, *_FIELDS], n=3, cutoff=0.5)
        raise ConfigError(
            f"unknown parameter label {word[2:]!r}; "
            + (f"did you mean {' or '.join(near)}?" if near else f"known are {listed(known)}")
        )

    def _labels(self) -> list[str]:
        """Return what a user may write as a parameter label, each once, sorted.

        RELION's own fields and arguments are none, nor is what is only for a command line.
        """
        own = {*_INPUTS, *_OWN}
        flags = {
            flag[2:]
            for flag, action in self._option_string_actions.items()
            if flag.startswith("--") and action.help != argparse.SUPPRESS
        }
        return sorted({flag.replace("-", "_") for flag in flags} - own)

    def _joined(self, argv: Sequence[str]) -> list[str]:
        """Join ``--name -3e-1`` to ``--name=-3e-1``, which argparse takes for an option.

        An empty word is dropped: the option stands bare. Blanks around the ``=`` of a value
        (``precision = 0.9``), which RELION splits at, are none.
        """
        joined: list[str] = []
        for word in argv:
            valued = bool(joined) and joined[-1].startswith("--") and "=" in joined[-1]
            if valued and not word.startswith("--"):
                if word.startswith("=") or joined[-1].endswith("="):
                    joined[-1] += word.lstrip("=") if joined[-1].endswith("=") else word
                    continue
            action = self._option_string_actions.get(joined[-1]) if joined else None
            if action is not None and action.nargs == "?" and not word.startswith("--"):
                joined[-1] += f"={word.lstrip('=')}" if word.strip() else ""
            else:
                joined.append(word)
        return joined


def job_arguments(namespace: argparse.Namespace, files: Iterable[str] = ()) -> JobArguments:
    """Return RELION's arguments of a parsed command line; `ConfigError` without ``--o``.

    ``files`` are labels of the task that name files.
    """
    given = {name: _given(namespace, name) for name in (*_INPUTS, "o", "j", "gpu", "config")}
    folder = given["o"]
    if folder is None:
        raise ConfigError("command line: no --o; RELION passes the job folder there")
    return JobArguments(
        job=Path(folder),
        prefix=folder.rstrip("/") + "/",
        in_mics=given["in_mics"],
        in_coords=given["in_coords"],
        in_parts=given["in_parts"],
        given=tuple(name for name in _INPUTS if given[name] is not None),
        device=None if given["gpu"] is None else device_of(given["gpu"]),
        threads=given["j"],
        config=given["config"],
        debug=str(_given(namespace, "debug")).lower() in ("yes", "true", "on", "y", "1"),
        files={name: text for name in files if (text := _given(namespace, name)) is not None},
    )


def _given(namespace: argparse.Namespace, name: str) -> str | None:
    text = str(getattr(namespace, name, None) or "").strip()
    return text or None


def device_of(gpu: str) -> str:
    """Turn RELION's GPU ids (``0:1``, a colon between ranks) into a device setting (``0,1``)."""
    return re.sub(r"[:,\s]+", ",", gpu).strip(",") if re.fullmatch(r"[\d:,\s]+", gpu) else gpu


def parallel_rank() -> int:
    """Return this process's number where ``mpirun`` or ``srun`` started several; 0 if alone.

    A queue template may put such a launcher in front of any RELION command.
    """
    for name in ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"):
        text = os.environ.get(name, "")
        if text.isdigit() and int(text) > 0:
            return int(text)
    return 0
