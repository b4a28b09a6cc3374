"""The pictures of the README: one from the demo's report, one from the README's table.

make docs-pictures

``picks.jpg`` is a picture of ``demo/report.html``: picks on a micrograph that the training never
saw. ``accuracy.png`` draws the table below ``<!-- accuracy table -->``, so that both are changed in
one place.
"""

from __future__ import annotations

import base64
import io
import re
import sys
import textwrap
from itertools import takewhile
from pathlib import Path

import matplotlib
from PIL import Image

matplotlib.use("Agg")
from matplotlib import pyplot

HERE = Path(__file__).parent
README = HERE.parents[1] / "README.md"
MARK = "<!-- accuracy table -->"
#: Heading of a column of the table -> its name in the figure, colour.
DRAWN = {
    "new proteins, mean": ("proteins that no model has seen", "#1f6f8b"),
    "development, mean": ("development data (three simulated sets)", "#9dbfcc"),
    "Topaz, development, mean": ("Topaz on the development data", "#d9b382"),
}
WIDTH_PX = 800


def table(text: str) -> tuple[list[str], list[list[str]]]:
    """Return heading and rows of the table below the mark."""
    below = text.partition(MARK)[2].strip().splitlines()
    lines = takewhile(lambda line: line.startswith("|"), below)
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in lines]
    return cells[0], cells[2:]


def number(cell: str) -> float | None:
    """Return the number that a cell begins with, None without one."""
    found = re.match(r"\.\d+|[01]\.\d+", cell)
    return float(found[0]) if found else None


def draw_accuracy(path: Path) -> None:
    """Draw a group of bars for each row of the table."""
    heading, rows = table(README.read_text(encoding="utf-8"))
    rows = [row for row in rows if any(number(row[heading.index(c)]) is not None for c in DRAWN)]
    figure, axes = pyplot.subplots(figsize=(8.0, 3.4), dpi=120)
    wide = 0.8 / len(DRAWN)
    for place, (column, (name, colour)) in enumerate(DRAWN.items()):
        values = [number(row[heading.index(column)]) for row in rows]
        at = [k + (place - (len(DRAWN) - 1) / 2) * wide for k in range(len(rows))]
        axes.bar(at, [v or 0.0 for v in values], wide, color=colour, label=name)
        for x, value in zip(at, values, strict=True):
            if value is not None:
                text = f"{value:.2f}".lstrip("0")
                axes.text(x, value + 0.01, text, ha="center", va="bottom", fontsize=8)
    names = [textwrap.fill(row[0].replace("`", ""), 16) for row in rows]
    axes.set_xticks(range(len(rows)), names, fontsize=8)
    axes.set_xlabel("labels")
    axes.set_ylabel("average precision")
    axes.set_ylim(0, 1.06)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="upper center", ncols=len(DRAWN), fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 0.93))
    figure.savefig(path, metadata={"Software": None})


def take_picks(report: Path, path: Path) -> None:
    """Take the first picture of picks on a micrograph from a report, smaller."""
    html = report.read_text(encoding="utf-8")
    section = html[html.index("Picks on micrographs") :]
    found = re.search(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", section)
    if found is None:
        sys.exit(f"{report}: no picture of picks in it; expected the report of frostpick demo")
    image = Image.open(io.BytesIO(base64.b64decode(found[1])))
    height = round(image.height * WIDTH_PX / image.width)
    image.resize((WIDTH_PX, height), Image.Resampling.LANCZOS).save(path, quality=80)


if __name__ == "__main__":
    take_picks(Path(sys.argv[1]), HERE / "picks.jpg")
    draw_accuracy(HERE / "accuracy.png")
