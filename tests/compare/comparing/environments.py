"""Two trees of the project, each in an environment of its own that shares only the libraries."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
import venv
from dataclasses import dataclass
from pathlib import Path

if sys.version_info < (3, 11):
    sys.exit("tests/compare needs Python 3.11 or later: it reads pyproject.toml with tomllib")
import tomllib

#: What of a tree is run; its tests, and this program, are not.
PARTS = ("plugin", "external_job", "examples", "pyproject.toml", "README.md", "LICENSE")
PACKAGES = ("frostpick", "frostpick_jobs")

SCRIPT = """#!{python}
import sys
from {module} import {function}
if __name__ == "__main__":
    sys.exit({function}())
"""


@dataclass(frozen=True)
class Environment:
    """A tree and the virtual environment that runs it.

    Parameters
    ----------
    name
        ``before`` or ``now``.
    tree, venv
        Their folders.
    """

    name: str
    tree: Path
    venv: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.venv / "bin" / "python"

    def variables(self, home: Path) -> dict[str, str]:
        """Return all environment variables of a command; none of the caller's is among them.

        One thread, no GPU and a fixed hash seed: the same command gives the same bytes.
        """
        return {
            "PATH": f"{self.venv / 'bin'}:/usr/bin:/bin",
            "HOME": str(home),
            "TMPDIR": str(home),
            "MPLCONFIGDIR": str(self.venv / "matplotlib"),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "TERM": "dumb",
            "COLUMNS": "100",
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "",
            "PYTHONHASHSEED": "0",
            "PYTHONNOUSERSITE": "1",
        }

    def check(self) -> None:
        """Refuse an environment that would run another tree's code."""
        ask = "import frostpick as a, frostpick_jobs as b; print(a.__file__, b.__file__, sep='\\n')"
        done = subprocess.run(
            [self.python, "-c", ask],
            cwd=self.venv,
            env=self.variables(self.venv),
            capture_output=True,
            text=True,
            check=False,
        )
        roots = (self.tree / "plugin", self.tree / "external_job")
        found = [Path(line) for line in done.stdout.splitlines()]
        right = len(found) == 2 and all(
            file.is_relative_to(root) for file, root in zip(found, roots, strict=True)
        )
        if not right:
            sys.exit(f"{self.venv} does not run {self.tree}: {done.stdout}{done.stderr}")


def commit_id(repository: Path, commit: str) -> str:
    """Return the full name of a commit; ends the program where there is none."""
    done = subprocess.run(
        ["git", "-C", repository, "rev-parse", "--verify", f"{commit}^{{commit}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{repository}: no commit {commit}; a shallow clone lacks the earlier ones")
    return done.stdout.strip()


def tree_of_commit(repository: Path, commit: str, folder: Path) -> Path:
    """Write the tree of a commit into a new folder."""
    shutil.rmtree(folder, ignore_errors=True)
    command = ["git", "-C", str(repository), "archive", commit, *PARTS]
    packed = subprocess.run(command, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def tree_of_now(repository: Path, folder: Path) -> Path:
    """Copy the tree as it is now, uncommitted changes and new files included."""
    shutil.rmtree(folder, ignore_errors=True)
    listing = ["git", "-C", repository, "ls-files", "-zco", "--exclude-standard", "--", *PARTS]
    names = subprocess.run(listing, capture_output=True, check=True).stdout
    for name in filter(None, os.fsdecode(names).split("\0")):
        if (repository / name).is_file():  # a file that git knows may be deleted
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(repository / name, folder / name)
    return folder


def make_environment(name: str, tree: Path, folder: Path) -> Environment:
    """Make the environment of a tree, with the programs that its ``pyproject.toml`` names.

    The libraries are those of the running interpreter. Their folder is added as a plain
    path, whose own ``.pth`` files are not read: an editable install there stays unseen.
    """
    shutil.rmtree(folder, ignore_errors=True)
    venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
    environment = Environment(name, tree, folder)
    (site,) = (folder / "lib").glob("python*/site-packages")
    libraries = [p for p in sys.path if Path(p).name in ("site-packages", "dist-packages")]
    paths = [str(tree / "plugin"), str(tree / "external_job"), *libraries]
    (site / "tree_and_libraries.pth").write_text("\n".join(paths) + "\n", encoding="utf-8")
    project = tomllib.loads((tree / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for program, target in project["scripts"].items():
        module, _, function = target.partition(":")
        path = folder / "bin" / program
        text = SCRIPT.format(python=environment.python, module=module, function=function)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
    environment.check()
    # Matplotlib lists the fonts at its first start, and says so on standard error.
    subprocess.run(
        [environment.python, "-c", "import matplotlib.font_manager"],
        env=environment.variables(folder),
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return environment
