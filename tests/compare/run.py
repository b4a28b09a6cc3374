#!/usr/bin/env python3
"""Compare the current tree with an earlier commit: all that a user gets, to the byte.

.venv/bin/python tests/compare/run.py --before COMMIT --work /some/folder
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import inspect
import shutil
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from comparing import cases_cryosparc, cases_folder, cases_relion, cases_training, cases_words
from comparing.case import Case
from comparing.data import make_data
from comparing.differences import Difference, compare
from comparing.environments import (
    Environment,
    commit_id,
    make_environment,
    tree_of_commit,
    tree_of_now,
)
from comparing.exceptions import EXCEPTIONS, Expected, unused
from comparing.running import CaseBroken, Run

REPOSITORY = Path(__file__).resolve().parents[2]
BEFORE = "33ffc72"
CASES: list[Case] = [
    *cases_words.CASES,
    *cases_folder.CASES,
    *cases_training.CASES,
    *cases_relion.CASES,
    *cases_cryosparc.CASES,
]
#: Too long for every time: run only when named.
LONG = {"pretrain-picker"}
#: What the results of every case depend on.
SHARED = ("environments", "data", "running")
#: Most differing files shown of a case.
SHOWN = 8


@dataclass
class Compared:
    """What became of a case."""

    name: str
    files: int = 0
    differences: list[Difference] = field(default_factory=list)
    broken: str = ""
    cpu_s: float = 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", default=BEFORE, help=f"the earlier commit [{BEFORE}]")
    parser.add_argument("--only", default="", help="names of cases, with commas between")
    parser.add_argument("--work", type=Path, help="folder whose earlier results are used again")
    parser.add_argument("--keep", action="store_true", help="leave the temporary work folder")
    parser.add_argument("--jobs", type=int, default=2, help="cases at a time [2]")
    parser.add_argument("--list", action="store_true", help="list the cases")
    options = parser.parse_args()
    if options.list:
        print("\n".join(f"{case.name:20} {(case.act.__doc__ or '').strip()}" for case in CASES))
        return 0
    chosen = _chosen(options.only)
    work = options.work or Path(tempfile.mkdtemp(prefix="frostpick-compare-"))
    work.mkdir(parents=True, exist_ok=True)
    try:
        with open(work / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # one comparison at a time in a folder
            return _compare_all(work.resolve(), options.before, chosen, options.jobs)
    finally:
        if options.work is None and not options.keep:
            shutil.rmtree(work, ignore_errors=True)
        else:
            print(f"results are in {work}")


def _chosen(only: str) -> list[Case]:
    wanted = [name for name in only.split(",") if name]
    unknown = set(wanted) - {case.name for case in CASES}
    if unknown:
        sys.exit(f"no case {', '.join(sorted(unknown))}; --list tells them")
    if not wanted:
        return [case for case in CASES if case.name not in LONG]
    return [case for case in CASES if case.name in wanted]


class Bench:
    """Both environments, the data, and where results lie."""

    def __init__(self, work: Path, commit: str) -> None:
        self.work = work
        kept = work / f"before-{commit_id(REPOSITORY, commit)[:12]}-{_digest(*SHARED)}"
        tree = kept / "tree"
        if not tree.is_dir():
            tree_of_commit(REPOSITORY, commit, tree)
        self.before = make_environment("before", tree, kept / "environment")
        self.data, self.results = kept / "data", kept / "cases"
        if not (self.data / "made").exists():
            make_data(self.before, self.data)
            (self.data / "made").touch()
        now = work / "now"
        self.now = make_environment(
            "now", tree_of_now(REPOSITORY, now / "tree"), now / "environment"
        )
        self.results_now = now / "cases"

    def compare(self, case: Case) -> Compared:
        """Run a case in both, where the earlier result is not there yet, and compare."""
        done = Compared(case.name)
        modules = [Path(inspect.getfile(case.act)).stem]
        if modules == ["cases_cryosparc"]:
            modules.append("cryosparc_server")
        before = self.results / f"{case.name}-{_digest(*modules)}"
        now = self.results_now / case.name
        try:
            if not before.is_dir():
                done.cpu_s += self._run(case, self.before, before)
            done.cpu_s += self._run(case, self.now, now)
        except CaseBroken as error:
            done.broken = str(error)
        if before.is_dir() and now.is_dir():
            done.files, done.differences = compare(before, now)
        return done

    def _run(self, case: Case, environment: Environment, result: Path) -> float:
        """Run a case, keep its folder, return its processor time in seconds."""
        at = self.work / "at" / case.name
        shutil.rmtree(at, ignore_errors=True)
        at.mkdir(parents=True)
        run = Run(environment, self.data, at)
        whole = False
        try:
            case.act(run)
            whole = True
        finally:
            run.close()
            if whole or environment is self.now:  # a broken one of the past is made again
                shutil.rmtree(result, ignore_errors=True)
                result.parent.mkdir(parents=True, exist_ok=True)
                at.rename(result)
        return run.cpu_s


def _compare_all(work: Path, commit: str, chosen: list[Case], jobs: int) -> int:
    began = time.monotonic()
    bench = Bench(work, commit)
    print(f"before: {commit}; data and environments after {time.monotonic() - began:.0f} s")
    said, seen, compared = threading.Lock(), set[Expected](), []

    def one(case: Case) -> None:
        done = bench.compare(case)
        with said:
            compared.append(done)
            _tell(done, seen)

    with ThreadPoolExecutor(max(1, jobs)) as pool:
        list(pool.map(one, chosen))
    return _summary(compared, seen, chosen, time.monotonic() - began)


def _tell(done: Compared, seen: set[Expected]) -> None:
    left = []
    for difference in done.differences:
        covering = [one for one in EXCEPTIONS if one.covers(done.name, difference)]
        seen.update(covering)
        if not covering:
            left.append(difference)
    excepted = len(done.differences) - len(left)
    done.differences = left
    what = f"{len(left)} of {done.files} files differ" if left else f"equal, {done.files} files"
    what += f", {excepted} excepted" if excepted else ""
    print(
        f"{done.name:20} {'BROKEN' if done.broken else what}  ({done.cpu_s:.0f} CPU s)", flush=True
    )
    if done.broken:
        print(f"    {done.broken}")
    for difference in left[:SHOWN]:
        lines = difference.how.splitlines()
        print(f"    {difference.file}: " + (lines[0] if len(lines) == 1 else ""))
        for line in lines if len(lines) > 1 else ():
            print(f"        {line}")
    if len(left) > SHOWN:
        print(f"    and {len(left) - SHOWN} more files")


def _summary(
    compared: list[Compared], seen: set[Expected], chosen: list[Case], seconds: float
) -> int:
    bad = [done.name for done in compared if done.broken or done.differences]
    for one in EXCEPTIONS:
        print(f"exception: {one.case}, {one.file}: {one.reason}")
    if len(chosen) >= len(CASES) - len(LONG):
        for one in unused(EXCEPTIONS, seen):
            print(f"exception no longer needed: {one.case}, {one.file}")
    files = sum(done.files for done in compared)
    equal = len(compared) - len(bad)
    cpu_s = sum(done.cpu_s for done in compared)
    print(
        f"{equal} of {len(compared)} cases equal, {files} files; "
        f"{seconds:.0f} s, commands {cpu_s:.0f} CPU s"
    )
    return 1 if bad else 0


def _digest(*modules: str) -> str:
    """Return a short digest of the modules that an earlier result depends on."""
    total = hashlib.sha256()
    for name in modules:
        total.update((Path(__file__).parent / "comparing" / f"{name}.py").read_bytes())
    return total.hexdigest()[:8]


if __name__ == "__main__":
    sys.exit(main())
