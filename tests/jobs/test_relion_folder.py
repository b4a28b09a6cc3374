"""What lies in a RELION job folder: generation, nodes, names, exit files."""

import shutil
from pathlib import Path

import pytest

from frostpick.errors import InputError
from frostpick_jobs.hosts.relion import markers
from frostpick_jobs.hosts.relion.generation import Generation, detect_generation
from frostpick_jobs.hosts.relion.nodes import NodeKind, write_nodes
from frostpick_jobs.hosts.relion.paths import check_tails, coordinate_file

pytestmark = pytest.mark.quick

GOLDEN = Path(__file__).parent / "relion_golden"
GENERATIONS = [
    ("relion3", Generation.RELION_3),
    ("relion4", Generation.RELION_4),
    ("relion5", Generation.RELION_5),
]


@pytest.mark.parametrize(("name", "generation"), GENERATIONS)
@pytest.mark.parametrize("files", [("job_pipeline.star", "job.star"), ("job_pipeline.star",)])
def test_generation(tmp_path, name, generation, files):
    for file in files:
        shutil.copy(GOLDEN / f"{name}_{file}", tmp_path / file)
    assert detect_generation(tmp_path) is generation


@pytest.mark.parametrize(("name", "generation"), GENERATIONS)
def test_generation_of_a_job_without_inputs(tmp_path, name, generation):
    lines = (GOLDEN / f"{name}_job_pipeline.star").read_text().splitlines()
    kept = [line for line in lines if not line.startswith("Import/job001")]
    (tmp_path / "job_pipeline.star").write_text("\n".join(kept) + "\n")
    shutil.copy(GOLDEN / f"{name}_job.star", tmp_path / "job.star")
    assert detect_generation(tmp_path) is generation


def test_generation_of_an_empty_folder(tmp_path, caplog):
    assert detect_generation(tmp_path) is Generation.RELION_5
    assert "job_pipeline.star" in caplog.text


@pytest.mark.parametrize(("name", "generation"), GENERATIONS)
def test_nodes_file(tmp_path, name, generation):
    node = "coords_suffix_autopick.star" if name == "relion3" else "autopick.star"
    rows = [(node, NodeKind.COORDINATES), ("logfile.pdf", NodeKind.LOGFILE)]
    write_nodes(tmp_path, "External/job002/", rows, generation)
    written = (tmp_path / "RELION_OUTPUT_NODES.star").read_bytes()
    assert written == (GOLDEN / f"{name}_nodes.star").read_bytes()


#: Words in a node's label by which the GUI of a generation does not run relion_display on it.
NOT_DISPLAYED = {
    Generation.RELION_4: (
        *("MicrographsCoords.star.relion", "LogFile.pdf.relion"),
        *("ProcessData.txt.relion.polish.params", "ProcessData.star.relion.postprocess"),
    ),
    Generation.RELION_5: (
        *("MicrographCoordsGroup.star.relion", "LogFile.pdf.relion"),
        *("ParamsData.txt.relion.polish", "ProcessData.star.relion.postprocess"),
    ),
}


@pytest.mark.parametrize(("name", "generation"), GENERATIONS)
def test_nodes_of_a_training(tmp_path, name, generation):
    """3.1 has no integer for a model; 4 and 5 must not hand it to relion_display."""
    rows = [("model/model.json", NodeKind.MODEL), ("logfile.pdf", NodeKind.LOGFILE)]
    write_nodes(tmp_path, "External/job002/", rows, generation)
    written = (tmp_path / "RELION_OUTPUT_NODES.star").read_text()
    assert written == (GOLDEN / f"{name}_train_nodes.star").read_text()
    labels = [line.split()[2] for line in written.splitlines() if "model/model.json" in line]
    assert len(labels) == (generation in NOT_DISPLAYED)
    for label in labels:
        assert any(word in label for word in NOT_DISPLAYED[generation])
        # the word before the first dot is what the GUI sorts and offers nodes by
        assert label.split(".")[0] == "FrostpickModel"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("MotionCorr/job002/Movies/gridA/x.12.mrc", "Movies/gridA/x.12"),
        ("MotionCorr/job1002/x.mrc", "x"),
        ("Micrographs/gridA/mic_001.mrc", "Micrographs/gridA/mic_001"),
        ("Micrographs.d/no_extension", "Micrographs.d/no_extension"),
        ("Movies/job12/x.mrc", "Movies/job12/x"),
        ("myjob123/x.mrc", "myjob123/x"),
        ("./Micrographs/a.mrc", "./Micrographs/a"),
    ],
)
def test_place_of_coordinates(name, expected):
    assert coordinate_file(name) == f"{expected}_autopick.star"


def test_equal_stems_in_two_folders_are_fine():
    check_tails(["Micrographs/gridA/mic_001.mrc", "Micrographs/gridB/mic_001.mrc"])


@pytest.mark.parametrize(
    "names",
    [
        ["MotionCorr/job002/Movies/x.mrc", "MotionCorr/job003/Movies/x.mrc"],
        ["Movies/x.mrc", "Movies/x.tif"],
        ["Movies/x.mrc", "./Movies/x.mrc"],
    ],
)
def test_micrographs_that_collide_in_relion_are_refused(names):
    with pytest.raises(InputError, match="share the name") as caught:
        check_tails(names)
    assert all(name in str(caught.value) for name in names)


@pytest.mark.parametrize("name", ["/data/x.mrc", "../x.mrc", "Movies/../../x.mrc"])
def test_names_outside_the_project_are_refused(name):
    with pytest.raises(InputError, match=r"outside|leaves"):
        check_tails([name])


def test_one_exit_file(tmp_path):
    (tmp_path / markers.ABORT_NOW).touch()
    markers.mark(tmp_path, markers.SUCCESS)
    markers.mark(tmp_path, markers.FAILURE)
    assert sorted(p.name for p in tmp_path.iterdir()) == [markers.ABORT_NOW, markers.FAILURE]
    assert markers.present(tmp_path)
