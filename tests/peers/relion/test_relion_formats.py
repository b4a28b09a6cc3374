"""RELION's own programs as the judge of how we read and write its files."""

import shutil
import subprocess

import numpy as np
import pytest
from made_images import noise, write_mrc
from waits import LONG

from frostpick.types import Picks
from frostpick_jobs.formats import (
    StarTable,
    read_picks,
    read_star_blocks,
    write_micrograph_star,
    write_star_blocks,
)

pytestmark = pytest.mark.relion

MICROGRAPH = "Micrographs/a.mrc"
OPTICS = {
    "rlnOpticsGroupName": ["g1"],
    "rlnOpticsGroup": [1],
    "rlnMicrographOriginalPixelSize": [1.0],
    "rlnVoltage": [300.0],
    "rlnSphericalAberration": [2.7],
    "rlnAmplitudeContrast": [0.1],
}


@pytest.fixture
def project(tmp_path):
    """One micrograph of 2 A per pixel, binned twice from its movie, beside its list."""
    if shutil.which("relion_preprocess") is None:
        pytest.skip("RELION is not installed: relion_preprocess not found")
    write_mrc(tmp_path / MICROGRAPH, noise((300, 400), 0).astype(np.float32), 2.0)
    write_star_blocks(
        tmp_path / "micrographs.star",
        [
            StarTable("optics", OPTICS | {"rlnMicrographPixelSize": [2.0]}),
            StarTable("micrographs", {"rlnMicrographName": [MICROGRAPH], "rlnOpticsGroup": [1]}),
        ],
    )
    return tmp_path


def relion(project, program, *words):
    done = subprocess.run(
        [program, *words], cwd=project, capture_output=True, text=True, timeout=LONG
    )
    assert done.returncode == 0, done.stdout + done.stderr


def extract(project, *words):
    """Let RELION extract 32-pixel boxes and return its particles."""
    relion(
        project, "relion_preprocess", "--i", "micrographs.star", "--extract",
        "--extract_size", "32", "--part_dir", "out/", "--part_star", "out/particles.star", *words,
    )  # fmt: skip
    return project / "out/particles.star"


def test_recentring_is_relions(project):
    """Sign, and the pixel size: not that of the movie (1 A), nor of the binned image (4 A)."""
    image = {"rlnImagePixelSize": [4.0], "rlnImageSize": [32], "rlnImageDimensionality": [2]}
    particles = {
        "rlnCoordinateX": [100.0, 150.0, 200.0],
        "rlnCoordinateY": [120.0, 160.0, 220.0],
        "rlnMicrographName": [MICROGRAPH] * 3,
        "rlnImageName": [f"{n:06d}@old.mrcs" for n in (1, 2, 3)],
        "rlnOpticsGroup": [1] * 3,
        "rlnOriginXAngst": [6.0, 7.0, 0.0],
        "rlnOriginYAngst": [-10.0, 3.4, 0.0],
        "rlnAngleRot": [0.0] * 3,
        "rlnAngleTilt": [0.0] * 3,
        "rlnAnglePsi": [0.0] * 3,
    }
    tables = [StarTable("optics", OPTICS | image), StarTable("particles", particles)]
    write_star_blocks(project / "refined.star", tables)
    rows = np.arange(3)
    ours = np.column_stack(read_picks(project / "refined.star").centres(rows, 2.0))
    assert ours.tolist() == [[97.0, 125.0], [146.5, 158.3], [200.0, 220.0]]

    star = extract(project, "--reextract_data_star", "refined.star", "--recenter")
    theirs = read_picks(star)
    whole = np.column_stack([theirs.x_px, theirs.y_px])
    np.testing.assert_array_equal(whole, [[97, 125], [146, 158], [200, 220]])
    # RELION keeps the rest of the shift in its new file, which we read to the same place.
    again = np.column_stack(theirs.centres(rows, 2.0))
    np.testing.assert_allclose(again, ours, atol=1e-5)


