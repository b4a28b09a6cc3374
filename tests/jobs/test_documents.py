"""README and docs: links lead somewhere, paths are there, commands and options are today's."""

from __future__ import annotations

import ast
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main
from pages import DOCS, PAGES, ROOT, commands, named, prose

from frostpick.errors import flag
from frostpick.settings import resolve
from frostpick.types import REASONS
from frostpick_jobs.cli.main import app
from frostpick_jobs.cli.relion_job import job_parser, read_command_line
from frostpick_jobs.commands.simulate import CSV_COLUMNS as TRUTH_COLUMNS
from frostpick_jobs.commands.simulate import STAR_COLUMNS
from frostpick_jobs.formats.delimited import ALIASES, CSV
from frostpick_jobs.formats.star.columns import SCORE, SPREAD
from frostpick_jobs.formats.star.pick_labels import STAR
from frostpick_jobs.formats.star.tables import SIGN
from frostpick_jobs.hosts.cryosparc.write.slots import LOCATION, LOCATION_OPTIONAL, PICK_STATS
from frostpick_jobs.tasks.declarations import TaskSpec, task_named, tasks_on
from frostpick_jobs.tasks.pick.micrograph_table import COLUMNS as MICROGRAPH_COLUMNS

NOTES = sorted((ROOT / "tests" / "benchmarks").glob("*.md"))

#: Above a block of commands that need RELION, or a CryoSPARC server.
NEEDS_A_HOST = re.compile(r"<!-- needs a host: (RELION|CryoSPARC|Doppio) -->")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z_-]*[a-z]")
OURS = ("plugin/", "external_job/", "tests/", "examples/", "docs/")
#: Options that every program has.
OTHERS = {"--help", "--version"}


@cache
def anchors(page: Path) -> frozenset[str]:
    """What GitHub calls the headings of a page."""
    heads = re.findall(r"^#+ +(.+?) *$", prose(page), re.M)
    plain = (re.sub(r"[^\w\- ]", "", head.lower()) for head in heads)
    return frozenset(one.replace(" ", "-") for one in plain)


@pytest.mark.parametrize("page", [*PAGES, *NOTES], ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(prose(page)):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), f"{named(page)}: {target}"
        if anchor:
            assert anchor in anchors(there), f"{named(page)}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_path_that_is_named_is_there(page: Path) -> None:
    for code in CODE.findall(prose(page)):
        if code.startswith(OURS) and re.fullmatch(r"[\w./-]+", code):
            assert (ROOT / code).exists(), f"{named(page)}: {code}"


def test_every_page_is_reached_from_the_readme() -> None:
    linked = {one.partition("#")[0] for one in LINK.findall(prose(ROOT / "README.md"))}
    assert {named(one) for one in DOCS[1:]} <= linked


@cache
def frostpick() -> Any:
    return typer.main.get_command(app)


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """The command of ``frostpick`` that words name, and its own words."""
    command, rest = frostpick(), words[1:]
    while hasattr(command, "commands") and (rest or not command.invoke_without_command):
        assert rest and rest[0] in command.commands, f"no command: {shlex.join(words)}"
        command, rest = command.commands[rest[0]], rest[1:]
    return command, rest


def shown(command: Any) -> dict[str, Any]:
    """The options of a command that its help shows."""
    return {
        name: one
        for one in command.params
        if not getattr(one, "hidden", False)
        for name in (*one.opts, *one.secondary_opts)
        if name.startswith("-")
    }


def shown_in_relion(task: TaskSpec) -> set[str]:
    return {
        name
        for one in job_parser(task)._actions
        if one.help != "==SUPPRESS=="
        for name in one.option_strings
    }


