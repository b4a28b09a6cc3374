"""Files and time of a job on many tiny micrographs: ``bench_files.py [--micrographs 10000]``.

The files that a pick leaves in its folder, by kind, their bytes as written and on the disk; the
most files there were while it ran; wall and CPU seconds of the pick, of the same command given
again (nothing is left to pick), and of a ``select``. With ``--before`` another checkout of
frostpick does the same work first in each round, so that ratios are of one machine and one hour.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import mrcfile
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
#: Pixels a side, Angstrom a pixel, Angstrom of a disc, different images.
SIDE, PIXEL, DIAMETER, IMAGES = 64, 4.0, 56.0, 20


def main() -> None:
    """Run the checkouts in turn and print their figures, and ratios after over before."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--micrographs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--before", type=Path, help="another checkout, to compare with")
    parser.add_argument("--host", choices=("folder", "relion"), default="folder")
    parser.add_argument("--scratch", type=Path, help="folder for the files")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        project = Path(scratch)
        write_micrographs(project, options.micrographs)
        checkouts = {"before": options.before.resolve()} if options.before else {}
        checkouts["after"] = ROOT
        sums: dict[str, Counter[str]] = {name: Counter() for name in checkouts}
        for number in range(options.rounds):
            for name, checkout in checkouts.items():
                found = run_job(project, checkout, options.host)
                print(f"round {number + 1}, {name}")
                for key, value in found.items():
                    print(f"  {key:32} {value:14,.2f}".replace(".00", ""), flush=True)
                sums[name] += Counter(found)
    if len(sums) == 2:
        print("after / before")
        for key in sums["before"]:
            if key in sums["after"] and sums["before"][key]:
                print(f"  {key:32} {sums['after'][key] / sums['before'][key]:14.3f}")


def write_micrographs(project: Path, count: int) -> None:
    """Write micrographs of white noise with a few dark discs, and their STAR file."""
    draw = np.random.default_rng(1)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    folder = project / "Micrographs"
    folder.mkdir()
    images = []
    for _ in range(IMAGES):
        image = draw.normal(size=(SIDE, SIDE))
        for y, x in draw.uniform(12, SIDE - 12, (3, 2)):
            image[(rows - y) ** 2 + (columns - x) ** 2 < (DIAMETER / PIXEL / 2) ** 2] -= 3
        path = project / "one.mrc"
        with mrcfile.new(path, image.astype(np.float32), overwrite=True) as mrc:
            mrc.voxel_size = PIXEL
        images.append(path.read_bytes())
    names = [f"Micrographs/mic_{number:05d}.mrc" for number in range(count)]
    for number, name in enumerate(names):
        (project / name).write_bytes(images[number % IMAGES])
    optics = "data_optics\nloop_\n_rlnOpticsGroup\n_rlnMicrographPixelSize\n1 4.0\n"
    table = "data_micrographs\nloop_\n_rlnMicrographName\n_rlnOpticsGroup\n"
    lines = "".join(f"{name} 1\n" for name in names)
    (project / "micrographs.star").write_text(f"{optics}\n{table}{lines}")


def run_job(project: Path, checkout: Path, host: str) -> dict[str, float]:
    """Pick, give the command again, select on a folder, and count what is left."""
    out = project / ("out" if host == "folder" else "External/job002")
    shutil.rmtree(out, ignore_errors=True)
    common = ["--diameter", str(DIAMETER)]
    if host == "folder":
        program = [sys.executable, "-m", "frostpick_jobs.cli.main"]
        pick = [*program, "pick", "-o", "out", "--micrographs", "Micrographs", "--model", "blob"]
        pick += [*common, "--threads", "1"]
    else:
        out.mkdir(parents=True)
        program = [
            sys.executable,
            "-c",
            "from frostpick_jobs.cli.relion import pick_main; pick_main()",
        ]
        pick = [*program, "--o", "External/job002/", "--in_mics", "micrographs.star"]
        pick += ["--model", "blob", *common, "--j", "1"]
    found: dict[str, float] = {}
    with Watched(out) as watched:
        found.update(timed("pick", pick, project, checkout))
    found.update(count_files(out))
    found["most files while it ran"] = max(watched.most, found["files left"])
    found.update(timed("the same again", pick, project, checkout))
    if host == "folder":
        select = [*program, "select", "out", "--threshold", "p=0.4"]
        found.update(timed("select", select, project, checkout))
    return found


class Watched:
    """Counts the files of a folder once a second while a ``with`` block runs."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._over, self.most = folder, threading.Event(), 0
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Watched:
        """Begin to count."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Count no more."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(1.0):
            self.most = max(self.most, sum(1 for _ in files_below(self._folder)))


def timed(name: str, words: list[str], project: Path, checkout: Path) -> dict[str, float]:
    """Run a command of a checkout; return its wall and CPU seconds."""
    code = [str(checkout / "plugin"), str(checkout / "external_job")]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(code), "OMP_NUM_THREADS": "1"}
    used, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        words, cwd=project, env=environ, capture_output=True, text=True, check=False
    )
    wall, now = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    return {f"{name}, wall s": wall, f"{name}, CPU s": cpu}


def files_below(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder that others may write to."""
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names)


def count_files(out: Path) -> dict[str, float]:
    """Return the number of files and bytes, of all and by folder."""
    found: Counter[str] = Counter()
    for path in files_below(out):
        told = path.stat()
        inside = path.relative_to(out)
        place = inside.parts[0] if len(inside.parts) > 1 else "top"
        if place == ".frostpick":
            place = "/".join(inside.parts[:2]) if len(inside.parts) > 2 else ".frostpick"
        found["files left"] += 1
        found["bytes left"] += told.st_size
        found["bytes left on disk"] += told.st_blocks * 512
        found[f"files in {place}"] += 1
        found[f"bytes in {place}"] += told.st_size
    return dict(found)


if __name__ == "__main__":
    main()
