"""Run the commands of a case in its folder, and keep all that they said."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from comparing.data import TIME
from comparing.environments import Environment

#: A step that takes longer hangs.
LONGEST_S = 1800.0
STEPS = "steps"


class CaseBroken(Exception):
    """A command did not end as the case says: nothing would be compared but failures."""


class Run:
    """One case in one environment.

    Parameters
    ----------
    environment
        Which tree.
    data
        Folder of the inputs that all cases share.
    at
        The case's folder: the working folder of its commands. It is the same path
        for both trees, so that no absolute path differs.
    """

    def __init__(self, environment: Environment, data: Path, at: Path) -> None:
        self.environment, self.data, self.at = environment, data, at
        self._steps = 0
        self.cpu_s = 0.0
        self._home = at.with_name(f"{at.name}.home")

    def give(self, *names: str, into: str = ".") -> None:
        """Copy inputs, with their file times, which stand in the keys of stored results."""
        target = self.at / into
        target.mkdir(parents=True, exist_ok=True)
        for name in names:
            source = self.data / name
            if source.is_dir():
                shutil.copytree(source, target / source.name, dirs_exist_ok=True)
            else:
                shutil.copy2(source, target / source.name)

    def write(self, name: str, text: str) -> None:
        """Write a small input of this case."""
        path = self.at / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def same_times(self, folder: str) -> None:
        """Give files that a step made the file times that inputs have."""
        for path in (self.at / folder).rglob("*"):
            os.utime(path, (TIME, TIME))

    def command(
        self,
        *words: str,
        expect: int = 0,
        stop_when: Callable[[], bool] | None = None,
        **variables: str,
    ) -> None:
        """Run a command; its words, exit status and output are files of the case.

        Parameters
        ----------
        expect
            The exit status that the case is about.
        stop_when
            Asked all the time; when true the command gets SIGTERM.
        variables
            More environment variables.

        Raises
        ------
        CaseBroken
            Another exit status, or no end.
        """
        self._steps += 1
        name = "_".join(Path(word).name for word in words[:3] if not word.startswith("-"))
        step = self.at / STEPS / f"{self._steps:02d}_{name}"
        step.mkdir(parents=True)
        self._home.mkdir(exist_ok=True)
        (step / "command").write_text(shlex.join(words) + "\n", encoding="utf-8")
        status = self._wait_for(words, step, stop_when, variables)
        (step / "status").write_text(f"{status}\n", encoding="ascii")
        if status != expect:
            said = (step / "stderr").read_text(encoding="utf-8", errors="replace").strip()
            last = said.splitlines()[-1] if said else "nothing on standard error"
            text = f"{self.environment.name}: {shlex.join(words)}: exit status {status}, "
            raise CaseBroken(f"{text}expected {expect}: {last}")

    def close(self) -> None:
        """Remove what is not compared."""
        shutil.rmtree(self._home, ignore_errors=True)

    def _wait_for(
        self,
        words: tuple[str, ...],
        step: Path,
        stop_when: Callable[[], bool] | None,
        variables: dict[str, str],
    ) -> int:
        environment = self.environment.variables(self._home) | variables
        program = shutil.which(words[0], path=environment["PATH"])
        if program is None:
            raise CaseBroken(f"{self.environment.name}: there is no program {words[0]}")
        with open(step / "stdout", "wb") as out, open(step / "stderr", "wb") as err:
            process = subprocess.Popen(
                [program, *words[1:]],
                cwd=self.at,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
            end = time.monotonic() + LONGEST_S
            asked = False
            while not self._ended(process):
                if stop_when is not None and not asked and stop_when():
                    process.terminate()
                    asked = True
                if time.monotonic() > end:
                    process.kill()
                    raise CaseBroken(f"{shlex.join(words)}: no end in {LONGEST_S:.0f} s")
                time.sleep(0.002 if stop_when else 0.05)
        return process.returncode

    def _ended(self, process: subprocess.Popen[bytes]) -> bool:
        """Look whether a process has ended, and count its processor time if so."""
        if process.returncode is None:
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
            if pid:
                process.returncode = os.waitstatus_to_exitcode(status)
                self.cpu_s += used.ru_utime + used.ru_stime
        return process.returncode is not None
