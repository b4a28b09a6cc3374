"""The page of rounds: a disaster is told when there is one, and only then."""

from __future__ import annotations

import numpy as np
import pytest

from frostpick.iterating.disaster import round_warnings
from frostpick.report.rounds import round_figures

pytestmark = pytest.mark.quick


def table(
    picks: list[float], recall: list[float] | None = None, **columns: list[float]
) -> list[dict[str, float]]:
    """Return rounds of ten micrographs with a hundred particles each; all are used."""
    rows = []
    for n, count in enumerate(picks):
        row = {"round": float(n), "used": 1.0, "picks": count, "micrographs": 10.0}
        row |= {"expected": 100.0, "agreement": 0.9, "spread": 0.05, "view_change": 0.0}
        row |= {"new_particles": 50.0 * n, "new_empty": 20.0 * n, "views_1": 0.6, "views_2": 0.4}
        row |= {name: values[n] for name, values in columns.items()}
        if recall is not None:
            row["held_out_recall"] = recall[n]
        rows.append(row)
    return rows


@pytest.mark.parametrize(
    ("rounds", "said"),
    [
        (table([800, 4400]), "explodes: from 800 in round 0 to 4,400 in round 1, 5.5 times"),
        (table([900, 700, 210], [0.9, 0.9, 0.85]), "collapses: from 900 in round 0 to 210"),
        (table([900, 0]), "collapses: from 900 in round 0 to 0 in round 1"),
        (table([500, 760, 1100]), "does not settle from round to round: 500, 760, 1,100"),
        (table([900, 600, 400]), "does not settle from round to round: 900, 600, 400"),
        (table([900, 880], [0.9, 0.55]), "falls: 90% of them are found by round 0, 55% by round 1"),
        (table([900, 900, 900], [0.9, 0.83, 0.76]), "by round 0, 76% by round 2"),
        (table([900, 880], agreement=[0.9, 0.7]), "mean probability 0.90 in round 0, 0.70"),
        (table([900, 880], view_change=[0.0, 0.4]), "round 1 differ by 0.40 bits"),
        (table([900, 880], [0.9, 0.6], used=[1.0, 0.0]), "(round 1 is not used)"),
    ],
)
def test_a_disaster_is_told_in_the_picture_and_in_a_sentence(
    rounds: list[dict[str, float]], said: str
) -> None:
    (one,) = round_warnings(rounds)
    assert said in one and len(one) < 250
    figure = round_figures(rounds)[0]
    assert figure.caption.startswith(f"Something went wrong: {one}.")
    assert len(figure.caption) < 300


@pytest.mark.parametrize(
    "rounds",
    [
        table([900]),
        table([900, 1000, 980], [0.9, 0.92, 0.91]),
        # a poor first model that finds labels better with each round may find far more picks
        table([250, 900, 1000], [0.3, 0.85, 0.9]),
        table([300, 500, 760], [0.4, 0.6, 0.8]),
        # false picks go, labels stay
        table([2000, 1300, 600], [0.9, 0.9, 0.91]),
        table([900, 700], [0.9, 0.85], agreement=[0.9, 0.85], view_change=[0.0, 0.05]),
        table([0, 0]),
    ],
)
def test_rounds_that_go_well_alarm_nobody(rounds: list[dict[str, float]]) -> None:
    assert round_warnings(rounds) == []
    curves, views = round_figures(rounds)
    assert curves.caption.startswith("Rounds of training.")
    assert len(curves.caption) < 300 and len(views.caption) < 300


def test_rounds_of_an_older_version_have_no_number_of_micrographs() -> None:
    rounds = table([900, 950])
    for row in rounds:
        del row["micrographs"]
    assert len(round_figures(rounds)) == 2
    assert np.isfinite(rounds[0]["picks"])
