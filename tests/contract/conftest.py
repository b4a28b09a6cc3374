"""Small micrographs with known particles, and a job on each host.

A host joins the suite with a file ``case_NAME.py`` beside this one that has a class
``Case(project, files)`` with:

- ``name``; ``settings`` that this host's user must give (the pixel size is 2 A);
- ``files``: the job's micrographs, in order; may be changed between runs;
- ``id_of(file)``: the id of a micrograph;
- ``host(task="pick", *, micrographs=True, **given)``: a new host on the case's job of that task,
  as a new process makes. ``micrographs`` says whether ``files`` are given. ``given`` has the
  other inputs by their names in the task's declaration, one path each: ``picks`` and
  ``exemplars`` are a CSV of places (``micrograph,x_px,y_px``; a micrograph is named by the last
  two parts of its path), to learn from or rows to decide on; ``particles`` is a particles STAR
  file, its stacks below the project folder; ``good`` and ``bad`` are of the kind that is decided
  on, and ``bad`` may be the word ``rest``. Where the program itself refuses inputs before there
  is a job, ``host`` raises that `ConfigError` or `InputError`;
- ``rows(output)``: how many rows the native output of that name holds, of tasks that decide on
  rows (``kept``, ``verified``);
- ``delivered()``: id to ``(n, 2)`` x and y that the native per-micrograph outputs select;
- ``native_files()``: relative name to bytes of everything that the host delivered and that must
  not depend on time: picks, rows, tables, weights;
- ``folder()``: where the model of a job is, in ``model``;
- ``close()`` where there is something to give back.

A host that no declaration names, as the hostile one, has every task.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from made_images import spots_on_noise, write_mrc

from frostpick.settings import PickSettings
from frostpick_jobs.formats.star.rows import copy_rows
from frostpick_jobs.job.lifecycle import run_job
from frostpick_jobs.tasks import run_pick, train
from frostpick_jobs.tasks.pick import finish, not_yet_picked

SHAPE, DIAMETER_A, PIXEL_A = (192, 224), 64.0, 2.0
NAMES = [
    "gridA/mic_001.mrc",
    "gridA/FoilHole_12.5_x.mrc",
    "gridB/mic_001.mrc",
    "gridB/mic_002.mrc",
    "gridC/mic 003.mrc",
    "gridC/mic_004.mrc",
]


#: Rows to decide on of each of the first two files: true particles, and places of empty ice.
GOOD, EMPTY = 4, 2
BOX_PX = 48
PARTICLES = """
data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnImagePixelSize #3
_rlnImageSize #4
opticsGroup1 1 2.000000 48

data_particles

