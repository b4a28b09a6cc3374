"""Prune in the real RELION 3.1: a coordinate node for Extract, particles for Select and Class2D."""

import csv
import subprocess

import numpy as np
import pytest
from tiny_pruner import tiny_pruner
from waits import LONG

pytestmark = pytest.mark.relion
MICROGRAPHS = {"in_mic": "JoinStar/job003/join_mics.star"}
MANUAL = "ManualPick/job090/"
KEEP = {"diameter": 120, "threshold": "0", "border": 0, "contrast": "dark", "device": "cpu"}

SCORE = {name: value for name, value in KEEP.items() if name not in ("threshold", "border")}


@pytest.fixture(scope="module")
def project(imported, tmp_path_factory):
    """Every true particle and as many places in between, picked by a hand that shakes."""
    project = imported.copy(tmp_path_factory.mktemp("prune") / "project")
    tiny_pruner().save(project.folder / "tiny")
    rng = np.random.default_rng(3)
    for name, truth in project.truth.items():
        apart = 0.9 * 120 / truth.pixel_size_A
        xy = [(x, y) for x, y in zip(truth.x, truth.y, strict=True)]
        empty = []
        while len(empty) < 8:
            x, y = rng.integers(40, truth.shape[1] - 40), rng.integers(40, truth.shape[0] - 40)
            if all((x - a) ** 2 + (y - b) ** 2 > apart**2 for a, b in xy):
                empty.append((float(x), float(y)))
        path = project.folder / MANUAL / f"{name.rpartition('.')[0]}_manualpick.star"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = "".join(f"{x:.6f} {y:.6f}\n" for x, y in [*xy, *empty])
        path.write_text(f"\ndata_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n{rows}\n")
    list_file = project.folder / MANUAL / "coords_suffix_manualpick.star"
    list_file.write_text(MICROGRAPHS["in_mic"] + "\n")
    return project


def is_true(project, name, x, y):
    truth = project.truth[name]
    near = np.hypot(truth.x - x, truth.y - y).min(initial=np.inf)
    return bool(near < 0.25 * 120 / truth.pixel_size_A)


def test_pruned_coordinates_are_extracted(project):
    inputs = MICROGRAPHS | {"in_coords": f"{MANUAL}coords_suffix_manualpick.star"}
    job = project.external("prune", inputs=inputs, pruner="tiny", **KEEP)
    assert project.run(job) == "finished", project.output(job)
    assert project.nodes(job) == {"coords_suffix_autopick.star": 2, "logfile.pdf": 13}
    recall, precision = project.recall_and_precision(job)
    print(f"tiny pruner through RELION: recall {recall:.3f}, precision {precision:.3f}")
    assert recall >= 0.9 and precision >= 0.9
    count = sum(len(project.picks(job, name)) for name in project.truth)
    assert len(list(project.boxes(project.extract(job)))) == count


def test_pruned_particles_go_through_select_and_class2d(project):
    extract = project.extract(MANUAL, "coords_suffix_manualpick.star", size=96)
    before = list(project.boxes(extract))
    particles = f"{extract}particles.star"
    job = project.external("prune", inputs={"in_part": particles}, pruner="tiny", **KEEP)
    assert project.run(job) == "finished", project.output(job)
    assert project.nodes(job) == {"particles.star": 3, "rejected.star": 3, "logfile.pdf": 13}
    table = list(csv.DictReader((project.folder / job / "scores.csv").read_text().splitlines()))
    kept = [row["keep"] == "1" for row in table]
    right = [
        keep == is_true(project, name, x, y)
        for keep, (name, x, y, _) in zip(kept, before, strict=True)
    ]
    assert np.mean(right) >= 0.9
    lines = (project.folder / particles).read_text().splitlines()
    ours = (project.folder / job / "particles.star").read_text().splitlines()
    rows = iter(kept)
    assert ours == [line for line in lines if "@Extract" not in line or next(rows)]
    select = project.add(
        "Select",
        fn_data=f"{job}particles.star",
        do_select_values="Yes",
        select_label="rlnCoordinateX",
        select_minval=0,
        select_maxval=9999,
    )
    assert project.run(select) == "finished", project.output(select)
    selected = project.folder / select / "particles.star"
    assert selected.read_text().count("@Extract") == sum(kept)
    (project.folder / "Class2D").mkdir()
    command = "relion_refine --o Class2D/run --iter 1 --K 1 --particle_diameter 150 --tau2_fudge 2 "
    command += "--zero_mask --oversampling 0 --psi_step 45 --offset_range 2 --offset_step 2 --norm "
    command += f"--scale --flatten_solvent --dont_check_norm --j 1 --i {select}particles.star"
    done = subprocess.run(
        command.split(), cwd=project.folder, capture_output=True, text=True, timeout=LONG
    )
    assert done.returncode == 0, done.stdout + done.stderr
    data = (project.folder / "Class2D/run_it001_data.star").read_text()
    assert data.count("@Extract") == sum(kept)


