"""What to type after a job on a folder."""

from __future__ import annotations

from shlex import quote


def next_step(task: str, out: str, *, good: bool) -> str:
    """Return what comes after a task, by the folder of its results.

    Parameters
    ----------
    good
        Whether the results look good.
    """
    out = quote(out)
    if task in ("pick", "fewshot") and not good:
        return f"judge some picks by eye: frostpick audit {out}"
    steps = {
        "pick": f"extract from {out}/picks.star, or choose another threshold: frostpick select "
        f"{out} --threshold precision=0.9",
        "prune": f"go on with {out}/kept.star; what was dropped is in {out}/rejected.star",
        "verify": f"sort {out}/verified.star by score, or drop rows with frostpick prune",
        "pretrain": f"frostpick train --micrographs MICROGRAPHS --start-model {out}/model -o NEW",
    }
    steps["fewshot"] = steps["pick"]
    picking = f"frostpick pick --micrographs MICROGRAPHS --model {out}/model -o NEW"
    return steps.get(task, picking)
