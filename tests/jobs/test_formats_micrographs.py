"""Lists of micrographs: names to the byte, the pixel size of the right group."""

from __future__ import annotations

import logging

import pytest

from frostpick.errors import InputError
from frostpick_jobs.formats import (
    read_micrograph_list,
    read_micrographs_star,
    relion_tail,
)
from frostpick_jobs.hosts.relion.paths import coordinate_file

pytestmark = pytest.mark.quick

TWO_GROUPS = """
# version 30001

data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographOriginalPixelSize #3
_rlnMicrographPixelSize #4
early 1 0.500000 1.000000
late  7 0.500000 1.250000


data_micrographs

loop_
_rlnCtfImage #1
_rlnMicrographMetadata #2
_rlnMicrographName #3
_rlnOpticsGroup #4
Ctf/a.ctf:mrc Motion/a.star Movies/gridB/mic_001.mrc 7
Ctf/b.ctf:mrc Motion/b.star Movies/gridA/mic_001.mrc 1
Ctf/c.ctf:mrc Motion/c.star Movies/gridA/FoilHole_12.5_x.mrc 7
"""


def star(tmp_path, text, name="mics.star"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_two_optics_groups(tmp_path):
    rows = read_micrographs_star(star(tmp_path, TWO_GROUPS))
    assert [(r.name, r.pixel_size_A, r.group) for r in rows] == [
        ("Movies/gridB/mic_001.mrc", 1.25, "late"),
        ("Movies/gridA/mic_001.mrc", 1.0, "early"),
        ("Movies/gridA/FoilHole_12.5_x.mrc", 1.25, "late"),
    ]


def test_numeric_names_stay_text(tmp_path):
    text = "data_\nloop_\n_rlnMicrographName #1\n00012\n12345678901234567890\n1e5\nnan\n./a.mrc\n"
    rows = read_micrographs_star(star(tmp_path, text))
    assert [r.name for r in rows] == ["00012", "12345678901234567890", "1e5", "nan", "./a.mrc"]
    assert all(r.pixel_size_A is None and r.group is None for r in rows)


def test_relion_30_with_detector_and_magnification(tmp_path):
    text = (
        "data_\nloop_\n_rlnMicrographName #1\n_rlnMagnification #2\n_rlnDetectorPixelSize #3\n"
        "a.mrc 50000 7.0\nb.mrc 0 7.0\n"
    )
    rows = read_micrographs_star(star(tmp_path, text))
    assert [r.pixel_size_A for r in rows] == [pytest.approx(1.4), None]


def test_only_the_movies_pixel_size_warns(tmp_path, caplog):
    text = TWO_GROUPS.replace("_rlnMicrographPixelSize", "_rlnVoltage")
    with caplog.at_level(logging.WARNING):
        rows = read_micrographs_star(star(tmp_path, text))
    assert [r.pixel_size_A for r in rows] == [0.5, 0.5, 0.5]
    assert "rlnMicrographOriginalPixelSize" in caplog.text


def test_groups_by_name_and_one_nameless_group(tmp_path):
    by_name = """
data_optics
loop_
_rlnOpticsGroupName #1
_rlnMicrographPixelSize #2
x 2.0
data_micrographs
loop_
_rlnMicrographName #1
_rlnOpticsGroupName #2
a.mrc x
"""
    (row,) = read_micrographs_star(star(tmp_path, by_name))
    assert (row.pixel_size_A, row.group) == (2.0, "x")
    single = (
        "data_optics\n_rlnMicrographPixelSize 3.0\ndata_micrographs\n_rlnMicrographName a.mrc\n"
    )
    (row,) = read_micrographs_star(star(tmp_path, single))
    assert (row.name, row.pixel_size_A) == ("a.mrc", 3.0)


def test_lists_of_paths(tmp_path):
    path = star(tmp_path, "# mine\n/data/a b.mrc\n\n  c.mrc\r\n", "list.lst")
    assert [r.name for r in read_micrograph_list(path)] == ["/data/a b.mrc", "c.mrc"]
    assert len(read_micrograph_list(star(tmp_path, TWO_GROUPS))) == 3
    assert read_micrograph_list(star(tmp_path, "", "empty.star")) == []
    assert read_micrograph_list(star(tmp_path, "", "empty.txt")) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data_movies\nloop_\n_rlnMicrographMovieName #1\na.eer\n", "run motion correction first"),
        ("data_particles\nloop_\n_rlnImageName #1\n1@a\n", "found the blocks data_particles"),
        (TWO_GROUPS.replace("mic_001.mrc 7", "mic_001.mrc 9"), "'9' is used in 'data_micrographs'"),
        (TWO_GROUPS.replace("1.250000", "large"), "rlnMicrographPixelSize is 'large'"),
    ],
)
def test_wrong_lists(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as error:
        read_micrographs_star(star(tmp_path, text))
    assert "mics.star" in str(error.value)


@pytest.mark.parametrize(
    ("name", "tail"),
    [
        ("MotionCorr/job002/Movies/gridA/x.12.mrc", "Movies/gridA/x.12"),
        ("Micrographs/a.mrc", "Micrographs/a"),
        ("a.mrc", "a"),
        ("Import/job1234/b/job001/c.tif", "b/job001/c"),  # behind the first job only
        ("Import/job01/a.mrc", "Import/job01/a"),  # three digits at least
        ("dir.d/noextension", "dir.d/noextension"),
    ],
)
def test_tail(name, tail):
    assert relion_tail(name) == tail
    assert coordinate_file(name) == f"{tail}_autopick.star"
