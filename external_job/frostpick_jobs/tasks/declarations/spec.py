"""What a task is: its settings, its inputs and outputs, its methods, and the name of its run.

Hosts make their forms, labels, slots and commands from it. Nothing here imports numpy or torch.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from frostpick.settings import RunSettings

#: The hosts there are, in the order of help texts.
HOSTS = ("folder", "relion", "cryosparc")


class InputKind(enum.Enum):
    """What an input holds, whatever program keeps it."""

    #: Micrographs of the job.
    MICROGRAPHS = "micrographs"
    #: Picks or particles to learn from, matched to the micrographs.
    LABELS = "labels"
    #: About fifteen particles marked on one micrograph.
    EXEMPLARS = "exemplars"
    #: Rows of coordinates to decide on; boxes are cut from the micrographs.
    PICKS = "picks"
    #: Rows of extracted particles to decide on.
    PARTICLES = "particles"
    #: Rows that are known to be good, or known to be bad, of the kind that is decided on.
    EXAMPLES = "examples"


class OutputKind(enum.Enum):
    """What an output holds; each is written by the host's writer of that kind."""

    #: Picks of every micrograph.
    PICKS = "picks"
    #: A model and its card.
    MODEL = "model"
    #: The input's rows in two parts, kept and rejected.
    KEPT_ROWS = "kept rows"
    #: All of the input's rows with their scores.
    SCORED_ROWS = "scored rows"
    #: Tables and other files for the user.
    FILES = "files"
    #: The run record, the report and the pictures.
    REPORT = "report"


#: Name and kind of an input -> its mark, where that is not the name.
_MARKS = {
    ("labels", InputKind.EXEMPLARS): "exemplars",
    ("labels", InputKind.EXAMPLES): "good",
}


def _never(settings: Any) -> bool:
    return False


@dataclass(frozen=True)
class InputSpec:
    """An input of a task.

    Parameters
    ----------
    name
        Keyword of the Python function, option on a folder.
    help
        Help text where files are given.
    hints
        Host -> help text, where it is another there.
    needed
        Whether the task cannot do without it, by its settings.
    rest
        The word ``rest`` stands for all rows that the input of this name does not hold.
    was
        Host -> its names of before there, still taken until 2.0.
    """

    name: str
    kind: InputKind
    help: str
    hints: Mapping[str, str] = field(default_factory=dict)
    needed: Callable[[Any], bool] = _never
    rest: str = ""
    was: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def mark(self) -> str:
        """Name of its option in messages: a host may have labels of each kind elsewhere."""
        return _MARKS.get((self.name, self.kind), self.name)

    def help_on(self, host: str) -> str:
        """Return the help text on a host."""
        return self.hints.get(host, self.help)


@dataclass(frozen=True)
class OutputSpec:
    """An output of a task.

    Parameters
    ----------
    name
        Name in the task's result and in `Host.reference`.
    follows
        Inputs whose kind the output has: coordinates where those were given, or particles.
    files
        Of files: their names below the job's folder, as far as they are known beforehand.
    """

    name: str
    kind: OutputKind
    follows: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Method:
    """One of a task's methods.

    Parameters
    ----------
    name
        Its value in the setting ``method``.
    options
        Settings that have a use in it, of those that not every method has a use for.
    citation
        What to cite for it.
    """

    name: str
    options: frozenset[str] = frozenset()
    citation: str = ""


@dataclass(frozen=True)
class TaskSpec:
    """A task, declared once.

    Parameters
    ----------
    name
        Its command.
    settings
        Its settings class.
    run, preflight
        ``module:function``. ``run(host, settings, executor)`` does the work; ``preflight(settings,
        models)`` raises what can be known to be wrong before a job is made.
    summary
        One sentence for help texts.
    hints
        Host -> summary, where it is another there.
    one_of
        Groups of inputs of which exactly one group is given.
    methods
        Where there are several; ``auto`` is none of them.
    no_use
        Setting -> why a method has no use for it, for the sentence that refuses it.
    hosts
        Where it runs.
    """

    name: str
    settings: type[RunSettings]
    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    run: str
    summary: str
    citation: str
    preflight: str = ""
    hints: Mapping[str, str] = field(default_factory=dict)
    one_of: tuple[tuple[str, ...], ...] = ()
    methods: tuple[Method, ...] = ()
    no_use: Mapping[str, str] = field(default_factory=dict)
    hosts: tuple[str, ...] = HOSTS

    def input(self, name: str) -> InputSpec:
        """Return an input by its name; `KeyError` where there is none."""
        return {one.name: one for one in self.inputs}[name]

    def of_kind(self, *kinds: InputKind) -> tuple[InputSpec, ...]:
        """Return the inputs of some kinds, in their order."""
        return tuple(one for one in self.inputs if one.kind in kinds)

    def gives(self, kind: OutputKind) -> bool:
        """Tell whether the task has an output of a kind."""
        return any(one.kind is kind for one in self.outputs)

    def cited(self, method: str = "") -> str:
        """Return what to cite for a method; for the whole task where it is none of them."""
        return {one.name: one.citation for one in self.methods}.get(method) or self.citation

    def help_on(self, host: str) -> str:
        """Return the summary on a host."""
        return self.hints.get(host, self.summary)

    def load_run(self) -> Callable[..., Any]:
        """Import what does the work."""
        return _load(self.run)

    def load_preflight(self) -> Callable[..., None] | None:
        """Import what looks before a job is made; None where there is nothing to look at."""
        return _load(self.preflight) if self.preflight else None


#: What was given, by the input's name: files, folders, outputs of a job.
Given = Mapping[str, Sequence[Any]]


def _load(dotted: str) -> Callable[..., Any]:
    module, _, name = dotted.partition(":")
    loaded: Callable[..., Any] = getattr(import_module(module), name)
    return loaded
