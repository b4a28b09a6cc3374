"""Which labels a training gets: fixed, published draws of rows of the truth.

``draws.json`` holds those of the development data, made by `make_draws` with `SEED`; a
truth file that has changed since is refused. Sets without an entry are drawn here and now.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accuracy.sets import BenchSet
from accuracy.truth_table import TruthTable, digest
from frostpick.runtime.atomic import write_text

SEED = 20261120
FILE = Path(__file__).with_name("draws.json")
#: Labels by count: how many draws. 15 are all of one micrograph.
DRAWS = {"15": 10, "50": 5, "200": 5, "1000": 5}
FEW = 15
#: A training without labels: the start model learns from its own picks.
ADAPTED = "0"
#: 200 labels from the half of the views that lie flattest: see `seen_views`.
HALF_VIEWS = "200 of half the views"


def folded_tilt(truth: TruthTable) -> NDArray[np.float64]:
    """Return the tilt in 0 to 90 degrees, a view and its mirror being one."""
    tilt = np.abs(truth.tilt) % 180.0
    return np.minimum(tilt, 180.0 - tilt)


def seen_views(truth: TruthTable, train: TruthTable) -> NDArray[np.bool_]:
    """Tell which rows show a view of the half that labels may come from.

    The half with the smaller folded tilt, cut at the median of the training particles.
    """
    return folded_tilt(truth) <= float(np.median(folded_tilt(train.drawable)))


def make_draws(name: str, train: TruthTable) -> dict[str, list[list[int]]]:
    """Draw labels of every count.

    Returns
    -------
    dict
        By count, the draws: rising row numbers of the truth file. A count of at least
        all drawable particles has one draw, all of them.
    """
    pool = train.drawable
    streams = [SEED, *name.encode()]
    draws: dict[str, list[list[int]]] = {}
    for count, repeats in DRAWS.items():
        rng = np.random.default_rng([*streams, int(count)])
        if int(count) == FEW:
            draws[count] = _of_one_micrograph(rng, pool, FEW, repeats)
        else:
            draws[count] = _at_random(rng, pool.row, int(count), repeats)
    if np.isfinite(pool.tilt).all() and len(pool):
        rng = np.random.default_rng([*streams, 200, 1])
        draws[HALF_VIEWS] = _at_random(rng, pool.row[seen_views(pool, train)], 200, 5)
    return draws


def _at_random(
    rng: np.random.Generator, rows: NDArray[np.int64], count: int, repeats: int
) -> list[list[int]]:
    if count >= len(rows):
        return [sorted(rows.tolist())]
    return [sorted(rng.choice(rows, count, replace=False).tolist()) for _ in range(repeats)]


def _of_one_micrograph(
    rng: np.random.Generator, pool: TruthTable, count: int, repeats: int
) -> list[list[int]]:
    """Draw from one micrograph after the other, in random order, begun anew when all had a turn."""
    usable = [str(n) for n in np.unique(pool.name) if np.count_nonzero(pool.name == n) >= count]
    order: list[str] = []
    while len(order) < repeats and usable:
        order += rng.permutation(usable).tolist()
    return [
        sorted(rng.choice(pool.on(name).row, count, replace=False).tolist())
        for name in order[:repeats]
    ]


def draws_of(data: BenchSet) -> Mapping[str, Sequence[Sequence[int]]]:
    """Return the draws of a set: the published ones, or new ones where none are.

    Raises
    ------
    SystemExit
        The truth file is not the one that the published draws were made from.
    """
    published = json.loads(FILE.read_text()) if FILE.exists() else {"sets": {}}
    known = published["sets"].get(data.name)
    nothing: dict[str, list[list[int]]] = {ADAPTED: [[]]}
    if known is None:
        return nothing | make_draws(data.name, data.train.truth)
    found = digest(data.train.table_path)
    if found != known["table_sha256"]:
        raise SystemExit(
            f"{data.train.table_path}: SHA-256 {found[:12]}..., expected "
            f"{known['table_sha256'][:12]}... that the published draws were made from; make new "
            "ones with bench_draws.py, or get the file back"
        )
    return nothing | parse(known["draws"])


def parse(draws: Mapping[str, Sequence[str]]) -> dict[str, list[list[int]]]:
    """Return draws as `make_draws` does from their form in the file."""
    return {count: [list(map(int, d.split())) for d in some] for count, some in draws.items()}


def publish(sets: Sequence[BenchSet], path: Path = FILE) -> None:
    """Write the draws of sets, one draw a line."""
    entries = {}
    for data in sets:
        entries[data.name] = {
            "table_sha256": digest(data.train.table_path),
            "rows": len(data.train.truth),
            # One line a draw.
            "draws": {
                count: [" ".join(map(str, draw)) for draw in some]
                for count, some in make_draws(data.name, data.train.truth).items()
            },
        }
    content: dict[str, Any] = {
        "what": "rows of the training truth CSV (0-based, header not counted), by set and count",
        "seed": SEED,
        "sets": entries,
    }
    write_text(path, json.dumps(content, indent=1) + "\n")


def write_labels(path: Path, truth: TruthTable, rows: Sequence[int]) -> int:
    """Write the drawn rows as picks a training reads; return how many micrographs have some."""
    chosen = truth.keep(np.isin(truth.row, rows))
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["micrograph", "x_px", "y_px"])
        for name, x, y in zip(chosen.name, chosen.x_px, chosen.y_px, strict=True):
            writer.writerow([f"{name}.mrc", f"{x:.3f}", f"{y:.3f}"])
    return len(np.unique(chosen.name))
