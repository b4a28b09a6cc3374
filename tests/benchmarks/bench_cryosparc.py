"""What the way through CryoSPARC costs: ``python bench_cryosparc.py``.

Two figures, on files and a server of its own in a temporary folder:

speed   picking a mounted project through the server, against picking the same files
        from a folder, both with a warm page cache (target: at most 1.1 times). The runs
        alternate, and processor time is printed beside the time of day, since other
        programs disturb the latter.
size    2,000,000 picks on 10,000 exposures, written as outputs and read as labels
        (target: under 2 GB of the job's memory).

The server is the loopback server of the tests, in a process of its own: what a real one
takes for its part is not in these figures.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
for folder in (HERE, ROOT / "tests/peers", ROOT / "plugin", ROOT / "external_job"):
    sys.path.insert(0, str(folder))

import numpy as np  # noqa: E402

LOGIN = {"CRYOSPARC_EMAIL": "picker@example.com", "CRYOSPARC_PASSWORD": "secret"}
DISTINCT = 4


def main() -> None:
    """Measure, each part in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200, help="micrographs of the speed part")
    parser.add_argument("--repeats", type=int, default=1, help="runs of each kind")
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--diameter", type=float, default=180.0, help="in pixels of 1 A")
    parser.add_argument("--network", default="resnet8")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--exposures", type=int, default=10_000)
    parser.add_argument("--picks", type=int, default=2_000_000)
    parser.add_argument("--part", choices=["speed", "size"], help="only this part")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        {"speed": speed, "size": size}[options.part](options, json.loads(options.child))
        return
    for part in [options.part] if options.part else ["speed", "size"]:
        with tempfile.TemporaryDirectory(prefix="bench-cryosparc-") as folder:
            run_part(part, options, Path(folder))


