"""The report page: whole in itself, harmless, and never too large."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from frostpick.report import Figure, Section, Table, render_report
from frostpick.report.page import MAX_BYTES, clip

VOID = {"meta", "input", "img", "br", "hr"}


class Page(HTMLParser):
    """Collects what a browser would see, and whether the tags nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and self.open[-1:] != ["style"]:
            self.texts.append(data.strip())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def sizes(self) -> list[tuple[int, int]]:
        """Decode every picture and return its size."""
        found = []
        for attributes in self.all("img"):
            head, data = str(attributes["src"]).split(";base64,")
            with Image.open(io.BytesIO(base64.b64decode(data, validate=True))) as image:
                image.load()
                assert head == f"data:{Image.MIME[str(image.format)]}"
                assert (attributes["width"], attributes["height"]) == tuple(map(str, image.size))
                found.append(image.size)
        return found


def picture(name: str, side: int = 8, seed: int = 0) -> Figure:
    noise = np.random.default_rng(seed).integers(0, 256, (side, side, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    return Figure(name, buffer.getvalue(), f"caption of {name}")


def test_page_has_everything_and_needs_nothing() -> None:
    table = Table(("minimum FOM", "picks"), (("-0.30", "941"), ("0.00", "933")), "What is left", 1)
    html = render_report(
        "Picks on 3 micrographs",
        [("diameter", "176 Å"), ("micrographs", 3)],
        [Section("Scores", (picture("score_histogram"),), "Look here.", (table,))],
        ["one warning"],
        failures=[("b.mrc", "constant image")],
        settings={"diameter": 176.0, "threshold": "auto"},
        software={"torch": "2.13.0"},
    )
    page = Page(html)
    for text in (
        "Picks on 3 micrographs",
        "176 Å",
        "3",
        "Scores",
        "Look here.",
        "caption of score_histogram",
        "What is left",
        "941",
        "one warning",
        "b.mrc",
        "constant image",
        "threshold",
        "torch",
        "2.13.0",
        "Python",
        "frostpick",
    ):
        assert text in page.texts
    assert page.sizes() == [(8, 8)]
    assert {name for name, _ in page.tags}.isdisjoint({"script", "link", "iframe", "a", "object"})
    assert not re.search(
        r"(?i)https?:|//[a-z]|url\(|@import|javascript:", re.sub('base64,[^"]*', "", html)
    )
    assert all(not name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert len(page.all("details")) == 2
    assert [a for a in page.all("tr") if a.get("class") == "marked"] == [{"class": "marked"}]
    assert html.startswith("<!DOCTYPE html>")


def test_a_report_of_nothing() -> None:
    page = Page(render_report("Nothing", [], []))
    assert page.sizes() == []


def test_every_text_is_escaped() -> None:
    evil = "<script>alert(1)</script>\"'&<img src=x onerror=alert(1)>"
    figure = Figure(evil, picture("x").png, evil)
    table = Table((evil,), ((evil,),), evil)
    html = render_report(
        evil,
        [(evil, evil)],
        [Section(evil, (figure,), evil, (table,)), figure],
        [evil],
        failures=[(evil, evil)],
        settings={evil: {"nested": [evil]}},
        software={evil: evil},
    )
    page = Page(html)
    assert page.all("script") == []
    assert len(page.all("img")) == 2
    assert page.texts.count(evil) >= 12
    assert all(a["alt"] == evil for a in page.all("img"))


def test_names_that_are_no_unicode_still_make_a_page() -> None:
    html = render_report(
        "a\udcff\x00b", [("x", "\ud800")], [], failures=[("\udcfe.mrc", "bad\x1b")]
    )
    html.encode("utf-8")
    assert "a\ufffd\ufffdb" in Page(html).texts
    assert clip("abcdef", 4) == "abc…" and clip("a\tb\n", 9) == "a\tb\n"


def test_loose_figures_and_tables_are_gathered_under_headings() -> None:
    names = ["score_histogram", "picks_on_a", "expected_precision_recall", "picks_on_b", "own"]
    items: list[Section | Figure | Table] = [picture(name) for name in names]
    items.insert(3, Table(("h",), (("cell",),)))
    page = Page(render_report("t", [], items))
    at = {text: page.texts.index(text) for text in page.texts}
    assert at["Scores and threshold"] < at["caption of expected_precision_recall"] < at["cell"]
    assert at["cell"] < at["Picks on micrographs"] < at["caption of picks_on_b"]
    assert at["caption of picks_on_b"] < at["Further figures"] < at["caption of own"]
    assert page.texts.count("Picks on micrographs") == 1


def test_at_most_twelve_micrographs() -> None:
    figures = [picture(f"picks_on_{i}") for i in range(15)] + [picture("score_histogram")]
    page = Page(render_report("t", [], figures))
    assert len(page.sizes()) == 13
    assert any("3 more are left out" in text for text in page.texts)


def test_ordinary_noisy_report_keeps_every_picture_within_the_budget() -> None:
    figures = [picture(f"picks_on_{i}", 950, i) for i in range(12)]
    figures += [picture(f"plot{i}", 100) for i in range(6)]
    html = render_report("t", [], figures)
    assert len(html.encode()) <= MAX_BYTES
    sizes = Page(html).sizes()
    assert len(sizes) == 18
    assert min(sizes[:12]) >= (420, 420)


def test_huge_input_stays_within_the_budget_and_says_what_is_missing() -> None:
    figures = [picture(f"plot{i}", 300, i) for i in range(30)]
    html = render_report(
        "t" * 100_000,
        [("name", "v" * 100_000)] * 1000,
        figures,
        ["<" * 5000] * 1000,
        failures=[(f"{i}.mrc", "&" * 10_000) for i in range(10_000)],
        settings={f"key{i}": "'" * 5000 for i in range(1000)},
        max_bytes=600_000,
    )
    assert len(html.encode()) <= 600_000
    page = Page(html)
    assert 0 < len(page.sizes()) < 30
    assert any("pictures are left out to keep this page below 0.6 MB" in t for t in page.texts)
    assert any("more are not listed here" in text for text in page.texts)
    assert "Micrographs that could not be used (10,000)" in page.texts


def test_an_impossible_budget_is_refused() -> None:
    with pytest.raises(ValueError, match="exceed 100 bytes"):
        render_report("t", [], [], max_bytes=100)


def test_same_input_gives_the_same_page() -> None:
    figures = [picture("score_histogram", 400)]
    assert render_report("t", [("a", 1)], figures) == render_report("t", [("a", 1)], figures)
