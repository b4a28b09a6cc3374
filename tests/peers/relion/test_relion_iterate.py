"""External iterate -> External pick in the real RELION 3.1, from picks made by hand."""

import csv
import json

import numpy as np
import pytest
from waits import LONG

from frostpick.models.picking_model import PickingModel

pytestmark = [pytest.mark.relion, pytest.mark.slow]
MICROGRAPHS = {"in_mic": "JoinStar/job003/join_mics.star"}
MANUAL = "ManualPick/job090/"
# The smallest course with a round in it: the point is the way, not the accuracy.
SHORT = {"diameter": 120, "network": "conv31", "steps": 50, "rounds": 1, "device": "cpu"}


@pytest.fixture(scope="module")
def done(imported, tmp_path_factory):
    """Three quarters of the true particles, and one round of iterating on them."""
    project = imported.copy(tmp_path_factory.mktemp("iterate") / "project")
    for name, truth in project.truth.items():
        path = project.folder / MANUAL / f"{name.rpartition('.')[0]}_manualpick.star"
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = np.arange(len(truth.x)) % 4 != 3
        rows = "".join(
            f"{x:.6f} {y:.6f}\n" for x, y in zip(truth.x[kept], truth.y[kept], strict=True)
        )
        path.write_text(f"\ndata_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n{rows}\n")
    (project.folder / MANUAL / "coords_suffix_manualpick.star").write_text(
        MICROGRAPHS["in_mic"] + "\n"
    )
    inputs = MICROGRAPHS | {"in_coords": f"{MANUAL}coords_suffix_manualpick.star"}
    job = project.external("iterate", inputs=inputs, threads=1, **SHORT)
    assert project.run(job, timeout=4 * LONG) == "finished", project.output(job)
    return project, job


def test_rounds_model_and_record(done):
    project, job = done
    folder = project.folder / job
    assert project.markers(job) == ["SUCCESS"]
    assert project.nodes(job) == {"logfile.pdf": 13}
    record = json.loads((folder / "run.json").read_text())
    expected = sum(int((np.arange(len(t.x)) % 4 != 3).sum()) for t in project.truth.values())
    assert record["task"] == "iterate" and record["counts"]["labels"] == expected
    rows = list(csv.DictReader((folder / "rounds.csv").read_text().splitlines()))
    assert [int(row["round"]) for row in rows] == [0, 1]
    for name in ("rounds/round_00", "rounds/round_01", "model"):
        card = PickingModel.load(folder / name).card
        assert card.network.name == "conv31" and card.diameter_A == 120


def test_relion_picks_with_the_model_and_extracts(done):
    project, job = done
    options = {"model": f"{job}model", "device": "cpu"}
    pick = project.external("pick", inputs=MICROGRAPHS, threads=1, **options)
    assert project.run(pick) == "finished", project.output(pick)
    assert project.nodes(pick) == {"coords_suffix_autopick.star": 2, "logfile.pdf": 13}
    count = sum(len(project.picks(pick, name)) for name in project.truth)
    boxes = list(project.boxes(project.extract(pick, size=32)))
    assert 0 < len(boxes) <= count
