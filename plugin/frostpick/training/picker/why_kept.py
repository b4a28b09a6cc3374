"""Why a training kept the step that it kept, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def why_kept(
    rows: Sequence[Mapping[str, float]], chosen_step: int, *, first: float, later: float
) -> str:
    """Return what a training's log says of the step that was kept.

    Parameters
    ----------
    rows
        One a measurement, with ``step`` and, where anything is held out, ``held_out_ap``.
    chosen_step
        The step that is kept.
    first
        Steps before this one could not be kept.
    later
        A later step is kept unless it is this much worse, relatively, than the best before.
    """
    measured = {int(row["step"]): row["held_out_ap"] for row in rows if "held_out_ap" in row}
    if chosen_step not in measured:
        return "the last, for nothing is held out to choose by"
    own = measured[chosen_step]
    could = {step: ap for step, ap in measured.items() if step >= first}
    best = max(could, key=lambda step: (could[step], step))
    figure = f"average precision {own:.3f} on the held-out labels"
    for row in rows:
        if int(row["step"]) == chosen_step and "held_out_recall" in row:
            figure += (
                f", {row['held_out_recall']:.0%} of them found "
                "(unlabelled particles count against it)"
            )
    after = [ap for step, ap in could.items() if step > chosen_step]
    if after:
        return f"{figure}; those after it are more than {later:.0%} worse than the best before them"
    if could[best] > own:
        return (
            f"the last, {figure}; step {best} had {could[best]:.3f}, and a later one is kept "
            f"unless it is more than {later:.0%} worse: held-out labels tell overfitting, not one "
            "good step from the next"
        )
    return f"the last and best, {figure}"
