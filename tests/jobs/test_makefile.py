"""The Makefile: `make check` has a test of every layer, and its commands are today's."""

from __future__ import annotations

import ast
import re
import shlex
from functools import cache
from pathlib import Path

import pytest
import typer.main
from pages import ROOT

from frostpick_jobs.cli.main import app

pytestmark = pytest.mark.quick

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
BENCHMARKS = sorted((ROOT / "tests" / "benchmarks").glob("bench_*.py"))


@cache
def quick_files() -> tuple[Path, ...]:
    """The files that `make check` gives to pytest, by its own pattern."""
    pattern = re.search(r"grep -rl '(.+?)' tests", MAKEFILE)
    assert pattern is not None
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    return tuple(one for one in files if re.search(pattern[1], one.read_text(encoding="utf-8")))


def recipe(target: str) -> str:
    found = re.search(rf"^{target}:(.*\n(?:\t.*\n)+)", MAKEFILE, re.M)
    assert found is not None, target
    return found[1]


def test_check_is_lint_and_the_quick_tests() -> None:
    words = recipe("check")
    assert words.splitlines()[0].split() == ["lint"]
    assert "-m 'quick and not slow'" in words
    for program in ("ruff check", "ruff format --check", "mypy", "lint-imports"):
        assert program in recipe("lint")
    assert "not slow" not in recipe("test") and "-m " not in recipe("test").replace("-m pytest", "")


@cache
def imported() -> frozenset[str]:
    """Every module that a quick file imports by itself."""
    found = set()
    for path in quick_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {one.name for one in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
    return frozenset(found)


def layers() -> list[str]:
    """The layers of both packages as the contracts of import-linter have them, a line each."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    blocks = re.findall(r'^type = "layers"\nlayers = \[\n(.*?)\n\]', text, re.M | re.S)
    assert len(blocks) == 2
    return [line.strip(' ",') for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("layer", layers())
def test_every_layer_has_a_quick_test(layer: str) -> None:
    packages = re.split(r" [|:] ", layer)
    assert any(
        module == one or module.startswith(f"{one}.") for one in packages for module in imported()
    )


def test_a_job_on_each_host_is_quick() -> None:
    tests = [one for one in quick_files() if one.parent.name == "contract"]
    assert tests
    cases = {one.stem for one in tests[0].parent.glob("case_*.py")}
    assert {"case_folder", "case_relion", "case_cryosparc"} <= cases


def options_of(script: Path) -> set[str]:
    """The options that a benchmark defines, with those of a file of options beside it."""
    files = [script, *(ROOT / "tests" / "benchmarks").glob("*/options.py")]
    return {
        word
        for one in files
        for word in re.findall(r'"(--[a-z][a-z-]*)"', one.read_text(encoding="utf-8"))
    }


def test_every_option_in_the_makefile_exists() -> None:
    text = MAKEFILE.replace("$(BIN)/", "")
    checked = 0
    for script, rest in re.findall(r"python tests/benchmarks/(bench_\w+\.py)(.*)", text):
        given = set(re.findall(r"--[a-z][a-z-]*", rest))
        assert given <= options_of(ROOT / "tests" / "benchmarks" / script), script
        checked += len(given)
    program = typer.main.get_command(app)
    for line in re.findall(r"^\tfrostpick (.*)$", text, re.M):
        words = shlex.split(re.sub(r"\$\(\w+\)", "folder", line))
        command = program.commands[words[0]]  # type: ignore[attr-defined]
        shown = {
            name: one
            for one in command.params
            if not getattr(one, "hidden", False)
            for name in one.opts
        }
        given = {word for word in words if word.startswith("-")}
        assert given <= shown.keys(), line
        checked += len(given)
    assert checked > 10


@pytest.mark.parametrize("script", BENCHMARKS, ids=lambda one: one.stem)
def test_a_benchmark_reads_options_that_it_has(script: Path) -> None:
    tree = ast.parse(script.read_text(encoding="utf-8"))
    read = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "options"
    }
    have = {word[2:].replace("-", "_") for word in options_of(script)}
    assert read <= have
