"""Picks and labels as struct of arrays."""

from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest

from frostpick.types import Labels, LocalFile, Micrograph, Picks, sigmoid


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
    assert Picks.from_xy("m", [1, 2], [3, 4], score=[0.5, 0.4]).select(0.5).selected.tolist() == [
        True,
        False,
    ]


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