def run_part(part: str, options: argparse.Namespace, folder: Path) -> None:
    """Start a server, run a part against it, and stop the server."""
    from csemu.serve import free_port
    from csemu.store import Options, Store

    state = folder / "state"
    store = Store(state, Options())
    project = seed_files(store, folder, options) if part == "speed" else seed_rows(store, options)
    port = free_port()
    words = [sys.executable, "-m", "csemu", str(state), "--port", str(port), "--lenient-values"]
    path = os.pathsep.join(sys.path[:4])
    environ = {**os.environ, "PYTHONPATH": path, **LOGIN}
    with subprocess.Popen(
        words, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            wait_for(port)
            about = {"url": f"http://127.0.0.1:{port}", "folder": str(folder), "project": project}
            again = [*sys.argv, "--part", part, "--child", json.dumps(about)]
            subprocess.run([sys.executable, *again], env=environ, check=True)
        finally:
            server.terminate()


def seed_files(store: object, folder: Path, options: argparse.Namespace) -> str:
    """Lay out a project whose micrographs are links to a few large files."""
    from bench_speed import make_files
    from csemu.seed import seed_project

    raw, links = folder / "raw", folder / "micrographs"
    raw.mkdir()
    links.mkdir()
    make_files(raw, DISTINCT, (options.size, options.size), options.diameter)
    files = sorted(raw.glob("*.mrc"))
    for number in range(options.count):
        # Hard links: another name, the same pages in the cache.
        os.link(files[number % len(files)], links / f"mic_{number:05d}.mrc")
    made = seed_project(store, [str(path) for path in sorted(links.iterdir())])
    return str(made["project_uid"])


def seed_rows(store: object, options: argparse.Namespace) -> str:
    """Lay out a project of many exposures, all of one small file, and many particles."""
    import mrcfile
    from csemu.seed import complete, new_rows, write_output

    project = store.create_project("rows").uid  # type: ignore[attr-defined]
    store.create_workspace(project, "rows")  # type: ignore[attr-defined]
    job = store.create_job(project, "W1", "import_micrographs")  # type: ignore[attr-defined]
    with mrcfile.new(store.jdir(job) / "m.mrc") as mrc:  # type: ignore[attr-defined]
        mrc.set_data(np.zeros((64, 64), np.float32))
    n = options.exposures
    blob, scope = ("micrograph_blob",) * 2, ("mscope_params",) * 2
    rows = new_rows(np.arange(1, n + 1), "exposure", [blob, scope])
    rows["micrograph_blob/path"] = np.array([f"J1/m.mrc#{k}" for k in range(n)], dtype=object)
    rows["micrograph_blob/shape"] = np.full((n, 2), 4096, np.uint32)
    rows["micrograph_blob/psize_A"] = np.full(n, 1.0, np.float32)
    write_output(store, job, "exposures", "exposure", rows, [blob, scope])
    complete(store, job)
    labels = store.create_job(project, "W1", "manual_picker")  # type: ignore[attr-defined]
    location, aligned = ("location",) * 2, ("alignments2D",) * 2
    m, rng = options.picks, np.random.default_rng(0)
    parts = new_rows(np.arange(1, m + 1), "particle", [location, aligned])
    at = np.arange(m) * n // m
    parts["location/micrograph_uid"] = (at + 1).astype(np.uint64)
    parts["location/micrograph_path"] = np.array(rows["micrograph_blob/path"])[at]
    parts["location/micrograph_shape"] = np.full((m, 2), 4096, np.uint32)
    parts["location/center_x_frac"] = rng.random(m, dtype=np.float32)
    parts["location/center_y_frac"] = rng.random(m, dtype=np.float32)
    parts["alignments2D/shift"] = rng.normal(size=(m, 2)).astype(np.float32)
    parts["alignments2D/psize_A"] = np.full(m, 4.0, np.float32)
    write_output(store, labels, "particles", "particle", parts, [location, aligned])
    complete(store, labels)
    return str(project)


def speed(options: argparse.Namespace, about: dict[str, str]) -> None:
    """Pick from the folder and through the server, in turns."""
    from bench_speed import make_model

    from frostpick.settings import PickSettings
    from frostpick_jobs import api
    from frostpick_jobs.hosts.cryosparc import run
    from frostpick_jobs.hosts.cryosparc.request import JobRequest
    from frostpick_jobs.hosts.cryosparc.server.connect import connect
    from frostpick_jobs.hosts.cryosparc.server.references import OutputRef
    from frostpick_jobs.tasks.declarations import PICK

    folder = Path(about["folder"])
    model = folder / "model"
    make_model(options.network).save(model)
    files = folder / "micrographs"
    for file in files.iterdir():
        file.read_bytes()
    given = {"diameter": options.diameter, "threads": options.threads, "device": "cpu"}
    settings = PickSettings(model=str(model), **given)
    server = connect(about["url"])
    inputs = {"micrographs": (OutputRef("J2", "exposures"),)}
    request = JobRequest(PICK, about["project"], "W1", inputs=inputs)

    def from_folder(number: int) -> None:
        # The header's 1 A counts as unknown.
        out = folder / f"out{number}"
        api.pick(out, micrographs=files, model=model, pixel_size=1.0, **given)

    def through_server(number: int) -> None:
        assert run.run_task_for_exit_code(server, request, settings, spool=folder / "spool") == 0

    spent: dict[str, list[tuple[float, float]]] = {"folder": [], "cryosparc": []}
    kinds: dict[str, Callable[[int], None]] = {"folder": from_folder, "cryosparc": through_server}
    for number in range(options.repeats):
        for name in list(kinds) if number % 2 == 0 else list(kinds)[::-1]:
            wall, used = time.perf_counter(), time.process_time()
            kinds[name](number)
            spent[name].append((time.perf_counter() - wall, time.process_time() - used))
    server.close()
    print(
        f"\n{options.count} micrographs of {options.size} x {options.size}, {options.network}, CPU"
    )
    middle = {}
    for name, times in spent.items():
        middle[name] = [statistics.median(column) for column in zip(*times, strict=True)]
        wall, used = middle[name]
        print(
            f"{name:10} {wall:8.2f} s, processor {used:8.2f} s, {wall / options.count:.3f} s each"
        )
    wall, used = (middle["cryosparc"][k] / middle["folder"][k] for k in (0, 1))
    print(f"through the server / from a folder: {wall:.3f} (processor {used:.3f}); target 1.1")
    runs = ", ".join(f"{a:.1f}/{b:.1f}" for (a, _), (b, _) in zip(*spent.values(), strict=True))
    print(f"each run, folder/cryosparc: {runs} s")


def size(options: argparse.Namespace, about: dict[str, str]) -> None:
    """Read exposures and particles, and write as many picks, through the real client."""
    from frostpick.picking.threshold import Cut
    from frostpick.types import Picks
    from frostpick_jobs.hosts.cryosparc.ports import find_input, ports
    from frostpick_jobs.hosts.cryosparc.read.exposures import as_micrographs, read_exposures
    from frostpick_jobs.hosts.cryosparc.read.inputs import (
        exposure_slots,
        load_parts,
        particle_slots,
    )
    from frostpick_jobs.hosts.cryosparc.read.particle_labels import read_labels
    from frostpick_jobs.hosts.cryosparc.read.sources import find_project_files
    from frostpick_jobs.hosts.cryosparc.request import JobRequest
    from frostpick_jobs.hosts.cryosparc.server.connect import connect
    from frostpick_jobs.hosts.cryosparc.server.references import OutputRef
    from frostpick_jobs.hosts.cryosparc.server.wiring import prepare_job
    from frostpick_jobs.hosts.cryosparc.write.outputs import save_micrographs, save_picks
    from frostpick_jobs.hosts.cryosparc.write.pick_table import RowCollector
    from frostpick_jobs.job.host import MicrographOutput
    from frostpick_jobs.tasks.declarations import PICK, TRAIN

    server = connect(about["url"])
    exposures_of, particles_of = OutputRef("J1", "exposures"), OutputRef("J2", "particles")

    def said(what: str, began: float) -> None:
        seconds = time.perf_counter() - began
        print(f"{what:40} {seconds:7.1f} s, peak memory so far {peak_GB():.2f} GB")

    began = time.perf_counter()
    place, given = (about["project"], "W1"), {"micrographs": (exposures_of,)}
    labelled_too = {**given, "labels": (particles_of,)}
    job = prepare_job(server, JobRequest(TRAIN, *place, inputs=labelled_too))
    view = job.look()
    slot = "micrograph_blob"
    exposure_input, particle_input = (find_input(view, TRAIN, port) for port in ports(TRAIN))
    parts = load_parts(
        server, job.project, job.controller, exposure_input, lambda a: exposure_slots(a, slot)
    )
    exposures = read_exposures(list(parts.values()), slot)
    files = find_project_files(server, job.project, Path(about["folder"]))
    micrographs = as_micrographs(exposures, files)
    said(f"{len(micrographs)} exposures read", began)

    began = time.perf_counter()
    labelled = load_parts(server, job.project, job.controller, particle_input, particle_slots)
    labels = read_labels(labelled, exposures, micrographs)
    said(f"{sum(map(len, labels.values()))} particles read as labels", began)
    del labelled, labels

    began = time.perf_counter()
    picking = prepare_job(server, JobRequest(PICK, *place, inputs=given))
    picking.start()
    each, rng = options.picks // len(micrographs), np.random.default_rng(1)

    def outputs() -> Iterator[MicrographOutput]:
        for micrograph in micrographs:
            x, y = rng.uniform(0, 4095, (2, each))
            scored = Picks.from_xy(micrograph.id, x, y, score=rng.normal(size=each))
            picks = Cut(0.0).select(scored)
            yield MicrographOutput(micrograph, picks, (4096, 4096), 1.0)

    collector = RowCollector(exposures, 1)
    for output in outputs():
        collector.add(output)
    rows = collector.rows()
    save_picks(picking, rows, exposures, 100.0)
    save_micrographs(picking, list(parts.values()), exposures.uid.tolist())
    picking.complete()
    saved = picking.look().outputs
    said(f"{saved['particles_all'].items} and {saved['particles'].items} picks written", began)
    server.close()
    print("target: under 2 GB")


def peak_GB() -> float:
    """Return this program's own peak memory: ``getrusage`` also counts who started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (peak,) = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(peak) / 1e6


def wait_for(port: int) -> None:
    """Wait until the server answers."""
    import socket

    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("the server did not start")


if __name__ == "__main__":
    main()
