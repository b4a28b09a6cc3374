"""RELION's own projector as the judge of our orientations; RELION's reader of our TIFF rows."""

from __future__ import annotations

import shutil
import subprocess

import mrcfile
import numpy as np
import pytest
import tifffile
from made_images import write_mrc
from waits import LONG

from frostpick.images import read_image
from frostpick.simulate import Protein, add_projection
from frostpick.simulate.proteins.views import euler_matrix

pytestmark = [
    pytest.mark.relion,
    pytest.mark.skipif(not shutil.which("relion_project"), reason="RELION is not installed"),
]

BLOBS = Protein(
    positions_A=np.array([[40.0, 0, 0], [0, 30.0, 0], [0, 0, 20.0], [-15, 22, -31.0]]),
    weights=np.array([1.0, 2.0, 4.0, 1.5]),
    sigma_A=9.0,
)
PIXEL_A = 4.0


def run(*command, cwd):
    subprocess.run(
        [str(c) for c in command], cwd=cwd, check=True, capture_output=True, timeout=LONG
    )


@pytest.mark.parametrize(
    "angles", [(0.0, 0.0, 0.0), (25.0, 60.0, -110.0), (-140.0, 35.0, 80.0), (70.0, 150.0, 10.0)]
)
def test_orientations_are_relions(tmp_path, angles):
    grid = np.arange(64) - 32.0
    z, y, x = np.meshgrid(grid, grid, grid, indexing="ij", sparse=True)
    sigma = np.hypot(BLOBS.sigma_A / PIXEL_A, 0.5)
    volume = np.zeros((64, 64, 64), np.float32)
    for (bx, by, bz), weight in zip(BLOBS.positions_A / PIXEL_A, BLOBS.weights, strict=True):
        volume += weight * np.exp(
            -((x - bx) ** 2 + (y - by) ** 2 + (z - bz) ** 2) / (2 * sigma**2)
        ).astype(np.float32)
    write_mrc(tmp_path / "volume.mrc", volume, PIXEL_A)
    rot, tilt, psi = angles
    run(
        "relion_project", "--i", "volume.mrc", "--o", "seen.mrc", "--angpix", PIXEL_A,
        "--rot", rot, "--tilt", tilt, "--psi", psi, cwd=tmp_path,
    )  # fmt: skip
    seen = mrcfile.read(tmp_path / "seen.mrc").reshape(64, 64)
    ours = np.zeros((64, 64), np.float32)
    add_projection(ours, BLOBS, euler_matrix(rot, tilt, psi), (32.0, 32.0), PIXEL_A)
    assert np.corrcoef(seen.ravel(), ours.ravel())[0, 1] > 0.999


def test_tiff_rows_are_read_as_relion_reads_them(tmp_path):
    """The pixel that Extract puts in the middle of a box is ours at the same (x, y)."""
    values = np.arange(40 * 64, dtype=np.float32).reshape(40, 64)
    tifffile.imwrite(tmp_path / "mic.tif", values)
    (tmp_path / "micrographs.star").write_text(
        "# version 30001\n\ndata_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnOpticsGroupName #2\n"
        "_rlnMicrographPixelSize #3\n_rlnVoltage #4\n_rlnSphericalAberration #5\n"
        "_rlnAmplitudeContrast #6\n1 og1 2.0 300 2.7 0.1\n\n# version 30001\n\n"
        "data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\nmic.tif 1\n"
    )
    x, y = 20, 10
    (tmp_path / "mic_pick.star").write_text(
        f"\ndata_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n{x} {y}\n"
    )
    run(
        "relion_preprocess", "--i", "micrographs.star", "--coord_dir", "./",
        "--coord_suffix", "_pick.star", "--part_star", "out/particles.star",
        "--part_dir", "out/", "--extract", "--extract_size", 8, cwd=tmp_path,
    )  # fmt: skip
    box = mrcfile.read(tmp_path / "out" / "mic.mrcs").reshape(8, 8)
    image = read_image(tmp_path / "mic.tif", "m").data
    np.testing.assert_array_equal(box, image[y - 4 : y + 4, x - 4 : x + 4])
