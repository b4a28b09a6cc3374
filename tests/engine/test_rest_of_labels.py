"""The rest of the rows as labels: bad where the good ones are all, unlabelled where few are."""

import logging
from pathlib import Path

import numpy as np
import pytest
from made_images import spots_on_noise, write_mrc
from tiny_pruner import DIAMETER_A, PIXEL_A, tiny_pruner

from frostpick.pruning import fit as fit_module
from frostpick.pruning.decide import ScoredRows
from frostpick.pruning.doubts import rows_labelled, warn_of_doubts
from frostpick.pruning.fit import LabelledRows, fit_to_job
from frostpick.pruning.groups import PickGroup
from frostpick.pruning.judge import prune_rows
from frostpick.pruning.plan import plan_pruning
from frostpick.pruning.rest_share import area, share_like_good, share_of_rest, warn_if_alike
from frostpick.pruning.scoring import score_rows
from frostpick.runtime.reporter import SilentReporter
from frostpick.settings import PruneSettings
from frostpick.training.pruner.train import TuneRecipe
from frostpick.types import REASONS, LocalFile, Micrograph, Picks

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 1.0])
def test_the_share_of_good_ones_among_the_rest(share):
    """60 good labels and 900 others, scores normal about 2 and about -2."""
    rng = np.random.default_rng(4)
    hidden = rng.random(900) < share
    score = np.r_[rng.normal(2, 1, 60), np.where(hidden, 2, -2) + rng.normal(0, 1, 900)]
    found = share_like_good(score, np.arange(960) < 60)
    assert found == pytest.approx(share, abs=0.12)


def test_good_labels_of_one_micrograph_are_not_taken_for_all():
    """Scores that tell the micrograph, not the particle: 40 rows on each of five, 20 named."""
    group = np.arange(200) // 40
    good = np.arange(200) < 20
    score = np.where(group == 0, 4.0, -4.0) + np.random.default_rng(0).normal(0, 1, 200)
    assert share_like_good(score, good) < 0.2
    found = share_of_rest(score, good, group)
    assert found.covered == pytest.approx(20 / 180) and found.alike > 0.6 and not found.is_bad
    sure = np.where(good, 4.0, -4.0)
    assert not share_of_rest(sure, good, group).is_bad
    spread = np.arange(200) % 40 < 4
    assert share_of_rest(np.where(spread, 4.0, -4.0), spread, group).is_bad


def test_labels_that_are_not_told_apart_are_told(caplog):
    """Good 3, 1 and bad 2, 1: the good one is above in 2.5 of 4 pairs."""
    score, good = np.array([3.0, 1.0, 2.0, 1.0]), np.array([True, True, False, False])
    assert area(score, good) == pytest.approx(2.5 / 4)
    warn_if_alike(score, good)
    assert "scores higher in 62 % of cases" in caplog.text
    caplog.clear()
    warn_if_alike(np.array([3.0, 2.0, 1.0, 0.0]), good)
    warn_if_alike(np.zeros(0), np.zeros(0, bool))
    assert not caplog.records


class NoStore:
    def get(self, group):
        return None

    def put(self, group, found):
        pass


def job(folder: Path, seed: int = 0):
    """Four micrographs of 25 discs and 15 empty places: 160 rows, and which are discs."""
    rng = np.random.default_rng(seed)
    groups, true = [], []
    grid = np.array([(x, y) for y in range(40, 360, 62) for x in range(40, 540, 62)], float)
    for number in range(4):
        places = rng.permutation(grid)[:40]
        image = spots_on_noise((380, 560), places[:25], 50 + number, depth=2.0)
        path = write_mrc(folder / f"m{number}.mrc", image)
        rows = np.arange(40) + 40 * number
        picks = Picks.from_xy(path.name, places[:, 0], places[:, 1], row=rows)
        groups.append(PickGroup(Micrograph(path.name, LocalFile(path), PIXEL_A), picks))
        true.append(np.arange(40) < 25)
    return groups, np.concatenate(true)


