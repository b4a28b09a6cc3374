"""External train -> External pick -> Extract in the real RELION 3.1, from both kinds of picks."""

import json

import numpy as np
import pytest

pytestmark = pytest.mark.relion
MICROGRAPHS = {"in_mic": "JoinStar/job003/join_mics.star"}
MANUAL = "ManualPick/job090/"
# A short training: the point is the way from picks to picks, not the accuracy.
SHORT = {"diameter": 120, "steps": 50, "seed": 1, "network": "conv31"}


@pytest.fixture(scope="module")
def project(imported, tmp_path_factory):
    """Three quarters of the true particles, picked by hand."""
    project = imported.copy(tmp_path_factory.mktemp("train") / "project")
    _write_picks(project, MANUAL, "manualpick", shift_px=(0, 0))
    return project


def _write_picks(project, job, suffix, shift_px):
    """Write a 3.1 coordinates node; positions are the truth plus a shift."""
    folder = project.folder / job
    for name, truth in project.truth.items():
        path = folder / f"{name.rpartition('.')[0]}_{suffix}.star"
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = np.arange(len(truth.x)) % 4 != 3
        x, y = truth.x[kept] + shift_px[0], truth.y[kept] + shift_px[1]
        rows = "".join(f"{a:.6f} {b:.6f}\n" for a, b in zip(x, y, strict=True))
        path.write_text(f"\ndata_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n{rows}\n")
    (folder / f"coords_suffix_{suffix}.star").write_text(MICROGRAPHS["in_mic"] + "\n")


def _align(project, particles, shift_px):
    """Give every particle the alignment that a 2D classification would have found."""
    path = project.folder / particles
    head, mark, rows = path.read_text().partition("data_particles\n")
    lines = rows.splitlines()
    labels = [line.split()[0] for line in lines if line.startswith("_rln")]
    micrograph = labels.index("_rlnMicrographName")
    written = []
    for line in lines:
        words = line.split()
        if line.startswith("_rln") or len(words) != len(labels):
            written.append(line)
            continue
        size = project.truth[words[micrograph]].pixel_size_A
        written.append(f"{line} {shift_px[0] * size:.6f} {shift_px[1] * size:.6f}")
    end = max(n for n, line in enumerate(written) if line.startswith("_rln")) + 1
    names = [f"_rlnOrigin{axis}Angst #{len(labels) + n}" for n, axis in enumerate("XY", 1)]
    written[end:end] = names
    path.write_text(head + mark + "\n".join(written) + "\n")


@pytest.fixture(scope="module")
def trained(project):
    inputs = MICROGRAPHS | {"in_coords": f"{MANUAL}coords_suffix_manualpick.star"}
    job = project.external("train", inputs=inputs, **SHORT)
    assert project.run(job) == "finished", project.output(job)
    return project, job


def test_the_model_and_the_nodes(trained):
    project, job = trained
    assert project.markers(job) == ["SUCCESS"]
    assert project.nodes(job) == {"logfile.pdf": 13}
    for name in ("model/model.safetensors", "model/model.json", "run.json", "report.html"):
        assert (project.folder / job / name).stat().st_size > 0
    counts = json.loads((project.folder / job / "run.json").read_text())["counts"]
    expected = sum(int((np.arange(len(t.x)) % 4 != 3).sum()) for t in project.truth.values())
    assert counts == {"labels": expected, "labelled_micrographs": 4}


def test_continue_a_pick_with_the_trained_model_and_extract(trained, record_property):
    project, job = trained
    pick = project.external("pick", inputs=MICROGRAPHS, model="blob", diameter=120)
    assert project.run(pick) == "finished", project.output(pick)
    project.edit(pick, "param1_value", f"{job}model")
    assert project.run(pick) == "finished", project.output(pick)
    assert "model changed: 5 micrographs picked again" in project.output(pick)
    recall, precision = project.recall_and_precision(pick)
    print(f"trained through RELION: recall {recall:.3f}, precision {precision:.3f}")
    record_property("recall", recall)
    record_property("precision", precision)
    assert recall >= 0.85
    assert precision >= 0.85
    boxes = list(project.boxes(project.extract(pick)))
    assert len(boxes) == sum(len(project.picks(pick, name)) for name in project.truth)


def test_particles_are_recentred(project):
    """Picks 12 pixels off, put right by the alignment, teach what exact picks teach."""
    shift = (9, -8)
    _write_picks(project, "ManualPick/job091/", "manualpick", shift)
    extract = project.extract("ManualPick/job091/", "coords_suffix_manualpick.star")
    particles = f"{extract}particles.star"
    _align(project, particles, shift)
    options = SHORT | {"network": "resnet8"}
    job = project.external("train", inputs=MICROGRAPHS | {"in_part": particles}, **options)
    assert project.run(job) == "finished", project.output(job)
    pick = project.external("pick", inputs=MICROGRAPHS, model=f"{job}model/model.safetensors")
    assert project.run(pick) == "finished", project.output(pick)
    recall, precision = project.recall_and_precision(pick)
    print(f"trained on aligned particles: recall {recall:.3f}, precision {precision:.3f}")
    assert recall >= 0.85
    assert precision >= 0.85


def test_an_aborted_training_goes_on_to_the_same_model(trained):
    project, uninterrupted = trained
    inputs = MICROGRAPHS | {"in_coords": f"{MANUAL}coords_suffix_manualpick.star"}
    job = project.external("train", inputs=inputs, **SHORT)
    process = project.start(job)
    # the line before the first step: progress is told every few seconds, and may be the end's
    project.wait_for(lambda: "held out" in project.output(job))
    (project.folder / job / "RELION_JOB_ABORT_NOW").touch()
    project.finish(job, process)
    assert project.status(job) == "aborted", project.output(job)
    assert project.markers(job) == ["ABORTED"]
    assert not (project.folder / job / "model").exists()
    assert project.run(job) == "finished", project.output(job)
    cards = [(project.folder / j / "run.json").read_text() for j in (job, uninterrupted)]
    first, second = (json.loads(card)["model"]["digest"] for card in cards)
    assert first == second