loop_
_rlnImageName #1
_rlnMicrographName #2
_rlnCoordinateX #3
_rlnCoordinateY #4
_rlnOpticsGroup #5
"""

T = TypeVar("T")


def _load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"contract_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CASES = {path.stem[5:]: path for path in sorted(Path(__file__).parent.glob("case_*.py"))}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def places(number: int) -> np.ndarray:
    """Return ``(12, 2)`` x and y on a jittered lattice that differs from file to file."""
    rng = np.random.default_rng(100 + number)
    grid = np.stack(np.meshgrid(np.arange(32, 200, 52), np.arange(30, 170, 48)), -1)
    points = grid.reshape(-1, 2) + rng.integers(-6, 7, (grid.size // 2, 2))
    return points[rng.permutation(len(points))].astype(float)


def truth(number: int) -> np.ndarray:
    """Return ``(n, 2)`` true x and y; more in later files."""
    return places(number)[: 5 + number // 2]


def pixels(number: int) -> np.ndarray:
    """Return dark discs on noise: strong ones for the truth, and a few too faint to be sure of."""
    strength = [4.0] * len(truth(number)) + [0.6, 0.9, 1.2, 1.5]
    xy = places(number)[: len(strength)]
    return spots_on_noise(SHAPE, xy, number, strength[: len(xy)])


def write_micrographs(project: Path, names: Sequence[str] = NAMES) -> list[Path]:
    """Write micrographs below ``project/Micrographs``; their headers know no pixel size."""
    paths = []
    for number, name in enumerate(names):
        paths.append(write_mrc(project / "Micrographs" / name, pixels(number)))
    return paths


def write_places(project: Path, name: str, rows: Sequence[tuple[int, float, float]]) -> Path:
    """Write a CSV of places, each by the number of its file, x and y."""
    path = project / name
    lines = [f"{NAMES[number]},{x},{y}" for number, x, y in rows]
    path.write_text("micrograph,x_px,y_px\n" + "\n".join(lines) + "\n")
    return path


def rows_to_judge() -> list[tuple[int, float, float]]:
    """Return a dozen rows on two files, of each true particles and then empty ice."""
    found = []
    for number in (0, 1):
        xy = [*truth(number)[:GOOD], *places(number)[-EMPTY:]]
        found += [(number, float(x), float(y)) for x, y in xy]
    return found


def is_good() -> np.ndarray:
    """Return ``(12,)`` bool: which of `rows_to_judge` are particles."""
    return np.tile(np.arange(GOOD + EMPTY) < GOOD, 2)


def write_particles(project: Path) -> tuple[Path, Path]:
    """Write `rows_to_judge` as extracted, light particles, and a file of the good ones alone."""
    text, half = PARTICLES, BOX_PX // 2
    (project / "Extract").mkdir()
    images = [np.pad(pixels(number), half, mode="reflect") for number in (0, 1)]
    for number in (0, 1):
        places_here = [(x, y) for n, x, y in rows_to_judge() if n == number]
        stack = f"Extract/stack_{number}.mrcs"
        boxes = [
            -images[number][int(y) : int(y) + BOX_PX, int(x) : int(x) + BOX_PX]
            for x, y in places_here
        ]
        write_mrc(project / stack, np.stack(boxes))
        for n, (x, y) in enumerate(places_here, 1):
            text += f"{n:06d}@{stack} Micrographs/{NAMES[number]} {x:.1f} {y:.1f} 1\n"
    path, good = project / "particles.star", project / "good.star"
    path.write_text(text + "\n")
    copy_rows(path, good, is_good())
    return path, good


@pytest.fixture(params=sorted(CASES))
def new_case(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Any]]:
    """Return a maker of jobs: ``new_case(name)`` in a project folder of that name."""
    module = _load(CASES[request.param])
    made: list[Any] = []

    def make(name: str = "project") -> Any:
        project = tmp_path / name
        project.mkdir()
        files = write_micrographs(project)
        monkeypatch.chdir(project)
        made.append(module.Case(project, files))
        return made[-1]

    yield make
    for one in made:
        getattr(one, "close", lambda: None)()


@pytest.fixture
def case(new_case: Callable[..., Any]) -> Any:
    """Return one job."""
    return new_case()


@pytest.fixture
def data() -> SimpleNamespace:
    """Return the functions and numbers above."""
    return SimpleNamespace(
        truth=truth,
        write_micrographs=write_micrographs,
        names=NAMES,
        after_advances=after_advances,
        write_places=write_places,
        write_particles=write_particles,
        rows_to_judge=rows_to_judge,
        is_good=is_good,
    )


#: Methods of a host whose calls are noted.
WATCHED = (
    *("begin", "micrographs", "labels", "input_rows", "labelled_rows"),
    *("deliver_one", "deliver", "end"),
)


class Spy:
    """Runs picking jobs and notes what happened to the host and to the engine.

    Pictures take most of the time of so small a job: none is made without ``draw``.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.inferred: list[str] = []
        real = not_yet_picked.pick_micrographs

        def noted(*arguments: Any, **options: Any) -> Iterator[Any]:
            for found in real(*arguments, **options):
                self.inferred.append(found.micrograph_id)
                yield found

        monkeypatch.setattr(not_yet_picked, "pick_micrographs", noted)
        self.draw = False
        draw = finish.pick_figures
        monkeypatch.setattr(finish, "pick_figures", lambda *a: draw(*a) if self.draw else [])
        look = train.picked_figures
        monkeypatch.setattr(train, "picked_figures", lambda *a: look(*a) if self.draw else [])

    def watch(self, host: Any) -> Any:
        """Note every call of the host's methods, in order."""
        for name in WATCHED:
            setattr(host, name, self._noting(name, getattr(host, name)))
        return host

    def _noting(self, name: str, method: Any) -> Any:
        def call(*args: Any, **others: Any) -> Any:
            self.calls.append((name, *args))
            return method(*args, **others)

        return call

    def pick(
        self, case: Any, during: Callable[[Any], None] = lambda host: None, **changes: Any
    ) -> int:
        """Run a picking job on a new host of the case; return the exit code."""
        self.calls.clear()
        self.inferred.clear()
        options = {
            "model": "blob",  # the particles are discs
            "diameter": DIAMETER_A,
            "threads": 1,
            "device": "cpu",
            **case.settings,
            **changes,
        }
        host = self.watch(case.host())
        during(host)
        return run_job(host, lambda: run_pick(host, PickSettings(**options)))

    def names(self) -> list[str]:
        """Return the names of the calls, without repeats in a row."""
        names = [call[0] for call in self.calls]
        return [n for i, n in enumerate(names) if i == 0 or names[i - 1] != n]

    def outputs(self) -> list[Any]:
        """Return what `deliver_one` was given."""
        return [call[1] for call in self.calls if call[0] == "deliver_one"]

    def delivered(self) -> Sequence[Any]:
        """Return what the one `deliver` was given."""
        (outputs,) = [call[1] for call in self.calls if call[0] == "deliver"]
        return list(outputs)

    def output(self, kind: type[T]) -> T:
        """Return the one delivered output of a kind."""
        (one,) = [one for one in self.delivered() if isinstance(one, kind)]
        return one

    def ends(self) -> list[str]:
        """Return the outcomes that the host was told."""
        return [call[1].value for call in self.calls if call[0] == "end"]


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    """Return a spy on host and engine."""
    return Spy(monkeypatch)


def after_advances(host: Any, count: int, action: Callable[[], None]) -> None:
    """Do something when the job has advanced so many steps."""
    reporter, left = host.reporter, [count]
    real = reporter.advance

    def advance(n: int = 1, **metrics: float) -> None:
        real(n, **metrics)
        left[0] -= n
        if left[0] == 0:
            action()

    reporter.advance = advance
