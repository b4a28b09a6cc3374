"""What the figures of ``evaluate`` come to, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from frostpick.errors import first_of

#: What is worth a sentence: particles without any pick, average precision that is lost between half
#: and a quarter of a diameter, and the mean error of a probability.
WITHOUT_A_PICK, OFF_CENTRE, MISCALIBRATED = 0.1, 0.1, 0.1
#: A micrograph stands out where less than this part of what is found elsewhere is found.
POOR = 0.5
NAMED = 3


def verdict(figures: Mapping[str, Any]) -> str:
    """Return one sentence on how many particles were found, and what stands out.

    Parameters
    ----------
    figures
        What `frostpick_jobs.commands.evaluate.score_files` returns. A pick is true within a
        quarter of the diameter; at the threshold that was asked for, or the one of the best F1.
    """
    of = figures["quarter"]
    count = int(of["n_true"])
    if not count:
        return "No particle of the truth counts on these micrographs: every pick is false."
    if not of["n_picks"]:
        return f"There is no pick on these micrographs; {count:,} particles are not found."
    point = of.get("at_threshold")
    if point is None:
        threshold, which = of["threshold_at_best_f1"], ", which is best here"
        precision, recall = of["precision_at_best_f1"], of["recall_at_best_f1"]
    else:
        threshold, which = point["threshold"], ""
        precision, recall = point["precision"], point["recall"]
    found = round(recall * count)
    text = (
        f"{found:,} of {count:,} particles are found ({found / count:.0%}) by picks with a score "
        f"of at least {threshold:.3g}{which}; {precision:.0%} of those picks are true. "
        f"Average precision over all picks: {of['ap']:.3f}."
    )
    told = _what_stands_out(figures, precision)
    return f"{text} What stands out: {'; '.join(told)}." if told else text


def _what_stands_out(figures: Mapping[str, Any], precision: float) -> list[str]:
    of, told = figures["quarter"], []
    if precision < 0.5:
        told.append("more of those picks are false than true")
    missed = 1 - of["largest_recall"]
    if missed > WITHOUT_A_PICK:
        told.append(f"{missed:.0%} of the particles have no pick at any score")
    wider = figures["half"]["ap"]
    if wider - of["ap"] > OFF_CENTRE:
        told.append(
            "many picks are off centre, for within half a diameter the average precision is "
            f"{wider:.3f}"
        )
    error = of["calibration_error"]
    if error is not None and error > MISCALIBRATED:
        told.append(f"probabilities are wrong by {error:.2f} on average")
    each = {name: one for name, one in of["per_micrograph"].items() if one["n_true"]}
    poor = [n for n, one in each.items() if one["recall"] < POOR * of["recall_at_best_f1"]]
    if poor and len(poor) < len(each):
        told.append(
            f"{len(poor)} of {len(each)} micrographs have less than half as many found as all "
            f"together: {first_of(poor, NAMED)}"
        )
    return told