def test_box_files_are_read_as_relion_reads_them(project):
    path = project / "Micrographs/a.box"
    path.write_text("10\t20\t32\t32\n50 60 31 31\n")
    theirs = read_picks(extract(project, "--coord_suffix", ".box", "--coord_dir", "./"))
    ours = read_picks(path)
    np.testing.assert_array_equal(ours.x_px, theirs.x_px)
    np.testing.assert_array_equal(ours.y_px, theirs.y_px)


def test_our_coordinate_file_is_extracted_at_every_edge(project):
    """Picks at the outermost pixels are accepted, and the score arrives."""
    picks = Picks.from_xy(
        "a", [-0.5, 399.49, 200.5, 399.5], [0, 299.49, 100.4, 0], score=[1.5, -2, 3, 4]
    )
    assert write_micrograph_star(project / "Micrographs/a_autopick.star", picks, (300, 400)) == 1
    star = extract(project, "--coord_suffix", "_autopick.star", "--coord_dir", "./")
    found = read_picks(star)
    assert list(zip(found.x_px, found.y_px, strict=True)) == [(0, 0), (399, 299), (201, 100)]
    assert found.score.tolist() == [1.5, -2, 3]
    assert found.micrograph == (MICROGRAPH,) * 3


def test_filaments_of_relion_are_read_as_it_means_them(project):
    """Two tubes of two lines each, cut by RELION: number and direction, on y downwards."""
    ends = {
        "rlnCoordinateX": [100.0, 300.0, 50.0, 50.0],
        "rlnCoordinateY": [50.0, 150.0, 40.0, 240.0],
    }
    write_star_blocks(project / "a_tube.star", [StarTable("", ends)])
    relion(
        project, "relion_helix_toolbox", "--extract_rln", "--segments", "--i_root", "_tube.star",
        "--o_root", "_segments.star", "--nr_asu", "1", "--rise", "60", "--angpix", "2",
        "--xdim", "400", "--ydim", "300", "--boxdim", "32",
    )  # fmt: skip
    table = read_picks(project / "a_segments.star")
    assert set(table.filament.tolist()) == {1, 2}
    for number, angle in ((1, np.degrees(np.arctan2(100, 200))), (2, 90.0)):
        on = table.filament == number
        assert on.sum() > 3
        np.testing.assert_allclose(table.angle_deg[on], angle, atol=1e-4)
        along = np.degrees(np.arctan2(np.diff(table.y_px[on]), np.diff(table.x_px[on])))
        np.testing.assert_allclose(along, angle, atol=1e-3)


def test_our_filaments_pass_through_extraction(project):
    """The particles that RELION makes of them still have filament and direction."""
    picks = Picks.from_xy(
        "a", [100, 150, 200], [120, 130, 140], filament=[1, 1, 2], angle_deg=[11.25, 11.25, -80]
    )
    write_micrograph_star(project / "Micrographs/a_autopick.star", picks, (300, 400))
    star = extract(project, "--coord_suffix", "_autopick.star", "--coord_dir", "./")
    found = read_picks(star)
    assert found.filament.tolist() == [1, 1, 2]
    assert found.angle_deg.tolist() == [11.25, 11.25, -80]
    columns = read_star_blocks(star)["particles"].columns
    assert [float(v) for v in columns["rlnAngleTiltPrior"]] == [90.0] * 3
    assert [float(v) for v in columns["rlnAnglePsi"]] == [-11.25, -11.25, 80.0]


def test_quoted_names_pass_through_relion(project):
    names = ["a b.mrc", "data_1.mrc", "_x.mrc", "it's.mrc", "m#3.mrc", "00012", "plain.mrc"]
    table = {
        "rlnMicrographName": names,
        "rlnOpticsGroup": [1] * len(names),
        "rlnDefocusU": [1.0 + n for n in range(len(names))],
    }
    optics = StarTable("optics", OPTICS | {"rlnMicrographPixelSize": [2.0]})
    write_star_blocks(project / "odd.star", [optics, StarTable("micrographs", table)])
    relion(
        project, "relion_star_handler", "--i", "odd.star", "--o", "kept.star",
        "--select", "rlnDefocusU", "--minval", "0",
    )  # fmt: skip
    assert (
        read_star_blocks(project / "kept.star")["micrographs"].columns["rlnMicrographName"] == names
    )
