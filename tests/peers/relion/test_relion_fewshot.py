"""External fewshot -> Extract in the real RELION 3.1, from a dozen picks on one micrograph."""

import json

import pytest

from frostpick.models.picking_model import PickingModel

pytestmark = [pytest.mark.relion, pytest.mark.slow]
MICROGRAPHS = {"in_mic": "JoinStar/job003/join_mics.star"}
MANUAL = "ManualPick/job090/"
# A few steps: the point is the way from exemplars to particles, not the accuracy.
SHORT = {"diameter": 120, "method": "cryomae", "encoder": "none", "steps": 3, "output_picks": "all"}


@pytest.fixture(scope="module")
def done(imported, tmp_path_factory):
    project = imported.copy(tmp_path_factory.mktemp("fewshot") / "project")
    name, truth = max(project.truth.items(), key=lambda item: len(item[1].x))
    path = project.folder / MANUAL / f"{name.rpartition('.')[0]}_manualpick.star"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = "".join(f"{x:.6f} {y:.6f}\n" for x, y in zip(truth.x[:9], truth.y[:9], strict=True))
    path.write_text(f"\ndata_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n{rows}\n")
    (project.folder / MANUAL / "coords_suffix_manualpick.star").write_text(
        MICROGRAPHS["in_mic"] + "\n"
    )
    inputs = MICROGRAPHS | {"in_coords": f"{MANUAL}coords_suffix_manualpick.star"}
    job = project.external("fewshot", inputs=inputs, **SHORT)
    assert project.run(job) == "finished", project.output(job)
    return project, job


def test_picks_model_and_record(done):
    project, job = done
    assert project.markers(job) == ["SUCCESS"]
    nodes = project.nodes(job)
    assert f"{job}coords_suffix_autopick.star" in {f"{job}{name}" for name in nodes}
    record = json.loads((project.folder / job / "run.json").read_text())
    assert record["task"] == "fewshot" and record["exemplars"] == 9
    model = PickingModel.load(project.folder / job / "model")
    assert model.card.kind == "exemplar" and model.card.diameter_A == 120


def test_relion_extracts_the_picks(done):
    project, job = done
    counts = json.loads((project.folder / job / "run.json").read_text())["counts"]
    assert counts["picks"] > 0
    boxes = list(project.boxes(project.extract(job)))
    # RELION leaves out the few whose box is cut by an edge
    assert 0.5 * counts["picks"] < len(boxes) <= counts["picks"]
