"""Names to micrographs, and labels in the pixels of those micrographs."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostpick.errors import LabelError
from frostpick.types import LocalFile, Micrograph
from frostpick_jobs.formats import PickTable
from frostpick_jobs.inputs.label_matching import labels_for, match_names

pytestmark = pytest.mark.quick

UID = "12345678901234567890"


@pytest.mark.parametrize(
    ("name", "ids", "expected"),
    [
        ("a.mrc", ["a.mrc", "b.mrc"], "a.mrc"),
        ("a", ["a.mrc", "b.mrc"], "a.mrc"),
        ("a.png", ["a.mrc", "b.mrc"], "a.mrc"),
        ("a.mrc.gz", ["a.tif", "b.tif"], "a.tif"),
        ("/data/raw/a.tif", ["a.mrc"], "a.mrc"),
        ("a", ["deep/down/a.mrc"], "deep/down/a.mrc"),
        # equal stems in two folders: the path decides
        ("gridB/a.mrc", ["gridA/a.mrc", "gridB/a.mrc"], "gridB/a.mrc"),
        ("B/a", ["x/A/a.mrc", "x/B/a.mrc"], "x/B/a.mrc"),
        ("/data/B/a.tif", ["x/A/a.mrc", "x/B/a.mrc"], "x/B/a.mrc"),
        ("a", ["a.mrc", "old/a.mrc"], "a.mrc"),
        ("./old/a.mrc", ["a.mrc", "old/a.mrc"], "old/a.mrc"),
        # dots and numbers are ordinary
        ("FoilHole_12.5_x", ["FoilHole_12.5_x.mrc", "FoilHole_12.mrc"], "FoilHole_12.5_x.mrc"),
        ("00012", ["00012.mrc", "12.mrc"], "00012.mrc"),
        (UID, [UID, UID[:-1] + "1"], UID),
        # hosts
        (f"{UID}_mic_1_patch_aligned_doseweighted.mrc", ["mic_1.mrc", "mic_2.mrc"], "mic_1.mrc"),
        ("mic_1", [f"J5/motion/{UID}_mic_1_rigid_aligned.mrc"], "*"),
        ("mic_1_doseweighted.mrc", ["mic_1.tif"], "mic_1.tif"),
        (
            "x/mic_1_patch_aligned.mrc",
            ["m/mic_1_patch_aligned.mrc", "m/mic_1_patch_aligned_doseweighted.mrc"],
            "m/mic_1_patch_aligned.mrc",
        ),
        (
            "External/job009/Movies/gridA/mic_1_autopick",
            [
                "MotionCorr/job002/Movies/gridA/mic_1.mrc",
                "MotionCorr/job002/Movies/gridB/mic_1.mrc",
            ],
            "MotionCorr/job002/Movies/gridA/mic_1.mrc",
        ),
        ("mic_1_manualpick", ["mic_1.mrc"], "mic_1.mrc"),
        ("mic_1_autopick", ["mic_1.mrc", "mic_1_autopick.mrc"], "mic_1_autopick.mrc"),
        ("stop.spot", ["stop.spot.mrc"], "stop.spot.mrc"),
    ],
)
def test_one_name(name, ids, expected):
    assert match_names([name], ids) == {name: ids[0] if expected == "*" else expected}


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("a.mrc", ["gridA/a.mrc", "gridB/a.mrc"]),
        ("gridC/a.mrc", ["gridA/a.mrc", "gridB/a.mrc"]),
        ("Movies/a.mrc", ["M/job002/Movies/a.mrc", "M/job003/Movies/a.mrc"]),
        ("mic_1", [f"{UID}_mic_1_patch_aligned.mrc", f"{UID[:-1]}1_mic_1_patch_aligned.mrc"]),
    ],
)
def test_an_ambiguous_name_names_both(name, ids):
    with pytest.raises(LabelError) as error:
        match_names([name], ids)
    assert all(repr(i) in str(error.value) for i in ids) and repr(name) in str(error.value)


def test_two_folders_of_picks_for_one_micrograph():
    with pytest.raises(LabelError, match=r"gridC.*gridD.*|gridD.*gridC"):
        match_names(["gridC/a.mrc", "gridD/a.mrc"], ["gridA/a.mrc"])
    # the same micrograph, spelled twice
    both = match_names(["gridA/a.star", "/data/gridA/a.mrc"], ["x/gridA/a.mrc"])
    assert set(both.values()) == {"x/gridA/a.mrc"}
    assert len(match_names(["round1/a.star", "round2/a.star"], ["a.mrc"])) == 2


def test_unmatched_names_are_absent_and_counted(caplog):
    with caplog.at_level(logging.INFO):
        assert match_names(["a", "zzz"], ["a.mrc", "b.mrc"]) == {"a": "a.mrc"}
    assert "1 of 2 micrograph names in the picks belong to 1 of the 2" in caplog.text


def test_nothing_matches():
    with pytest.raises(LabelError, match=r"'zzz.mrc'.*'a.mrc'"):
        match_names(["zzz.mrc", "y.mrc"], ["a.mrc", "b.mrc"])
    with pytest.raises(LabelError, match="no micrographs"):
        match_names(["a"], [])
    assert match_names([], ["a.mrc"]) == {}


folder = st.sampled_from(["", "g1/", "g2/", "deep/g1/"])
stem = st.sampled_from(["m1", "m2", "m.3", "m_12.5_x", "00012"])


@given(
    st.lists(st.tuples(folder, stem), min_size=1, max_size=8, unique=True),
    st.sampled_from(["", "./", "/raw/data/"]),
    st.sampled_from(["", ".mrc", ".tif", ".mrc.bz2", ".star"]),
)
def test_every_micrograph_is_found_from_its_file_elsewhere(parts, root, extension):
    ids = [f + s + ".mrc" for f, s in parts]
    names = [root + f + s + extension for f, s in parts]
    assert match_names(names, ids) == dict(zip(names, ids, strict=True))


def micrograph(name="a.mrc", pixel=2.0, shape=(100, 200)):
    return Micrograph(name, LocalFile(Path(name)), pixel, shape)


def table(x, y, name="a", **columns):
    n = len(x)
    return PickTable(
        Path("p.csv"), "csv", (name,) * n, np.array(x, float), np.array(y, float), **columns
    )


def test_rows_are_kept_and_what_is_off_the_image_or_double_is_dropped(caplog):
    picks = table([10, 200, 10.5, 199.4, -0.6, 50], [10, 5, 10, 5, 50, 99.5])
    with caplog.at_level(logging.INFO):
        labels = labels_for([picks], [micrograph("b.mrc"), micrograph()])
    assert list(labels) == ["a.mrc"]
    assert labels["a.mrc"].x_px.tolist() == [10, 199.4]
    assert labels["a.mrc"].row.tolist() == [0, 3]
    assert labels["a.mrc"].sign.tolist() == [1, 1] and labels["a.mrc"].source == "csv"
    assert "2 labels on 1 micrograph; left out: 3 off the image, 1 double" in caplog.text


def test_distance_of_doubles():
    picks = table([10, 14, 18, 10], [10, 10, 10, 10])
    micrographs = [micrograph()]
    assert labels_for([picks], micrographs)["a.mrc"].row.tolist() == [0, 1, 2]
    assert labels_for([picks], micrographs, min_distance_px=4.0)["a.mrc"].row.tolist() == [0, 1, 2]
    # the third is near the second only, which is gone
    assert labels_for([picks], micrographs, min_distance_px=5.0)["a.mrc"].row.tolist() == [0, 2]
    assert labels_for([picks], micrographs, min_distance_A=20)["a.mrc"].row.tolist() == [0]
    assert len(labels_for([picks], micrographs, min_distance_px=0)["a.mrc"]) == 4


def test_doubles_across_files():
    labels = labels_for([table([10], [10]), table([10.2, 40], [10, 40], "a.mrc")], [micrograph()])
    assert labels["a.mrc"].x_px.tolist() == [10, 40]


def test_another_pixel_size():
    labels = labels_for([table([10], [20])], [micrograph(pixel=2.0)], picks_pixel_size_A=5.0)
    assert (labels["a.mrc"].x_px[0], labels["a.mrc"].y_px[0]) == (25.0, 50.0)
    unknown = [micrograph(pixel=None)]
    with pytest.raises(LabelError, match=r"a\.mrc: picks_pixel_size needs the pixel size"):
        labels_for([table([10], [20])], unknown, picks_pixel_size_A=5.0)
    with pytest.raises(LabelError, match="a distance in Angstrom"):
        labels_for([table([10], [20])], unknown, min_distance_A=5.0)
    filled = labels_for(
        [table([10], [20])], unknown, picks_pixel_size_A=5.0, complete=lambda m: micrograph()
    )
    assert filled["a.mrc"].x_px[0] == 25.0


def test_aligned_particles_are_recentred():
    shifted = table([50], [60], shift_A=np.array([[4.0, -6.0]]))
    labels = labels_for([shifted], [micrograph(pixel=2.0)])["a.mrc"]
    assert (labels.x_px[0], labels.y_px[0]) == (48.0, 63.0)
    # made at 4 A: the shift is 1 px there, then everything is twice as large
    labels = labels_for([shifted], [micrograph(pixel=2.0, shape=None)], picks_pixel_size_A=4.0)
    assert (labels["a.mrc"].x_px[0], labels["a.mrc"].y_px[0]) == (98.0, 123.0)
    with pytest.raises(LabelError, match="re-centring"):
        labels_for([shifted], [micrograph(pixel=None)])
    unshifted = table([50], [60], shift_A=np.zeros((1, 2)))
    assert labels_for([unshifted], [micrograph(pixel=None)])["a.mrc"].x_px[0] == 50


def test_rejected_rows_and_decoys_are_no_labels():
    picks = table([10, 20, 30], [10, 20, 30], selected=np.array([True, False, True]))
    assert labels_for([picks], [micrograph()])["a.mrc"].row.tolist() == [0, 2]
    picks = table([10, 20, 30], [10, 20, 30], kind=("particle", "fragment", "particle"))
    assert labels_for([picks], [micrograph()])["a.mrc"].row.tolist() == [0, 2]


def test_a_pixel_size_that_differs_is_said(caplog):
    told = table([10], [20], pixel_size_A=np.array([4.0]))
    assert labels_for([told], [micrograph(pixel=2.0)])["a.mrc"].x_px[0] == 10
    assert "was made at 4 A per pixel and a.mrc has 2" in caplog.text


def test_no_picks_at_all():
    assert labels_for([PickTable.empty(Path("e.star"), "star")], [micrograph()]) == {}
    assert labels_for([], [micrograph()]) == {}


def test_matches_by_file_name_alone_are_told(caplog):
    caplog.set_level("INFO", "frostpick_jobs")
    assert match_names(["b/m1.mrc"], ["a/m1.mrc", "a/m2.mrc"]) == {"b/m1.mrc": "a/m1.mrc"}
    assert "1 of these by the file name alone, such as 'b/m1.mrc' for 'a/m1.mrc'" in caplog.text
    caplog.clear()
    match_names(["x/a/m1.mrc", "m2.mrc"], ["a/m1.mrc", "a/m2.mrc"])
    assert "alone" not in caplog.text