def pruned(tmp_path, monkeypatch, good, groups):
    """Prune with some rows good and the rest of the rows as bad ones; decisions and labels."""
    recipe = TuneRecipe(steps=60, steps_per_label=0, batch=32, rate=3e-3, anchor=0.0, folds=2)
    original = fit_module.tune_pruner

    def quick(*given, **others):
        return original(*given, **{**others, "recipe": others.get("recipe") or recipe})

    monkeypatch.setattr(fit_module, "tune_pruner", quick)
    start = tiny_pruner()
    asked = PruneSettings(diameter=DIAMETER_A, device="cpu", threads=1, four_rotations=False)
    plan = plan_pruning(start, asked)
    parts = [
        [g.keep(np.flatnonzero(good[g.row] == kind)) for g in groups] for kind in (True, False)
    ]
    named = LabelledRows(*[[g for g in part if len(g)] for part in parts], rest=True)
    fitted = fit_to_job(start, groups, named, asked, plan, tmp_path / "fit", SilentReporter())
    scored = score_rows(len(good), groups, fitted.pruner, plan, NoStore(), SilentReporter())
    judged = prune_rows(scored.rows, None, asked, plan.min_distance_A)
    return fitted, judged, rows_labelled(fitted.known, groups, scored.rows, DIAMETER_A)


def test_a_few_good_ones_of_many_do_not_make_the_others_bad(tmp_path, monkeypatch, caplog):
    groups, true = job(tmp_path)
    good = np.zeros(160, bool)
    good[np.random.default_rng(1).permutation(np.flatnonzero(true))[:14]] = True
    with caplog.at_level(logging.INFO):
        fitted, judged, labelled = pruned(tmp_path, monkeypatch, good, groups)
    keep = judged.decisions.keep
    assert (keep & true).sum() >= 0.9 * true.sum()
    assert true[keep].mean() > 0.9
    assert "taken for unlabelled, not for bad" in caplog.text and "--bad" in caplog.text
    # 86 discs of the 146 others
    assert fitted.summary["rest_like_good"] == pytest.approx(86 / 146, abs=0.25)
    assert np.array_equal(labelled, good)


def test_good_ones_of_one_micrograph_do_not_make_those_of_others_bad(tmp_path, monkeypatch, caplog):
    groups, true = job(tmp_path)
    good = true & (np.arange(160) < 40)
    fitted, judged, _ = pruned(tmp_path, monkeypatch, good, groups)
    keep = judged.decisions.keep
    assert (keep & true).sum() >= 0.9 * true.sum() and true[keep].mean() > 0.9
    assert "11 % are on micrographs with good ones" in caplog.text  # 15 of 135
    assert fitted.summary["rest_like_good"] > 0.2


def test_the_rest_of_all_good_ones_stays_bad(tmp_path, monkeypatch, caplog):
    groups, true = job(tmp_path)
    fitted, judged, _ = pruned(tmp_path, monkeypatch, true, groups)
    assert "unlabelled" not in caplog.text and "rest_like_good" not in fitted.summary
    assert fitted.pruner.card.trained_on["bad"] == 60
    assert (judged.decisions.keep == true).mean() > 0.95


def rows(score):
    n = len(score)
    return ScoredRows(
        np.arange(n),
        np.asarray(score, float),
        np.full(n, np.nan),
        np.full(n, REASONS.index("not particle"), np.int8),
        np.full(n, -1),
        np.full(n, np.nan),
        np.full(n, np.nan),
        np.zeros(n, bool),
    )


def test_kept_rows_that_are_no_particles_by_their_own_scores_are_told(caplog):
    """Four kept at log-odds log(1/4): .2 each, .8 in all."""
    asked = PruneSettings(particle_fraction=0.5, threshold="-2")
    judged = prune_rows(rows([np.log(0.25)] * 4 + [-9.0]), None, asked, 0.0)
    warn_of_doubts(judged, np.zeros(5, bool))
    (record,) = caplog.records
    assert record.message.startswith(
        "kept rows: 1 of 4 are expected to be particles (20 %; scores from -1.39)"
    )
    caplog.clear()
    judged = prune_rows(rows([3.0] * 4 + [-9.0] * 6), None, asked, 0.0)
    warn_of_doubts(judged, np.arange(10) < 7)
    assert not caplog.records
    warn_of_doubts(judged, np.arange(10) >= 3)
    assert "good examples: 6 of the 7 among the rows are rejected" in caplog.text
