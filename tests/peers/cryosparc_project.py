"""A CryoSPARC project with micrographs whose particles are known, and the server that holds it."""

import atexit
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from csemu.seed import seed_project
from csemu.serve import running
from csemu.store import Options, Store
from made_images import spots_on_noise, write_mrc
from waits import LONG

from frostpick_jobs.hosts.cryosparc import host
from frostpick_jobs.hosts.cryosparc.request import JobRequest
from frostpick_jobs.hosts.cryosparc.server import job as server_job
from frostpick_jobs.hosts.cryosparc.server import watch
from frostpick_jobs.hosts.cryosparc.server.connect import RetryPolicy, Server, connect
from frostpick_jobs.tasks.declarations import task_named

DIAMETER_A = 48.0
PIXEL_A = 2.0
MAIN = "frostpick_jobs.cli.main"
ROOT = Path(__file__).parents[2]
LOGIN = {"CRYOSPARC_EMAIL": "picker@example.com", "CRYOSPARC_PASSWORD": "secret"}


def asymmetric_truth(shape, number, seed):
    """Places in the lower-index half and left two thirds: neither flip maps them on themselves."""
    rng = np.random.default_rng(seed)
    found = []
    while len(found) < number:
        x, y = rng.integers(24, shape[1] * 2 // 3), rng.integers(24, shape[0] // 2 - 10)
        if all((x - a) ** 2 + (y - b) ** 2 > 34**2 for a, b in found):
            found.append((int(x), int(y)))
    return found


def write_project(
    folder, shapes=((200, 320), (320, 200), (200, 320)), per=7, pixel=PIXEL_A, tiff=False
):
    """Write MRC files, or TIFF files of the same rows; return [(path, [(x, y), ...]), ...]."""
    import tifffile

    folder.mkdir(parents=True, exist_ok=True)
    out = []
    for k, shape in enumerate(shapes):
        truth = asymmetric_truth(shape, per, seed=k)
        path = folder / f"mic_{k:03d}.mrc"
        if tiff:
            path = path.with_suffix(".tif")
            tifffile.imwrite(path, spots_on_noise(shape, truth, seed=50 + k))
            out.append((str(path), truth))
            continue
        write_mrc(path, spots_on_noise(shape, truth, seed=50 + k), pixel)
        out.append((str(path), truth))
    return out


@dataclass
class Project:
    """A seeded project on a running server."""

    store: Store
    made: dict
    truth: list
    url: str
    root: Path
    servers: list = field(default_factory=list)

    @property
    def uid(self) -> str:
        return self.made["project_uid"]

    def connect(self, seconds: float = LONG) -> Server:
        server = connect(self.url, environ=LOGIN, patience=RetryPolicy(seconds, 0.05))
        self.servers.append(server)
        return server

    def job(self, uid):
        return self.store.jobs[self.uid, uid]

    def texts(self, uid):
        events = self.store.events.get((self.uid, uid), [])
        return [e.text for e in events if getattr(e, "text", None)]

    def latest(self):
        """The External job that was made last."""
        jobs = [j for (p, _), j in self.store.jobs.items() if j.spec.type == "snowflake"]
        return max(jobs, key=lambda j: j.uid_num).uid

    def image(self, number):
        import mrcfile
        import tifffile

        if self.truth[number][0].endswith(".tif"):
            return tifffile.imread(self.truth[number][0])
        with mrcfile.open(self.truth[number][0]) as mrc:
            return mrc.data.copy()

    def native(self, type, connections, params=None, interact=None):
        """Run a native job over the server and return its controller."""
        client = self.connect().client
        job = client.find_project(self.uid).create_job(
            self.made["workspace_uid"], type, connections=connections, params=params or {}
        )
        job.queue()
        for action, body in interact or ():
            job.interact(action, body)
        return job.refresh()

    def close(self):
        for server in self.servers:
            server.close()


@contextlib.contextmanager
def project(folder: Path, options=None, link=True, **layout) -> Iterator[Project]:
    """Seed and serve a project for the length of a ``with`` block."""
    truth = write_project(folder / "raw", **layout)
    with POOL.lease(folder / "state", options) as (store, url):
        made = seed_project(store, truth, link=link, psize=layout.get("pixel", PIXEL_A))
        one = Project(store, made, truth, url, folder)
        try:
            yield one
        finally:
            one.close()


def command(project, *words, spool=None, **environ):
    """Start ``frostpick cryosparc ...`` as a user does; return the process."""
    clean = {n: v for n, v in os.environ.items() if not n.startswith("CRYOSPARC_")}
    path = os.pathsep.join(str(ROOT / name) for name in ("plugin", "external_job"))
    environment = {
        **clean,
        **LOGIN,
        "PYTHONPATH": path,
        "OMP_NUM_THREADS": "1",
        "FROSTPICK_SPOOL": str(spool or project.root / "spool"),
        **environ,
    }
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "frostpick_jobs.cli.main",
            "cryosparc",
            *words,
            "--url",
            project.url,
        ],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def requested(task, project, workspace=None, **given):
    """Return a request for a task by its name, the inputs by their names in its declaration."""
    spec = task_named(task)
    names = [one.name for one in spec.inputs if one.name in given]
    inputs = {name: tuple(given.pop(name)) for name in names}
    return JobRequest(spec, project, workspace, inputs=inputs, **given)


#: The limits of the program by itself, as they are when this is imported.
USUAL = {
    host: {name: getattr(host, name) for name in ("QUICK", "SHORT", "LAST_EVENTS", "QUICK_EVENTS")},
    server_job: {"SHORT": server_job.SHORT},
    watch: {"ASKED": watch.ASKED},
}


class ServerPool:
    """Servers that stay up for the session: building one takes longer than most tests."""

    def __init__(self) -> None:
        self._free: list[tuple[Store, str]] = []
        self._stack = contextlib.ExitStack()
        atexit.register(self._stack.close)

    @contextlib.contextmanager
    def lease(self, state: Path, options=None) -> Iterator[tuple[Store, str]]:
        """Give a server with an empty store for the length of a ``with`` block."""
        if self._free:
            store, url = self._free.pop()
            store.__init__(state, options or Options())
            store.requests.clear()
        else:
            store = Store(state, options or Options())
            url = self._stack.enter_context(running(store))
        try:
            with patient():
                yield store, url
        finally:
            self._free.append((store, url))


POOL = ServerPool()


#: One entry for each `patient` block that is open; they need not close in their order.
WAITING: list[None] = []


def set_limits(patiently: bool) -> None:
    """Set the limits of the last requests of a job: those of the program, or none to speak of."""
    policy = RetryPolicy(LONG, 0.05, hang=LONG)
    for module, limits in USUAL.items():
        for name, usual in limits.items():
            long = policy if isinstance(usual, RetryPolicy) else LONG
            setattr(module, name, long if patiently else usual)


@contextlib.contextmanager
def patient() -> Iterator[None]:
    """Let no limit end the last requests of a job: a server that is slow is not silent.

    A test of a server that is silent sets `impatient` limits again.
    """
    WAITING.append(None)
    set_limits(True)
    try:
        yield
    finally:
        WAITING.pop()
        set_limits(bool(WAITING))


@contextlib.contextmanager
def impatient() -> Iterator[None]:
    """Set the limits that a user has, for a server that does not answer."""
    set_limits(False)
    try:
        yield
    finally:
        set_limits(bool(WAITING))
