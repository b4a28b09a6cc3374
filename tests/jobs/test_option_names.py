"""Flags are written in one place: everywhere else a message names an option by a mark."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from frostpick import config
from frostpick.errors import flag
from frostpick.settings import Settings
from frostpick_jobs.cli.options import list_options
from frostpick_jobs.job.spelling import in_relion
from frostpick_jobs.tasks.declarations import TASKS

ROOT = Path(__file__).parents[2]
FRONT_END = "external_job/frostpick_jobs/cli/"
RELION = "external_job/frostpick_jobs/hosts/relion/"
CRYOSPARC = "external_job/frostpick_jobs/hosts/cryosparc/"
FLAG = re.compile(r"--[a-z]")
#: Calls and keywords whose texts are help, which the front ends show as it is.
HELP_CALLS = {"setting", "InputSpec"}
HELP_WORDS = {"description", "help", "epilog", "summary", "hints"}

#: Whole commands, a program's own arguments, and RELION's: no option of the job in a message.
MEANT = {
    "plugin/frostpick/models/cryomae/model.py": ["frostpick pretrain --method mae"],
    "plugin/frostpick/models/picking_model.py": ["frostpick prune --pruner"],
    # stands in the cards of encoders
    "plugin/frostpick/pretraining/cryomae/pretrain.py": ["pretrain --method mae"],
    "plugin/frostpick/pretraining/picker/train_denoiser.py": ["--threads"],
    "external_job/frostpick_jobs/tasks/fewshot.py": ["frostpick pretrain --method mae"],
    # commands of a terminal, whatever the host of the job
    "external_job/frostpick_jobs/tasks/audit/promise.py": [
        *("judge more with frostpick audit { --more", "frostpick select { --threshold ")
    ],
    "external_job/frostpick_jobs/tasks/audit/run.py": ["draw anew with --new"],
    **{
        f"external_job/frostpick_jobs/hosts/{host}/next_step.py": commands
        for host, commands in {
            "folder": [
                *(
                    "{ --threshold precision=0.9",
                    "frostpick train --micrographs { --start-model",
                ),
                "frostpick pick --micrographs { --model",
                " --micrographs ",
            ],
            "cryosparc": [
                *(
                    "frostpick cryosparc pick --project",
                    "--workspace W1",
                    "--micrographs J1.exposures",
                ),
                "--model {",
            ],
        }.items()
    },
    # other programs' own, and the doctor's
    "external_job/frostpick_jobs/commands/doctor/machine.py": [
        *("--query-gpu", "--format=csv", "--cpus-per-task"),
    ],
    "external_job/frostpick_jobs/commands/doctor/programs.py": ["--version"],
    "external_job/frostpick_jobs/commands/doctor/output.py": ["--format=State", "--bundle"],
    CRYOSPARC + "request.py": [" --project ", "--job"],
    CRYOSPARC + "server/login.py": ["python -m cryosparc.tools login --url "],
    CRYOSPARC + "server/versions.py": ["pip install --force-reinstall "],
    # what RELION itself puts on the command line
    RELION + "arguments.py": [
        *("--o", "--j", "--gpu", "--config", "--debug", "--pipeline_control", "--{"),
    ],
}


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Every module but those of the command lines."""
    for package in ("plugin/frostpick", "external_job/frostpick_jobs"):
        for path in sorted((ROOT / package).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(FRONT_END):
                yield name, ast.parse(path.read_text(encoding="utf-8"))


def texts(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of every string but docstrings and help; ``{`` where a value goes in."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.lineno, node.value
        return
    if isinstance(node, ast.JoinedStr):
        parts = [one.value if isinstance(one, ast.Constant) else "{" for one in node.values]
        yield node.lineno, "".join(map(str, parts))
    if isinstance(node, ast.keyword) and node.arg in HELP_WORDS:
        return
    called = node.func if isinstance(node, ast.Call) else None
    name = getattr(called, "attr", getattr(called, "id", None))
    for child in ast.iter_child_nodes(node):
        within = isinstance(node, ast.JoinedStr) and isinstance(child, ast.Constant)
        helped = name in HELP_CALLS and isinstance(child, ast.Constant | ast.JoinedStr | ast.Dict)
        if not within and not helped:
            yield from texts(child)


def with_flag(text: str, meant: list[str]) -> bool:
    """Tell whether a text has a flag, or ends with the dashes of one, beside what is meant."""
    for one in meant:
        text = text.replace(one, "")
    return bool(FLAG.search(text)) or "--{" in text


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("raise E('give --diameter')", True),
        ("raise E(f'give {a}; --diameter too')", True),
        ("raise E(f'--{name} is wrong')", True),
        ("log.info('%s: try --device', 3)", True),
        ("def f():\n    '''A docstring of --diameter.'''", False),
        ("raise E(f'give {option(\"diameter\")}')", False),
        ("plot(ls='--')", False),
        ("x = setting(None, 'needs --diameter', 'Data')", False),
        ("x = Field(None, description='needs --diameter')", False),
        ("x = InputSpec('a', K, 'for --method', {'relion': '--from'})", False),
        ("x = InputSpec('a', K, needed=need('--method'))", True),
        ("raise E('use frostpick models --all')", True),
        ("raise E('use frostpick models --some')", False),
    ],
)
def test_what_counts_as_a_flag(code: str, found: bool) -> None:
    given = texts(ast.parse(code))
    assert any(with_flag(text, ["frostpick models --some"]) for _, text in given) == found


def test_no_message_has_a_flag() -> None:
    count = 0
    wrong = []
    for name, tree in sources():
        for line, text in texts(tree):
            count += 1
            if with_flag(text, MEANT.get(name, [])):
                wrong.append(f"{name}:{line}: {text!r}; write option('...') for the flag")
    assert wrong == [] and count > 3000


def test_every_exception_is_needed() -> None:
    trees = dict(sources())
    unused = [
        (name, one)
        for name, meant in MEANT.items()
        for one in meant
        if not any(one in text for _, text in texts(trees[name]))
    ]
    assert unused == []


def named() -> set[str]:
    """Names that stand in calls of `option`."""
    return {
        node.args[0].value
        for _, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", None) == "option"
        and isinstance(node.args[0], ast.Constant)
    }


def test_every_option_that_a_message_names_is_one() -> None:
    kinds = [one for one in vars(config).values() if isinstance(one, type)]
    options = [o for k in kinds if issubclass(k, Settings) for o in list_options(k)]
    front_ends = [path.read_text() for path in sorted((ROOT / FRONT_END).glob("*.py"))]
    known = {word for text in front_ends for word in re.findall(r'"(--[a-z-]+)"', text)}
    known |= {one.flag for one in options}
    known |= {flag(one.name) for task in TASKS for one in task.inputs}
    assert {"diameter", "start_model", "picks", "good", "blob"} <= named()
    assert sorted(name for name in named() if flag(name) not in known) == []
    # in RELION a switch without a value is as if it was not given
    switches = {one.field for one in options if one.type is bool} & named()
    told = {"overwrite", "strict", "live"}
    assert switches == told | {"restart", "allow_missing", "renew_threshold"}
    assert all(in_relion(name).endswith(" = yes") for name in switches)
