#!/usr/bin/env python3
"""From a few hundred picks to extracted particles, in CryoSPARC, without a click.

Trains on the picks of a job, picks all micrographs, and hands the picks to Inspect
Picks and Extract From Micrographs, as docs/cryosparc.md says.

    python train_pick_extract.py P3 W1 --micrographs J10.exposures --particles J12.particles \
        --diameter 180 --box 256 --lane default
"""

import argparse
import logging
import sys

from frostpick.errors import FrostpickError
from frostpick.settings import PickSettings, TrainSettings
from frostpick_jobs.hosts.cryosparc import run
from frostpick_jobs.hosts.cryosparc.request import JobRequest
from frostpick_jobs.hosts.cryosparc.server.connect import connect
from frostpick_jobs.hosts.cryosparc.server.references import parse_output
from frostpick_jobs.tasks.declarations import PICK, TRAIN


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("project", help="such as P3")
    parser.add_argument("workspace", help="such as W1")
    parser.add_argument("--micrographs", required=True, help="such as J10.exposures")
    parser.add_argument("--particles", required=True, help="such as J12.particles")
    parser.add_argument("--diameter", type=float, required=True, help="longest dimension in A")
    parser.add_argument("--box", type=int, required=True, help="extraction box in pixels")
    parser.add_argument("--lane", help="lane for Extract; none runs it on the master")
    parser.add_argument("--url", help="CryoSPARC; else CRYOSPARC_BASE_URL")
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--steps", type=int, help="length of each pass of the training; fitted when left out"
    )
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    for name in ("frostpick", "frostpick_jobs"):
        logging.getLogger(name).setLevel(logging.INFO)

    server = connect(options.url)
    try:
        picked = train_and_pick(server, options)
        extracted = extract(server.client, options, picked)
    except FrostpickError as error:
        sys.exit(f"frostpick: {error}")
    finally:
        server.close()
    print(f"picks {picked}.particles, boxes {extracted}.particles")


def train_and_pick(server, options) -> str:
    """Return the number of the picking job."""
    micrographs = (parse_output(options.micrographs, "--micrographs"),)
    particles = (parse_output(options.particles, "--particles"),)
    place = {"project": options.project, "workspace": options.workspace}
    training = JobRequest(TRAIN, inputs={"micrographs": micrographs, "labels": particles}, **place)
    picking = JobRequest(PICK, inputs={"micrographs": micrographs}, **place)

    learn = TrainSettings(diameter=options.diameter, device=options.device, steps=options.steps)
    trained = number(run.run_task(server, training, learn))
    return number(run.run_task(server, picking, PickSettings(model=trained, device=options.device)))


def number(result) -> str:
    """Return the number of a result's job, ``J20`` of ``P3-J20``.

    A title does not tell one's own job from that of another user, who may run this script too.
    """
    print(f"done: {result.job}")
    return result.job.partition("-")[2]


def extract(client, options, picked: str) -> str:
    """Pass all picks through Inspect Picks at frostpick's threshold, and extract the rest."""
    project = client.find_project(options.project)
    selected = project.find_job(picked).load_output("particles", slots=["pick_stats"])
    inspect = project.create_job(
        options.workspace,
        "inspect_picks_v2",
        connections={
            "micrographs": (picked, "micrographs"),
            "particles": (picked, "particles_all"),
        },
    )
    inspect.queue()
    inspect.wait_for_status("waiting")
    threshold = float(min(selected["pick_stats/power"], default=0.0))
    inspect.interact("set_thresholds", {"ncc_score_thresh": 0.0, "lpower_thresh_min": threshold})
    inspect.interact("shutdown_interactive")
    inspect.wait_for_done(error_on_incomplete=True)
    boxes = project.create_job(
        options.workspace,
        "extract_micrographs_cpu_parallel",
        params={"box_size_pix": options.box},
        connections={
            "micrographs": (inspect.uid, "micrographs"),
            "particles": (inspect.uid, "particles"),
        },
    )
    boxes.queue(options.lane)
    boxes.wait_for_done(error_on_incomplete=True)
    return boxes.uid


if __name__ == "__main__":
    main()
