"""Tests use the public names of the test server: its parts change behind them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.quick

TESTS = Path(__file__).parents[1]
SERVER = TESTS / "peers/csemu"


def private_uses(text: str) -> Iterator[str]:
    """Yield each private name that is imported from the test server, or patched by its name.

    Attributes of objects are ruff's: rule SLF001 in ``pyproject.toml``.
    """
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("csemu"):
            yield from (one.name for one in node.names if one.name.startswith("_"))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("setattr", "delattr")):
            words = [one for one in node.args[:2] if isinstance(one, ast.Constant)]
            owner = ast.unparse(node.args[0]) if node.args else ""
            if "store" in owner or "csemu" in owner:
                yield from (str(one.value) for one in words if str(one.value).startswith("_"))


def test_the_rule_sees_what_it_forbids():
    assert list(private_uses("from csemu.seed import _done, seed_project")) == ["_done"]
    assert list(private_uses('monkeypatch.setattr(p.store, "_load", f)')) == ["_load"]
    assert not list(private_uses('monkeypatch.setattr(p.store, "create_job", f)'))


def test_no_test_names_a_private_part_of_the_server():
    files = [one for one in TESTS.rglob("*.py") if SERVER not in one.parents]
    assert sum("csemu" in one.read_text() for one in files) > 10
    found = {one.name: names for one in files if (names := list(private_uses(one.read_text())))}
    assert not found
