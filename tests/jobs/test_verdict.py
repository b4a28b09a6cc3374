"""What ``evaluate`` says before its table, by counts made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from frostpick_jobs.commands.evaluate import score_files, table
from frostpick_jobs.commands.verdict import verdict

#: Ten particles on each of two micrographs, 100 px apart; the diameter is 40 px of 1 A.
TRUE = [(m, 100 * n + 100, 300) for m in ("a.mrc", "b.mrc") for n in range(10)]


def written(path: Path, rows: list[tuple[Any, ...]], scored: bool) -> str:
    head = "micrograph,x_px,y_px,score" if scored else "micrograph,x_px,y_px"
    path.write_text("\n".join([head, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return str(path)


def said(folder: Path, picks: list[tuple[Any, ...]], **more: Any) -> tuple[str, str]:
    files = written(folder / "p.csv", picks, True), written(folder / "t.csv", TRUE, False)
    figures = score_files([files[0]], [files[1]], 40.0, 1.0, **more)
    return verdict(figures), table(figures)


def test_counts_at_the_best_threshold_come_before_the_rows(tmp_path: Path) -> None:
    """19 of 20 found, and one pick on nothing above the last true one."""
    picks = [(*place, 5 - 0.1 * n) for n, place in enumerate(TRUE[:19])]
    picks.append(("a.mrc", 150, 800, 4.55))
    text, whole = said(tmp_path, picks)
    # AP by hand: 5 of 5 above the false one (4.55 < 4.6), then 6/7 ... 19/20.
    ap = (5 + sum(n / (n + 1) for n in range(6, 20))) / 20
    assert text == (
        "19 of 20 particles are found (95%) by picks with a score of at least 3.2, which is best "
        f"here; 95% of those picks are true. Average precision over all picks: {ap:.3f}."
    )
    assert whole.splitlines()[1] == text and whole.index(text) < whole.index("best_f1")


def test_at_a_threshold_that_was_asked_for(tmp_path: Path) -> None:
    picks = [(*place, 5 - 0.1 * n) for n, place in enumerate(TRUE)]
    text, _ = said(tmp_path, picks, threshold=4.55)
    assert text.startswith(
        "5 of 20 particles are found (25%) by picks with a score of at least 4.55; 100% of"
    )
    assert "stands out" not in text


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda n, m, x, y: (m, x, y, 5.0) if n < 13 else None,
            "35% of the particles have",
        ),
        (lambda n, m, x, y: (m, x + 15, y, 5.0), "many picks are off centre, for within half a"),
        (
            lambda n, m, x, y: (m, x, y, 5.0 - n / 100) if m == "a.mrc" or n < 12 else None,
            "1 of 2 micrographs have less than half as many found as all together: b.mrc",
        ),
    ],
)
def test_what_stands_out(tmp_path: Path, change: Any, told: str) -> None:
    picks = [change(n, *place) for n, place in enumerate(TRUE)]
    assert told in said(tmp_path, [one for one in picks if one])[0]


def test_more_false_than_true_and_no_pick_at_all(tmp_path: Path) -> None:
    picks = [(m, x, y, 3.0) for m, x, y in TRUE]
    false = [(m, x, y, 4.0) for m, x, _ in TRUE for y in (500, 700)]
    assert "more of those picks are false than true" in said(tmp_path, picks + false)[0]
    elsewhere = [("b.mrc", 700, 900, 1.0)]
    text, _ = said(tmp_path, elsewhere, threshold=2.0)
    assert text.startswith("0 of 20 particles are found (0%)")
