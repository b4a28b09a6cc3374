"""What to type after a job on a folder."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

#: More places than this are not typed out again.
FEW = 3


def next_step(task: str, out: str, micrographs: Sequence[str], *, good: bool) -> str:
    """Return what comes after a task, by the folder of its results.

    Parameters
    ----------
    micrographs
        As they were given.
    good
        Whether the results look good.
    """
    out, given = quote(out), [quote(one) for one in micrographs]
    images = " --micrographs ".join(given) if 0 < len(given) <= FEW else "MICROGRAPHS"
    if task in ("pick", "fewshot") and not good:
        return f"judge some picks by eye: frostpick audit {out}"
    steps = {
        "pick": f"extract from {out}/picks.star, or choose another threshold: frostpick select "
        f"{out} --threshold precision=0.9",
        "prune": f"go on with {out}/kept.star; what was dropped is in {out}/rejected.star",
        "verify": f"sort {out}/verified.star by score, or drop rows with frostpick prune",
        "pretrain": f"frostpick train --micrographs {images} --start-model {out}/model -o NEW",
    }
    steps["fewshot"] = steps["pick"]
    picking = f"frostpick pick --micrographs {images} --model {out}/model -o NEW"
    return steps.get(task, picking)