def parse(words: list[str]) -> None:
    """Read a command line as its program does, without running it."""
    if words[0].startswith("frostpick-relion-"):
        task = task_named(words[0].removeprefix("frostpick-relion-"))
        given = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert given <= shown_in_relion(task), words
        arguments, _ = read_command_line(task, words[1:])
        assert arguments.prefix.startswith("External/")
        return
    command, rest = command_of(words)
    given = {word for word in rest if re.match(r"--?[a-z]", word)}
    assert given <= shown(command).keys(), words
    context = command.make_context(command.name, list(rest))
    task_name = words[2] if words[1] == "cryosparc" else words[1]
    for task in tasks_on("cryosparc" if words[1] == "cryosparc" else "folder"):
        if task.name == task_name:
            fields = task.settings.model_fields.keys()
            typed = {k: v for k, v in context.params.items() if k in fields and v is not None}
            resolve(task.settings, ("the page", typed))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_is_read_by_its_program(page: Path) -> None:
    for words, _ in commands(page):
        if words[0].startswith("frostpick"):
            parse(words)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_what_no_test_runs_says_that_it_needs_a_host(page: Path) -> None:
    """Others are run by ``test_document_commands.py``, or are no commands of ours."""
    makefile = (ROOT / "Makefile").read_text()
    for words, above in commands(page):
        hosted = words[0].startswith("frostpick-relion-") or words[:2] == ["frostpick", "cryosparc"]
        hosted = hosted or "cryosparc.tools" in words
        if hosted:
            assert NEEDS_A_HOST.fullmatch(above), f"{named(page)}: {shlex.join(words)}"
        elif words[0] == "make":
            assert re.search(rf"^{words[1]}:", makefile, re.M), words
        elif words[0] not in ("frostpick", "pip", "git", "cd"):
            assert NEEDS_A_HOST.fullmatch(above), f"{named(page)}: {shlex.join(words)}"


@cache
def all_options() -> frozenset[str]:
    """Every option that some help shows, and those of the benchmarks."""
    found = set(OTHERS)

    def add(command: Any) -> None:
        found.update(shown(command))
        for one in getattr(command, "commands", {}).values():
            add(one)

    add(frostpick())
    for task in tasks_on("relion"):
        found |= shown_in_relion(task)
    for script in (ROOT / "tests" / "benchmarks").glob("bench_*.py"):
        found |= set(re.findall(r'"(--[a-z-]+)"', script.read_text(encoding="utf-8")))
    return frozenset(found)


def own_words(page: Path) -> str:
    """The prose without what another program calls a thing: the first cells of its page."""
    text = prose(page)
    return re.sub(r"^\|.*?(?<!\\)\|", "|", text, flags=re.M) if "from-" in page.name else text


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_option_that_is_named_exists(page: Path) -> None:
    for code in CODE.findall(own_words(page)):
        options = OPTION.findall(code)
        words = code.split()
        if words[0] == "frostpick" and len(words) > 1 and "TASK" not in words:
            command, _ = command_of([w for w in words if w != "..."])
            assert set(options) <= shown(command).keys() | OTHERS, f"{named(page)}: {code}"
        assert set(options) <= all_options(), f"{named(page)}: {code}"


@cache
def told() -> str:
    """All texts of the sources, a line each; options as a terminal has them, … for values."""
    found = []
    for package in ("plugin/frostpick", "external_job/frostpick_jobs"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
                elif isinstance(node, ast.JoinedStr):
                    found.append("".join(map(_part, node.values)))
                elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
                    found.append(_joined(node))
    return "\n".join(re.sub(r"\s+", " ", one) for one in found)


def _joined(node: ast.expr) -> str:
    if isinstance(node, ast.BinOp):
        return _joined(node.left) + _joined(node.right)
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_part, node.values))
    return _part(node)


def _part(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    value = node.value if isinstance(node, ast.FormattedValue) else node
    if isinstance(value, ast.Call) and getattr(value.func, "id", "") == "option":
        if all(isinstance(one, ast.Constant) for one in value.args):
            return flag(*(one.value for one in value.args))  # type: ignore[attr-defined]
    return "…"


def test_every_message_is_one_of_the_sources() -> None:
    messages = re.findall(r"^\| `(.+?)` \|", prose(ROOT / "docs" / "messages.md"), re.M)
    assert len(messages) > 50
    for message in messages:
        for piece in filter(None, map(str.strip, re.split("…|: |; ", message))):
            assert len(piece) < 8 or piece in told(), f"{message!r}: {piece!r}"


def test_every_column_is_told() -> None:
    page = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
    names = {one.name for one in (*CSV, *STAR)} | set(MICROGRAPH_COLUMNS) | set(TRUTH_COLUMNS)
    names |= {one for names_of in ALIASES.values() for one in names_of} | {SIGN}
    names |= {SCORE, SPREAD, *STAR_COLUMNS, *filter(None, REASONS)}
    names |= {name.partition("/")[2] for name, *_ in (*LOCATION, *LOCATION_OPTIONAL, *PICK_STATS)}
    missing = {one for one in names if not re.search(rf"`(\w+/)?{re.escape(one)}`", page)}
    assert not missing
