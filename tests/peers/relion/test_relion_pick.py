"""Import -> External pick -> Extract in the real RELION 3.1."""

import mrcfile
import numpy as np
import pytest

pytestmark = pytest.mark.relion
MICROGRAPHS = {"in_mic": "JoinStar/job003/join_mics.star"}


@pytest.fixture(scope="module")
def picked(imported):
    job = imported.external("pick", inputs=MICROGRAPHS, model="blob", diameter=120)
    status = imported.run(job)
    assert status == "finished", imported.output(job)
    return imported, job


def test_relion_takes_up_the_nodes(picked):
    project, job = picked
    assert project.markers(job) == ["SUCCESS"]
    assert project.nodes(job) == {"coords_suffix_autopick.star": 2, "logfile.pdf": 13}
    for name in (*project.nodes(job), "report.html", "run.json", "autopick.star"):
        assert (project.folder / job / name).stat().st_size > 0
    assert (project.folder / job / "logfile.pdf").read_bytes().startswith(b"%PDF")
    text = (project.folder / job / "coords_suffix_autopick.star").read_text()
    assert text == "JoinStar/job003/join_mics.star\n"
    assert (project.folder / job / "run.err").read_text() == ""


def test_pipeline_control_was_appended(picked):
    """The program's path has ``relion_`` in it, so RELION appends a flag of its own."""
    project, job = picked
    assert f"--pipeline_control {job}" in (project.folder / job / "note.txt").read_text()


def test_files_are_mirrored_and_nothing_else_is_written(picked):
    project, job = picked
    folder = project.folder / job
    found = {str(p.relative_to(folder)) for p in folder.rglob("*_autopick.star")}
    expected = {name.rpartition(".")[0] + "_autopick.star" for name in project.truth}
    assert found == expected | {"coords_suffix_autopick.star"}
    assert len(project.picks(job, "Micrographs/gridB/blank.mrc")) == 0
    assert not list(project.folder.glob("**/*.tmp"))
    assert not list((project.folder / "Micrographs").rglob("*.star"))


def test_every_box_is_the_micrograph_at_the_written_position(picked):
    project, job = picked
    extract = project.extract(job)
    images = {}
    for name in project.truth:
        with mrcfile.open(project.folder / name) as handle:
            images[name] = np.pad(handle.data, 64, mode="edge")
    count = 0
    for name, x, y, box in project.boxes(extract):
        assert (x, y) == (int(x), int(y))
        column, row = int(x) + 64, int(y) + 64
        expected = images[name][row - 32 : row + 32, column - 32 : column + 32]
        np.testing.assert_array_equal(box, expected)
        count += 1
    assert count == sum(len(project.picks(job, name)) for name in project.truth)
    assert count > 60


def test_recall_and_precision(picked, record_property):
    project, job = picked
    recall, precision = project.recall_and_precision(job)
    print(f"blob through RELION: recall {recall:.3f}, precision {precision:.3f}")
    record_property("recall", recall)
    record_property("precision", precision)
    assert recall >= 0.9
    assert precision >= 0.9


def test_no_mean_shift(picked):
    """Picks are rounded, not truncated, and neither swapped nor flipped."""
    project, job = picked
    shifts = []
    for name, truth in project.truth.items():
        for x, y, _ in project.picks(job, name):
            dx, dy = truth.x - x, truth.y - y
            near = np.hypot(dx, dy).argmin() if len(truth.x) else None
            if near is not None and np.hypot(dx[near], dy[near]) < 8:
                shifts.append((dx[near], dy[near]))
    mean = np.mean(shifts, axis=0)
    print(f"mean shift x {mean[0]:.3f}, y {mean[1]:.3f} px over {len(shifts)} picks")
    assert np.abs(mean).max() < 0.25


def test_extract_takes_everything_above_the_floor(picked, tmp_path):
    """Hundreds of weak picks, those at the border included, and not one off the image."""
    project, job = picked[0].copy(tmp_path / "project"), picked[1]
    before = sum(len(project.picks(job, name)) for name in project.truth)
    project.edit(job, "other_args", '"--output-picks all"')
    assert project.run(job) == "finished", project.output(job)
    picks = [project.picks(job, name) for name in project.truth]
    assert sum(map(len, picks)) > 1.5 * before
    assert len(list(project.boxes(project.extract(job)))) == sum(map(len, picks))
