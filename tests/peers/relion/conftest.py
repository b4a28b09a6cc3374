"""A RELION project with micrographs whose particles are known, and the real RELION to run it."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from made_images import draw_soft_discs, write_mrc
from waits import LONG, wait_until

ROOT = Path(__file__).parents[3]
DIAMETER_A = 120.0
STATUS = {"0": "running", "1": "scheduled", "2": "finished", "3": "failed", "4": "aborted"}


@dataclass
class Truth:
    """One simulated micrograph: particles are dark discs at known pixels (x column, y row)."""

    name: str
    shape: tuple[int, int]
    pixel_size_A: float
    x: np.ndarray
    y: np.ndarray


@dataclass
class Project:
    """A RELION project folder, driven through ``relion_pipeliner``."""

    folder: Path
    truth: dict[str, Truth] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def add_micrograph(self, name, shape, pixel_size_A, count, seed):
        rng = np.random.default_rng(seed)
        x, y = _places(rng, shape, DIAMETER_A / pixel_size_A, count)
        image = _image(rng, shape, DIAMETER_A / pixel_size_A / 2, x, y)
        write_mrc(self.folder / name, image, pixel_size_A)
        self.truth[name] = Truth(name, shape, pixel_size_A, x, y)

    def program(self, task):
        """Write the program that the executable field names; its folder has RELION's word in it."""
        folder = self.folder / "programs" / "for_relion_jobs"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"frostpick-relion-{task}"
        lines = [
            "#!/bin/sh",
            f"export PYTHONPATH={ROOT / 'plugin'}:{ROOT / 'external_job'}",
        ]
        lines.append(f'exec {sys.executable} -m frostpick_jobs.cli.relion {task} "$@"')
        path.write_text("\n".join(lines) + "\n")
        path.chmod(0o755)
        return path

    def relion(self, *words, timeout=LONG):
        return subprocess.run(
            ["relion_pipeliner", *words],
            cwd=self.folder,
            env=os.environ | {"OMP_NUM_THREADS": "1"} | self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=True,
        )

    def add(self, kind, **options):
        """Add a job, return its folder's name ``External/job004/``."""
        text = ";".join(f"{name} == {value}" for name, value in options.items())
        self.relion("--addJob", kind, "--addJobOptions", text)
        return sorted(
            (str(p.relative_to(self.folder)) + "/" for p in self.folder.glob(f"{kind}/job*")),
        )[-1]

    def external(self, task, *, inputs=None, program=None, threads=2, other="", **parameters):
        """Add an External job; parameters become label and value fields."""
        fields = {"fn_exe": program or self.program(task), "nr_threads": threads}
        fields |= inputs or {}
        for number, (label, value) in enumerate(parameters.items(), 1):
            fields[f"param{number}_label"] = label
            fields[f"param{number}_value"] = value
        return self.add("External", **fields, other_args=other)

    def edit(self, job, option, value):
        """Change a field of a job, as the user does in the GUI before Continue."""
        path = self.folder / job / "job.star"
        text, count = re.subn(
            rf"^( *{option} +)\S.*$", rf"\g<1>{value} ", path.read_text(), flags=re.MULTILINE
        )
        assert count == 1
        path.write_text(text)

    def start(self, job):
        """Run a job without waiting for it; RELION's pipeliner goes on in the background."""
        process = subprocess.Popen(
            ["relion_pipeliner", "--RunJobs", job, "--sec_wait_after", "1"],
            cwd=self.folder,
            env=os.environ | {"OMP_NUM_THREADS": "1"} | self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return process

    def run(self, job, timeout=LONG):
        """Run a job to its end and return its status as RELION has it."""
        process = self.start(job)
        self.finish(job, process, timeout)
        return self.status(job)

    def finish(self, job, process, timeout=LONG):
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            with contextlib.suppress(OSError, ValueError):
                self.stop(job, signal.SIGKILL)
            pytest.fail(f"{job} did not end in {timeout} s\n{self.output(job)}")

    def stop(self, job, number=signal.SIGTERM):
        """Send a signal to the job's own process, found by its lock file."""
        (pid,) = (self.folder / job / ".frostpick" / "lock").read_text().split()[:1]
        os.kill(int(pid), number)

    def rows(self, table):
        """Return the rows of a loop of ``default_pipeline.star``."""
        text = (self.folder / "default_pipeline.star").read_text()
        block = text.partition(f"data_{table}\n")[2].partition("\ndata_")[0]
        lines = [line.split() for line in block.splitlines()]
        return [
            words for words in lines if words and words[0][0] not in "_#" and words != ["loop_"]
        ]

    def status(self, job):
        return STATUS[next(row[3] for row in self.rows("pipeline_processes") if row[0] == job)]

    def nodes(self, job):
        """Return ``{file: integer type}`` of the nodes that RELION registered for a job."""
        rows = self.rows("pipeline_nodes")
        return {row[0][len(job) :]: int(row[1]) for row in rows if row[0].startswith(job)}

    def markers(self, job):
        return sorted(p.name[16:] for p in (self.folder / job).glob("RELION_JOB_EXIT_*"))

    def output(self, job):
        return "".join(
            (self.folder / job / name).read_text(errors="replace")
            for name in ("run.out", "run.err")
            if (self.folder / job / name).exists()
        )

    def picks(self, job, name, suffix="autopick"):
        """Return the rows ``(x, y, score)`` of a micrograph's coordinate file, read by hand."""
        text = (self.folder / job / f"{name.rpartition('.')[0]}_{suffix}.star").read_text()
        rows = [line.split() for line in text.splitlines() if line[:1] in " 0123456789"]
        return np.array([row[:3] for row in rows if row], dtype=np.float64).reshape(-1, 3)

    def recall_and_precision(self, job):
        """Compare a job's picks with the truth: a hit lies within a quarter of the diameter."""
        hits = true = found = 0
        for name, truth in self.truth.items():
            picks = self.picks(job, name)
            distance = np.hypot(
                picks[:, 0][:, None] - truth.x[None], picks[:, 1][:, None] - truth.y[None]
            )
            near = distance <= 0.25 * DIAMETER_A / truth.pixel_size_A
            assert near.sum(0).max(initial=0) <= 1, f"two picks on one particle in {name}"
            hits += int(near.any(0).sum())
            true, found = true + len(truth.x), found + len(picks)
        return hits / true, hits / max(found, 1)

    def extract(self, job, node="coords_suffix_autopick.star", size=64):
        """Extract boxes from a job's coordinates with RELION."""
        extract = self.add(
            "Extract",
            star_mics="JoinStar/job003/join_mics.star",
            coords_suffix=job + node,
            extract_size=size,
            do_norm="No",
            do_invert="No",
        )
        assert self.run(extract) == "finished", self.output(extract)
        return extract

    def boxes(self, extract):
        """Give ``(micrograph name, x, y, box)`` of every particle that RELION extracted."""
        text = (self.folder / extract / "particles.star").read_text()
        block = text.partition("data_particles\n")[2].splitlines()
        labels = [line.split()[0] for line in block if line.startswith("_rln")]
        for line in block:
            values = dict(zip(labels, line.split(), strict=False))
            if line.startswith("_rln") or len(values) != len(labels):
                continue
            index, stack = values["_rlnImageName"].split("@")
            with mrcfile.open(self.folder / stack, permissive=True) as handle:
                data = handle.data.reshape(-1, *handle.data.shape[-2:])
                box = data[int(index) - 1].copy()
            x, y = (float(values[f"_rlnCoordinate{axis}"]) for axis in "XY")
            yield values["_rlnMicrographName"], x, y, box

    def wait_for(self, test, seconds=LONG):
        wait_until(test, seconds)

    def copy(self, folder):
        """Return a copy of the whole project, so that a test may change it."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder, dict(self.truth), dict(self.environment))


def _places(rng, shape, diameter, count):
    """Return ``count`` integer centres (x, y), apart and inside, denser at the upper left."""
    places = []
    for _ in range(20000):
        if len(places) == count:
            break
        edge = int(0.6 * diameter)
        y = edge + int((shape[0] - 2 * edge) * rng.random() ** 1.3)
        x = edge + int((shape[1] - 2 * edge) * rng.random() ** 1.3)
        if all((x - a) ** 2 + (y - b) ** 2 > (1.15 * diameter) ** 2 for a, b in places):
            places.append((x, y))
    assert len(places) == count
    table = np.array(places, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _image(rng, shape, radius, x, y):
    image = rng.normal(scale=1.0, size=shape)
    draw_soft_discs(image, np.stack([x, y], 1), 1.0, 0.85 * radius, 1.5)
    return image.astype(np.float32)


@pytest.fixture(scope="session")
def imported(tmp_path_factory):
    """A project: two folders with equal stems, dots, two pixel sizes, odd sizes, one blank."""
    if shutil.which("relion_pipeliner") is None:
        pytest.skip("RELION is not installed: relion_pipeliner not found")
    folder = tmp_path_factory.mktemp("relion.project")
    project = Project(folder)
    seed = "\ndata_pipeline_general\n\n_rlnPipeLineJobCounter 1\n\n"
    (folder / "default_pipeline.star").write_text(seed)
    project.add_micrograph("Micrographs/gridA/mic_001.mrc", (480, 600), 3.0, 24, 1)
    project.add_micrograph("Micrographs/gridA/FoilHole_12.5_a.mrc", (481, 567), 3.0, 22, 2)
    project.add_micrograph("Micrographs/gridA/mic.003.mrc", (512, 512), 3.0, 25, 3)
    project.add_micrograph("Micrographs/gridB/mic_001.mrc", (703, 641), 2.0, 20, 4)
    project.add_micrograph("Micrographs/gridB/blank.mrc", (500, 500), 2.0, 0, 5)
    for grid, pixel_size in (("gridA", 3.0), ("gridB", 2.0)):
        job = project.add(
            "Import",
            fn_in_raw=f"Micrographs/{grid}/*.mrc",
            is_multiframe="No",
            angpix=pixel_size,
            optics_group_name=grid,
        )
        assert project.run(job) == "finished"
    first, second = (f"Import/job00{n}/micrographs.star" for n in (1, 2))
    job = project.add("JoinStar", do_mic="Yes", fn_mic1=first, fn_mic2=second)
    assert project.run(job) == "finished"
    return project
