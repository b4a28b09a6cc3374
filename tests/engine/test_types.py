"""Picks and labels as struct of arrays."""

from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest

from frostpick.pick_columns import OPTIONAL, OptionalColumns
from frostpick.picking.threshold import Cut
from frostpick.types import Labels, LocalFile, Micrograph, Picks, sigmoid

pytestmark = pytest.mark.quick


def test_defaults_and_dtypes() -> None:
    picks = Picks.from_xy("m", [1, 2], [3, 4], score=[0.0, np.log(3.0)])
    assert picks.x_px.dtype == np.float64 and picks.row.dtype == np.int64
    assert picks.row.tolist() == [-1, -1] and picks.selected.tolist() == [True, True]
    np.testing.assert_allclose(picks.probability, [0.5, 0.75])


def test_sorted_by_score_then_place() -> None:
    picks = Picks.from_xy(
        "m", [5, 1, 2], [7, 7, 9], score=[1.0, 1.0, 2.0], row=[10, 11, 12]
    ).sorted()
    assert picks.row.tolist() == [12, 11, 10]


def test_threshold_is_inclusive() -> None:
    picks = Picks.from_xy("m", [1, 2], [3, 4], score=[0.5, 0.4])
    assert Cut(0.5).select(picks).selected.tolist() == [True, False]


def test_arrays_cannot_be_changed() -> None:
    picks = Picks.from_xy("m", [1.0], [2.0])
    with pytest.raises(ValueError, match="read-only"):
        picks.x_px[0] = 3.0


def test_the_callers_array_is_not_frozen() -> None:
    x = np.array([1.0])
    Picks.from_xy("m", x, [2.0])
    x[0] = 5.0


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match=r"m: column y_px has shape \(1,\)"):
        Picks.from_xy("m", [1.0, 2.0], [3.0])


def test_concat_keeps_rows_and_refuses_two_micrographs() -> None:
    a, b = Labels.from_xy("m", [1], [2], row=[7], sign=[-1]), Labels.from_xy("m", [3], [4], row=[8])
    joined = Labels.concat([a, b])
    assert joined.row.tolist() == [7, 8] and joined.sign.tolist() == [-1, 1]
    with pytest.raises(ValueError, match="one micrograph"):
        Picks.concat([Picks.empty("m"), Picks.empty("n")])


def on_filaments(name: str = "m", kind: type[Picks] = Picks) -> Picks:
    """Four picks on two filaments, one along the x axis and one down to the right."""
    return kind.from_xy(
        name, [1, 2, 8, 9], [5, 5, 1, 2], score=[1, 4, 3, 2], filament=[1, 1, 2, 2],
        angle_deg=[0, 0, 45, 45],
    )  # fmt: skip


def test_optional_columns_have_the_declared_type_and_are_absent_unless_given() -> None:
    assert {name: dtype.str for name, dtype in OPTIONAL.items()} == {
        "filament": "<i8",
        "angle_deg": "<f8",
    }
    plain = Picks.from_xy("m", [1], [2])
    assert plain.filament is None and plain.angle_deg is None and plain.optional() == {}
    assert "filament" not in plain.present() and "filament" not in Picks.columns()
    full = on_filaments()
    assert full.filament.dtype == np.int64 and full.angle_deg.dtype == np.float64
    assert list(full.present()) == [*Picks.columns(), "filament", "angle_deg"]
    with pytest.raises(ValueError, match="read-only"):
        full.filament[0] = 3
    with pytest.raises(ValueError, match=r"m: column filament has shape \(3,\), expected \(2,\)"):
        Picks.from_xy("m", [1, 2], [3, 4], filament=[1, 1, 1])


@pytest.mark.parametrize("kind", [Picks, Labels])
def test_optional_columns_follow_their_rows(kind: type[Picks]) -> None:
    full = on_filaments(kind=kind)
    best = full.sorted()
    assert best.x_px.tolist() == [2, 8, 9, 1]
    assert best.filament.tolist() == [1, 2, 2, 1] and best.angle_deg.tolist() == [0, 45, 45, 0]
    above = Cut(2.5).select(full)
    assert above.keep(above.selected).filament.tolist() == [1, 2]
    assert full.keep([3, 0]).angle_deg.tolist() == [45, 0]
    twice = kind.concat([full, best])
    assert twice.filament.tolist() == [1, 1, 2, 2, 1, 2, 2, 1] and isinstance(twice, kind)
    again = ForkingPickler.loads(ForkingPickler.dumps(full))
    assert again.filament.tolist() == [1, 1, 2, 2]


def test_concat_refuses_rows_without_a_column_that_others_have() -> None:
    full, plain = on_filaments(), Picks.from_xy("m", [1], [2])
    with pytest.raises(ValueError, match="column filament is in some of 2 tables"):
        Picks.concat([full, plain])
    # a table without rows lacks nothing, wherever it stands
    nothing = full.keep(full.score > 9)
    assert Picks.concat([Picks.empty("m"), full]).filament.tolist() == [1, 1, 2, 2]
    assert Picks.concat([nothing, plain]).filament is None
    assert Picks.concat([nothing, Picks.empty("m")]).filament.tolist() == []


def test_every_table_of_picks_has_the_optional_columns() -> None:
    from frostpick.picking.peaks import Peaks

    for table in (Picks, Labels, Peaks):
        assert issubclass(table, OptionalColumns)
        assert set(table.types()) == {*table.columns(), *OPTIONAL}


def test_labels_are_particles_unless_told() -> None:
    assert Labels.from_xy("m", [1, 2], [3, 4]).sign.tolist() == [1, 1]
    with pytest.raises(ValueError, match="sign"):
        Labels.from_xy("m", [1], [2], sign=[0])


def test_sigmoid_does_not_overflow() -> None:
    np.testing.assert_allclose(sigmoid([-1000.0, 0.0, 1000.0]), [0.0, 0.5, 1.0])


def test_a_micrograph_travels_between_processes(tmp_path) -> None:
    file = tmp_path / "a.mrc"
    file.write_bytes(b"12345")
    micrograph = Micrograph("18446744073709551615", LocalFile(file), 1.1)
    again = ForkingPickler.loads(ForkingPickler.dumps(micrograph))
    assert again == micrograph and again.source.fingerprint().startswith("5:")
