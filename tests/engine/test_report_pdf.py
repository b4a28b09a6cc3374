"""The PDF of a job's figures."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frostpick.report import Figure, picks_on_micrograph, score_histogram, write_figures_pdf


def figures() -> list[Figure]:
    preview = np.random.default_rng(0).integers(0, 256, (64, 96)).astype(np.uint8)
    mic = picks_on_micrograph(preview, [10], [10], [2.0], [True], 1.0, 12.0, "日本 $x$ (a\\b)")
    return [score_histogram([1.0, 2.0], 0.0), mic, mic]


def page_count(path: Path) -> int:
    data = path.read_bytes()
    assert data.startswith(b"%PDF-") and data.rstrip().endswith(b"%%EOF")
    return len(re.findall(rb"/Type /Page\b(?!s)", data))


def test_one_page_a_figure(tmp_path: Path) -> None:
    write_figures_pdf(tmp_path / "logfile.pdf", figures())
    assert page_count(tmp_path / "logfile.pdf") == 3
    assert [p.name for p in tmp_path.iterdir()] == ["logfile.pdf"]


def test_no_figures_still_give_a_page(tmp_path: Path) -> None:
    write_figures_pdf(tmp_path / "logfile.pdf", [])
    assert page_count(tmp_path / "logfile.pdf") == 1


def test_same_figures_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.pdf", "b.pdf"):
        write_figures_pdf(tmp_path / name, figures())
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()
    assert b"CreationDate" not in (tmp_path / "a.pdf").read_bytes()


def test_twelve_large_micrographs_with_hundreds_of_picks_are_below_3_MB(tmp_path: Path) -> None:
    """White noise, which no compression makes small, is the worst that a preview can be."""
    rng = np.random.default_rng(1)
    pages = []
    for number in range(12):
        noise = np.clip(rng.normal(127.5, 32, (800, 800)), 0, 255).astype(np.uint8)
        x, y, score = rng.uniform(0, 4000, 900), rng.uniform(0, 4000, 900), rng.normal(-1, 2, 900)
        name = f"{number}.mrc"
        pages.append(picks_on_micrograph(noise, x, y, score, score > 0, 0.2, 150.0, name))
    path = tmp_path / "logfile.pdf"
    write_figures_pdf(path, pages)
    assert page_count(path) == 12
    assert path.stat().st_size < 3_000_000
    # a picture is stored with the pixels that it has, not made small
    with Image.open(io.BytesIO(pages[0].png)) as png:
        widths = [int(w) for w in re.findall(rb"/Width (\d+)", path.read_bytes())]
        assert min(widths) >= png.width


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "logfile.pdf"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="cannot identify image"):
        write_figures_pdf(path, [Figure("x", b"no picture", "")])
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["logfile.pdf"]
