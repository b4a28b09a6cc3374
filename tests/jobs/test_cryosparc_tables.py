"""Known answers for the tables of the CryoSPARC jobs: exposures in, labels in, picks out."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_images import draw_discs, write_mrc

pytest.importorskip("cryosparc")

from cryosparc.dataset import Dataset

from frostpick.errors import InputError, LabelError
from frostpick.pick_columns import OPTIONAL
from frostpick.picking.places import judge
from frostpick.picking.readings import MIRRORED
from frostpick.picking.threshold import Cut
from frostpick.types import Labels, LocalFile, Micrograph, Picks
from frostpick_jobs.hosts.cryosparc.read.exposures import as_micrographs, read_exposures, shortest
from frostpick_jobs.hosts.cryosparc.read.particle_labels import (
    match_rows,
    read_labels,
    shift_in_A,
    table,
)
from frostpick_jobs.hosts.cryosparc.read.prune_rows import ParticleInput
from frostpick_jobs.hosts.cryosparc.read.sources import ProjectFiles
from frostpick_jobs.hosts.cryosparc.write.converters import CONVERTERS, fraction
from frostpick_jobs.hosts.cryosparc.write.pick_table import RowCollector, as_dataset
from frostpick_jobs.hosts.cryosparc.write.slots import (
    FILAMENT,
    LOCATION,
    PICK_STATS,
    PICKS,
    complete,
)
from frostpick_jobs.hosts.cryosparc.write.uids import job_seed, make_unique, pick_uids
from frostpick_jobs.job.host import MicrographOutput
from frostpick_jobs.tasks.places import look_at, mirrored_sentence

pytestmark = pytest.mark.quick

UIDS = (2**63 + 11, 7, 2**64 - 1)
SHAPES = ((100, 160), (300, 200), (100, 160))
PATHS = ("J1/imported/a.mrc", "J1/imported/b.mrc", "J2/imported/a.mrc")


def exposure_rows(slot="micrograph_blob", uids=UIDS, **others):
    rows = Dataset({"uid": np.array(uids, np.uint64)})
    rows.add_fields(
        [
            (f"{slot}/path", "O"),
            (f"{slot}/shape", "<u4", (2,)),
            (f"{slot}/psize_A", "<f4"),
            ("mscope_params/exp_group_id", "<u4"),
        ]
    )
    n = len(uids)
    rows[f"{slot}/path"] = np.array(others.get("paths", PATHS)[:n], dtype=object)
    rows[f"{slot}/shape"] = np.array(SHAPES[:n], np.uint32)
    rows[f"{slot}/psize_A"] = np.array([1.1, 2.0, 1.1][:n], np.float32)
    rows["mscope_params/exp_group_id"] = np.array([4, 5, 6][:n], np.uint32)
    return rows


def exposures(**others):
    return read_exposures([exposure_rows(**others)], "micrograph_blob")


def particle_rows(uids, x_frac, y_frac, paths=None):
    n = len(uids)
    rows = Dataset.allocate(n, [*LOCATION])
    rows["location/micrograph_uid"] = np.array(uids, np.uint64)
    rows["location/center_x_frac"] = np.array(x_frac, np.float32)
    rows["location/center_y_frac"] = np.array(y_frac, np.float32)
    rows["location/micrograph_path"] = np.array(paths or [""] * n, dtype=object)
    return rows


def test_exposures_become_micrographs():
    found = as_micrographs(exposures(), ProjectFiles(Path("/p"), None))
    assert [m.id for m in found] == [str(u) for u in UIDS]
    assert [m.shape for m in found] == list(SHAPES)
    assert [m.pixel_size_A for m in found] == [1.1, 2.0, 1.1]
    assert [m.group for m in found] == ["4", "5", "6"]
    assert found[1].source.name == "b.mrc"


def test_paths_of_an_exported_data_set(tmp_path):
    """A ``>`` marks a path as relative to the project, mounted or not."""
    paths = tuple(f">{path}" for path in PATHS)
    place = tmp_path / PATHS[1]
    place.parent.mkdir(parents=True)
    place.write_bytes(b"x")
    read = as_micrographs(exposures(paths=paths), ProjectFiles(tmp_path, None))
    with read[1].source.fetch() as path:
        assert path == place
    far = as_micrographs(exposures(paths=paths), ProjectFiles(None, None))
    assert [one.source.path for one in far] == list(PATHS)
    rows = particle_rows([99], [0.5], [0.5], paths=[PATHS[2]])  # found by its path
    assert match_rows(rows, exposures(paths=paths)).tolist() == [2]
    rows = particle_rows([99], [0.5], [0.5], paths=[paths[0]])
    assert match_rows(rows, exposures()).tolist() == [0]


def test_stacks_of_an_exported_data_set():
    rows = Dataset({"uid": np.array([4, 5], np.uint64)})
    rows.add_fields([("blob/path", "O"), ("blob/idx", "<u4"), ("blob/psize_A", "<f4")])
    rows["blob/path"] = np.array([">J3/extract/s.mrc", "J3/extract/s.mrc"], dtype=object)
    rows["blob/idx"] = np.array([7, 2], np.uint32)
    rows["blob/psize_A"] = np.array([1.5, 1.5], np.float32)
    stacks = ParticleInput.of("J4.particles", [rows]).stacks(ProjectFiles(None, None))
    assert {stack.source.path for stack in stacks} == {"J3/extract/s.mrc"}
    assert sorted(k for stack in stacks for k in stack.index.tolist()) == [2, 7]


def test_single_precision_pixel_sizes_are_read_as_they_were_typed():
    assert shortest(np.float32(0.8305)) == 0.8305 and shortest(np.float32(1.1)) == 1.1


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [("path", "", "path"), ("shape", 0, "shape"), ("psize_A", 0.0, "pixel size")],
)
def test_an_exposure_without_what_is_needed(field, value, word):
    rows = exposure_rows()
    rows[f"micrograph_blob/{field}"][1] = value
    with pytest.raises(InputError, match=f"exposure 7: its image has no {word}"):
        read_exposures([rows], "micrograph_blob")


def test_equal_uids_are_an_error_across_connections():
    with pytest.raises(InputError, match="twice"):
        read_exposures([exposure_rows(), exposure_rows(uids=(7,))], "micrograph_blob")


def test_fractions_become_pixels_of_the_right_image():
    rows = particle_rows([7, UIDS[0], 99], [0.25, 0.5, 0.1], [0.5, 0.25, 0.1])
    found = table("J3.particles", rows, exposures())
    assert found.micrograph == ("7", str(UIDS[0]))
    np.testing.assert_allclose(found.x_px, [0.25 * 200, 0.5 * 160])
    np.testing.assert_allclose(found.y_px, [0.5 * 300, 0.25 * 100])


def test_flip_y_mirrors_positions_and_shifts():
    rows = particle_rows([7], [0.25], [0.1])
    rows.add_fields([("alignments2D/shift", "<f4", (2,)), ("alignments2D/psize_A", "<f4")])
    rows["alignments2D/shift"] = np.array([[2.0, 3.0]], np.float32)
    rows["alignments2D/psize_A"] = 4.0
    plain, flipped = (table("J3.p", rows, exposures(), flip_y=f) for f in (False, True))
    (x,), (y,) = plain.centres(np.array([0]), 2.0)
    # 2 and 3 binned pixels of 4 A are 4 and 6 pixels of 2 A.
    assert (x, y) == pytest.approx((50 - 4, 30 - 6), abs=1e-4)
    (fx,), (fy,) = flipped.centres(np.array([0]), 2.0)
    assert (fx, fy) == pytest.approx((46, 300 - 1 - 24), abs=1e-4)


def test_shift_needs_a_pixel_size(caplog):
    rows = particle_rows([7], [0.5], [0.5])
    keep = np.array([0])
    assert shift_in_A(rows, keep) is None
    rows.add_fields([("alignments2D/shift", "<f4", (2,))])
    assert shift_in_A(rows, keep) is None and "pixel size is not in" in caplog.text
    rows.add_fields([("blob/psize_A", "<f4")])
    rows["blob/psize_A"] = 3.0
    rows["alignments2D/shift"] = np.array([[np.nan, 2.0]], np.float32)
    np.testing.assert_allclose(shift_in_A(rows, keep), [[0.0, 6.0]])


def test_the_uid_wins_and_the_path_helps():
    long = f"J9/imported/{'1' * 21}_b_patch_aligned_doseweighted.mrc"
    rows = particle_rows([UIDS[2], 99, 98], [0.5] * 3, [0.5] * 3, [PATHS[0], long, "J9/none.mrc"])
    assert match_rows(rows, exposures()).tolist() == [2, 1, -1]


def test_an_ambiguous_path_is_not_guessed(caplog):
    rows = particle_rows([99], [0.5], [0.5], ["J9/imported/a.mrc"])
    assert match_rows(rows, exposures()).tolist() == [-1]
    assert "a.mrc" in caplog.text


def test_labels_near_each_other_are_one_particle():
    rows = particle_rows([7, 7, 7], [0.5, 0.505, 0.6], [0.5, 0.5, 0.5])
    made = exposures()
    micrographs = as_micrographs(made, ProjectFiles(Path("/p"), None))
    found = read_labels({"J3.p": rows}, made, micrographs, diameter_A=100.0)
    # 0.005 of 200 pixels of 2 A are 2 A; a quarter of the diameter is 25 A.
    assert len(found["7"]) == 2 and found["7"].row.tolist() == [0, 2]
    with pytest.raises(LabelError, match=r"none of the 1 particles of J3.p"):
        read_labels({"J3.p": particle_rows([1], [0], [0])}, made, micrographs)


@given(
    st.integers(16, 12_000).flatmap(
        lambda n: st.tuples(st.just(n), st.floats(-0.5, n - 0.5, exclude_max=True))
    )
)
def test_fractions_round_back_to_the_pixel_that_relion_gets(case):
    size, pixel = case
    (found,) = fraction(np.array([pixel]), size)
    assert found.dtype == np.float32 and 0 <= found <= 1
    expected = min(max(int(np.floor(pixel + 0.5)), 0), size - 1)
    assert round(float(found) * size) == expected
    assert abs(float(found) * size - pixel) <= 0.5 + 1e-3


def output(uid, shape, x, y, score, **columns):
    picks = Cut(0.0).select(Picks.from_xy(str(uid), x, y, score=score, **columns))
    micrograph = Micrograph(str(uid), LocalFile(Path("x.mrc")))
    return MicrographOutput(micrograph, picks, shape, 1.0)


def test_picks_become_rows_with_exact_types():
    outputs = [
        output(7, (300, 200), [10.0, 150.0], [20.0, 299.0], [2.0, -1.0]),
        output(UIDS[0], (100, 160), [80.0], [25.0], [0.5]),
    ]
    made = exposures()
    collector = RowCollector(made, job_seed("P1", "J9"))
    for one in outputs:
        collector.add(one)
    assert collector.picked().tolist() == [1, 0]
    rows = collector.rows()
    asked = [*LOCATION, *PICK_STATS]
    whole = as_dataset(rows, made, asked, 42.0)
    assert whole.descr(exclude_uid=True) == [tuple(f) for f in _as_descr([*asked, *PICKS[6:8]])]
    assert whole["location/micrograph_uid"].tolist() == [7, 7, UIDS[0]]
    assert list(whole["location/micrograph_path"]) == [PATHS[1], PATHS[1], PATHS[0]]
    assert np.array(whole["location/micrograph_shape"]).tolist() == [[300, 200]] * 2 + [[100, 160]]
    np.testing.assert_allclose(whole["location/center_x_frac"], [0.05, 0.75, 0.5])
    np.testing.assert_allclose(whole["location/center_y_frac"], [20 / 300, 299 / 300, 0.25])
    assert whole["location/exp_group_id"].tolist() == [5, 5, 4]
    np.testing.assert_allclose(whole["location/micrograph_psize_A"], [2.0, 2.0, 1.1])
    np.testing.assert_allclose(whole["pick_stats/power"], [2.0, -1.0, 0.5])
    np.testing.assert_allclose(whole["pick_stats/ncc_score"], [0.880797, 0.268941, 0.622459], 1e-5)
    chosen = as_dataset(rows, made, asked, 42.0, rows.selected)
    assert chosen["uid"].tolist() == [whole["uid"][0], whole["uid"][2]]
    assert set(whole["location/min_dist_A"]) == {np.float32(42.0)}


@pytest.mark.parametrize("flip_y", [False, True])
def test_optional_columns_become_the_fields_of_filaments(flip_y):
    made = exposures()
    collector = RowCollector(made, job_seed("P1", "J9"), flip_y=flip_y)
    collector.add(
        output(7, (300, 200), [10.0, 20.0, 30.0], [20.0, 30.0, 5.0], [2.0, -1.0, 1.0],
               filament=[1, 1, 2], angle_deg=[45.0, 45.0, -90.0])
    )  # fmt: skip
    collector.add(output(UIDS[2], (100, 160), [], [], []))
    collector.add(
        output(UIDS[0], (100, 160), [80.0], [25.0], [0.5], filament=[1], angle_deg=[180.0])
    )
    rows = collector.rows()
    whole = as_dataset(rows, made, [*LOCATION, *PICK_STATS], 42.0)
    assert whole.descr(exclude_uid=True)[-2:] == _as_descr(FILAMENT)
    # the picks' direction from x towards y, as `location` counts them; y is mirrored with the image
    x, y = np.array(whole["location/center_x_frac"]), np.array(whole["location/center_y_frac"])
    along = np.arctan2((y[1] - y[0]) * 300, (x[1] - x[0]) * 200)
    angle = np.array(whole["filament/filament_pose"])
    assert angle[0] == pytest.approx(along, abs=1e-4)
    np.testing.assert_allclose(
        angle, np.array([1, 1, -2, 4]) * np.pi / 4 * (-1 if flip_y else 1), rtol=1e-6
    )
    np.testing.assert_array_equal(whole["pick_stats/angle_rad"], angle)
    first, second, third, other = whole["filament/filament_uid"].tolist()
    assert first == second and len({first, third, other}) == 3 and 0 not in (first, third, other)
    chosen = as_dataset(rows, made, [*LOCATION], 42.0, rows.selected)
    assert chosen["filament/filament_uid"].tolist() == [first, third, other]


def test_every_optional_column_has_a_field():
    assert {one.column for one in CONVERTERS} >= set(OPTIONAL)


def test_micrographs_with_and_without_a_column_are_no_table():
    collector = RowCollector(exposures(), 1)
    collector.add(output(7, (300, 200), [10.0], [20.0], [2.0], filament=[1]))
    collector.add(output(UIDS[0], (100, 160), [80.0], [25.0], [0.5]))
    with pytest.raises(ValueError, match="differ in their optional columns"):
        collector.rows()


def test_no_picks_at_all_are_an_empty_table():
    rows = RowCollector(exposures(), 1).rows()
    assert len(as_dataset(rows, exposures(), [*LOCATION], 1.0)) == 0


def _as_descr(fields):
    return [
        (f[0], np.dtype(f[1]).str, tuple(f[2])) if len(f) > 2 else (f[0], np.dtype(f[1]).str)
        for f in fields
    ]


def test_what_the_server_asks_for_holds(caplog):
    asked = [("location/center_x_frac", "<f8"), ("location/new", "<u4")]
    found = complete(asked, PICKS)
    assert found[:2] == asked and len(found) == len(PICKS) + 1
    assert "location/new" in caplog.text and "location/center_x_frac is" in caplog.text


def test_uids_are_the_same_each_time_and_of_this_job():
    x, y = np.arange(1000) / 3, np.arange(1000)[::-1] / 7
    here = pick_uids(job_seed("P1", "J2"), 7, x, y)
    np.testing.assert_array_equal(here, pick_uids(job_seed("P1", "J2"), 7, x, y))
    others = [
        pick_uids(job_seed("P1", "J3"), 7, x, y),
        pick_uids(job_seed("P2", "J2"), 7, x, y),
        pick_uids(job_seed("P1", "J2"), 8, x, y),
        pick_uids(job_seed("P1", "J2"), 7, y, x),
    ]
    everything = np.concatenate([here, *others])
    assert here.dtype == np.uint64 and len(np.unique(everything)) == 5000 and everything.all()


def test_uids_of_splitmix_as_published():
    """The generator from seed 0 (Vigna, splitmix64.c) starts with these numbers."""
    from frostpick_jobs.hosts.cryosparc.write.uids import _mix

    step = 0x9E3779B97F4A7C15
    states = np.array([0, step], np.uint64)
    assert [hex(v) for v in _mix(states).tolist()] == ["0xe220a8397b1dcdaf", "0x6e789e6aa1b965f4"]


def test_repeated_uids_are_told_apart_the_same_way():
    uids = np.array([5, 9, 5, 5], np.uint64)
    found = make_unique(uids)
    assert found[:2].tolist() == [5, 9] and len(set(found.tolist())) == 4
    np.testing.assert_array_equal(found, make_unique(uids))


@pytest.mark.parametrize("upside_down", [False, True])
def test_mirrored_picks_are_told_from_the_image(tmp_path, upside_down):
    rng = np.random.default_rng(3)
    micrographs, labels = [], {}
    for n in range(2):
        image = rng.normal(size=(160, 240)).astype(np.float32)
        xy = np.column_stack([np.arange(30, 220, 30), rng.integers(25, 70, 7)])
        draw_discs(image, xy, 0.8, 8)
        path = write_mrc(tmp_path / f"{n}.mrc", image)
        y = 159 - xy[:, 1] if upside_down else xy[:, 1]
        micrographs.append(Micrograph(str(n), LocalFile(path), 2.0, image.shape))
        labels[str(n)] = Labels.from_xy(str(n), xy[:, 0], y)
    verdict = judge(look_at(micrographs, labels, 32.0), (MIRRORED,))
    assert (verdict.reading == MIRRORED) == upside_down and verdict.reading in (MIRRORED, None)
    if upside_down:
        assert verdict.positions == 14
        assert "repeat with --flip-y" in mirrored_sentence(verdict, "picks", False)
        assert "leave out --flip-y" in mirrored_sentence(verdict, "picks", True)