def test_verified_coordinates_are_extracted(project):
    inputs = MICROGRAPHS | {"in_coords": f"{MANUAL}coords_suffix_manualpick.star"}
    job = project.external("verify", inputs=inputs, pruner="tiny", **SCORE)
    assert project.run(job) == "finished", project.output(job)
    assert project.markers(job) == ["SUCCESS"]
    assert project.nodes(job) == {"coords_suffix_autopick.star": 2, "logfile.pdf": 13}
    right = []
    for name, truth in project.truth.items():
        picks = project.picks(job, name)
        text = (project.folder / MANUAL / f"{name.rpartition('.')[0]}_manualpick.star").read_text()
        lines = [line.split() for line in text.splitlines() if line[:1].isdigit()]
        given = np.array(lines, dtype=np.float64)
        assert (picks[:, :2] == given).all() and len(picks) == len(truth.x) + 8
        right += ((picks[:, 2] > 0) == [is_true(project, name, x, y) for x, y in given]).tolist()
    assert np.mean(right) >= 0.9
    # RELION itself leaves out boxes that an edge of the micrograph cuts
    boxes = list(project.boxes(project.extract(job, size=32)))
    assert 0.8 * len(right) < len(boxes) <= len(right)


def test_centres_off_the_image_stay_in_their_row_and_do_not_stop_extract(project):
    name, truth = next(iter(project.truth.items()))
    manual = "ManualPick/job091/"
    off = [(-60.0, 50.0), (truth.shape[1] + 200.0, 70.0), (60.0, truth.shape[0] + 3.0)]
    inside = [(truth.x[k], truth.y[k]) for k in range(4)]  # most: else it is a wrong scale
    given = [inside[0], *off, *inside[1:]]
    path = project.folder / manual / f"{name.rpartition('.')[0]}_manualpick.star"
    path.parent.mkdir(parents=True)
    rows = "".join(f"{x:.6f} {y:.6f}\n" for x, y in given)
    path.write_text(f"\ndata_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n{rows}\n")
    list_file = project.folder / manual / "coords_suffix_manualpick.star"
    list_file.write_text(MICROGRAPHS["in_mic"] + "\n")
    job = project.external(
        "verify",
        inputs=MICROGRAPHS | {"in_coords": f"{manual}{list_file.name}"},
        pruner="tiny",
        **SCORE,
    )
    assert project.run(job) == "finished", project.output(job)
    assert "3 centres lie off their micrographs" in project.output(job)
    picks = project.picks(job, name)
    nearest = [(0, 50), (truth.shape[1] - 1, 70), (60, truth.shape[0] - 1)]
    assert picks[:, :2].tolist() == [list(one) for one in (inside[0], *nearest, *inside[1:])]
    assert (picks[1:4, 2] == -999).all() and (picks[[0, 4, 5, 6], 2] > 0).all()
    table = list(csv.DictReader((project.folder / job / "scores.csv").read_text().splitlines()))
    assert [(float(row["x_px"]), float(row["y_px"])) for row in table] == given
    extract = project.extract(job, size=32)
    found = {(x, y) for _, x, y, _ in project.boxes(extract)}
    assert {(x, y) for x, y in (given[0], given[-1])} <= found
    # what RELION does with the rows as they were given
    stopped = project.add(
        "Extract",
        star_mics="JoinStar/job003/join_mics.star",
        coords_suffix=f"{manual}{list_file.name}",
        extract_size=32,
        do_norm="No",
        do_invert="No",
    )
    assert project.run(stopped) == "failed"
    assert "outside micrograph" in project.output(stopped)


def test_verified_particles_are_selected_by_their_score_and_their_spread(project):
    extract = project.extract(MANUAL, "coords_suffix_manualpick.star", size=96)
    particles = f"{extract}particles.star"
    job = project.external("verify", inputs={"in_part": particles}, pruner="tiny", **SCORE)
    assert project.run(job) == "finished", project.output(job)
    assert project.nodes(job) == {"particles.star": 3, "logfile.pdf": 13}
    table = list(csv.DictReader((project.folder / job / "scores.csv").read_text().splitlines()))
    assert len(table) == len(list(project.boxes(extract)))
    median = float(np.median([float(row["spread"]) for row in table]))
    for label, column, above, below in (
        ("rlnAutopickFigureOfMerit", "score", 0.0, 9999),
        ("rlnParticleSelectZScore", "spread", 0.0, median),
    ):
        select = project.add(
            "Select",
            fn_data=f"{job}particles.star",
            do_select_values="Yes",
            select_label=label,
            select_minval=above,
            select_maxval=f"{below:.6f}",
        )
        assert project.run(select) == "finished", project.output(select)
        text = (project.folder / select / "particles.star").read_text()
        near = [row for row in table if abs(float(row[column]) - below) < 1e-3]
        wanted = {r["image"] for r in table if above <= float(r[column]) <= below}
        found = {word for word in text.split() if "@Extract" in word}
        assert found ^ wanted <= {row["image"] for row in near} and 0 < len(found) < len(table)
