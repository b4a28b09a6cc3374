"""Rows of a job in groups, and their scores in one table."""

import numpy as np
import pytest
from made_images import spots_on_noise, write_mrc
from tiny_pruner import DIAMETER_A, PIXEL_A, SIDE, tiny_pruner

from frostpick.errors import InputError
from frostpick.pruning.boxes import BoxGeometry
from frostpick.pruning.groups import PickGroup, StackGroup, group_rows, in_parts, thinned
from frostpick.pruning.plan import PrunePlan
from frostpick.pruning.scoring import score_rows
from frostpick.runtime.reporter import SilentReporter
from frostpick.types import LocalFile, Micrograph, ParticleStack, Picks

pytestmark = pytest.mark.usefixtures("one_thread")


class InMemory:
    """Scores by the name of their group."""

    def __init__(self):
        self.kept = {}

    def get(self, group):
        return self.kept.get(group.name)

    def put(self, group, found):
        self.kept[group.name] = found


def some(tmp_path, picks=(4, 0, 3), stack=10):
    """Groups of picks, one of them without any, and of particles; rows are numbered in order."""
    found, row = [], 0
    for k, count in enumerate(picks):
        place = np.arange(float(count))
        rows = np.arange(row, row + count)
        micrograph = Micrograph(f"m{k}", LocalFile(tmp_path / f"m{k}.mrc"), 1.0)
        found.append((micrograph, Picks.from_xy(f"m{k}", place, place, row=rows)))
        row += count
    rows = np.arange(row, row + stack)
    source = LocalFile(tmp_path / "s.mrcs")
    return found, [ParticleStack(source, rows, np.arange(stack)[::-1].copy(), 1.0)]


def test_every_row_is_in_one_group(tmp_path):
    groups = group_rows(*some(tmp_path))
    assert [group.name for group in groups] == ["m0", "m2", "s.mrcs"]
    assert [isinstance(group, PickGroup) for group in groups] == [True, True, False]
    assert np.concatenate([group.row for group in groups]).tolist() == list(range(17))


def test_a_stack_is_scored_in_parts(tmp_path):
    parts = in_parts(group_rows(*some(tmp_path)), 4)
    assert [len(part) for part in parts] == [4, 3, 4, 4, 2]  # micrographs stay whole
    assert np.concatenate([part.row for part in parts]).tolist() == list(range(17))
    stacks = [part for part in parts if isinstance(part, StackGroup)]
    assert np.concatenate([part.stack.index for part in stacks]).tolist() == list(range(9, -1, -1))


def test_a_draw_of_rows_is_over_all_groups(tmp_path):
    groups = group_rows(*some(tmp_path, (400, 300), 300))
    assert thinned(groups, 1000, 0) == groups
    few = thinned(groups, 500, 3)
    drawn = np.concatenate([group.row for group in few])
    assert len(drawn) == len(set(drawn.tolist())) == 500
    # Half of every group, within four deviations of a draw without return.
    for group, whole in zip(few, groups, strict=True):
        assert np.isin(group.row, whole.row).all()
        assert abs(len(group) - len(whole) / 2) < 4 * 0.5 * np.sqrt(len(whole) * 0.7)
    again = np.concatenate([group.row for group in thinned(groups, 500, 3)])
    other = np.concatenate([group.row for group in thinned(groups, 500, 4)])
    assert np.array_equal(again, drawn) and not np.array_equal(other, drawn)


def test_rows_are_scored_once_and_those_that_cannot_be_read_are_told(tmp_path, caplog):
    image = spots_on_noise((192, 224), [(50.0, 60.0), (170.0, 140.0)], 10)
    write_mrc(tmp_path / "a.mrc", image)
    there = Micrograph("a", LocalFile(tmp_path / "a.mrc"), PIXEL_A)
    lost = Micrograph("lost", LocalFile(tmp_path / "lost.mrc"), PIXEL_A)
    x, y = np.array([50.0, 60.0, 170.0]), np.array([60.0, 140.0, 140.0])
    groups = [
        PickGroup(lost, Picks.from_xy("lost", x[:1], y[:1], row=np.array([1]))),
        PickGroup(there, Picks.from_xy("a", x, y, row=np.array([4, 0, 2]))),
    ]
    plan = PrunePlan(BoxGeometry(DIAMETER_A, SIDE), 8.0, 0.0)
    store = InMemory()
    given = (5, groups, tiny_pruner(), plan, store, SilentReporter())
    found = score_rows(*given)
    assert list(store.kept) == ["a"] and list(found.failed) == ["lost"] and found.names == ["a"]
    rows = found.rows
    assert rows.row.tolist() == [0, 1, 2, 3, 4]
    assert np.isfinite(rows.score).tolist() == [True, False, True, False, True]
    assert rows.score[0] < 0 < min(rows.score[2], rows.score[4])  # ice, and two discs
    assert rows.group.tolist() == [0, -1, 0, -1, 0]
    np.testing.assert_array_equal(rows.x_A, [120.0, np.nan, 340.0, np.nan, 100.0])
    np.testing.assert_array_equal(rows.y_A, [280.0, np.nan, 280.0, np.nan, 120.0])
    (tmp_path / "a.mrc").unlink()
    with caplog.at_level("INFO"):
        again = score_rows(*given)
    assert "1 of 2 groups are scored already" in caplog.text
    np.testing.assert_array_equal(again.rows.score, rows.score)
    store.kept.clear()
    with pytest.raises(InputError, match="no image could be read; the first: lost"):
        score_rows(*given)
