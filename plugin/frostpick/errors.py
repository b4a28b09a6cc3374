"""Every error that frostpick raises on purpose.

::

    FrostpickError                one sentence: what, value found, value expected, what to do
    ├── ConfigError               a setting is unknown or out of range
    ├── InputError                a file or a table the user gave cannot be used
    │   ├── LabelError            labels that match no micrograph, or more than one
    │   └── NoInputError          there is nothing in what was given
    ├── ModelError                a model file is damaged, unknown or asks for what is not here
    ├── DeviceError               a GPU was asked for and is not there, or is out of memory
    └── MicrographError           one micrograph cannot be used; the only error that a job skips
    JobStopped                    somebody asked the job to stop; not an error

A message names an option by a mark (`option`), not by its flag: a user types ``--pixel-size``
at a terminal, the label ``pixel_size`` in RELION. Without a host's spelling it is the flag.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logging import LogRecord

#: ``(name, value) -> text``: how an option, or an option with a value, is written.
Spell = Callable[[str, str], str]

#: Brackets that stand in no message for another reason.
_MARK = re.compile("\u27e6([a-z_]+)(?:=([^\u27e6\u27e7]*))?\u27e7")
#: Labels of some tasks, which a host may take in another place than those of others.
_FLAGS = {"exemplars": "labels", "good": "labels"}


def option(name: str, value: str = "") -> str:
    """Return the mark of an option inside a message.

    Parameters
    ----------
    name
        Field of the settings (``pixel_size``; ``from`` as users know it), or an input:
        ``micrographs``, ``picks``, ``particles``, ``labels`` to learn from; ``exemplars`` and
        ``good`` are the labels of few-shot picking and of pruning.
    value
        Where the option is meant with one value: ``option("device", "cpu")``.
    """
    return f"\u27e6{name}={value}\u27e7" if value else f"\u27e6{name}\u27e7"


#: A list in a sentence takes no more than this many signs.
MOST_SIGNS = 200


def listed(names: Iterable[object], most: int = MOST_SIGNS) -> str:
    """Return names for a sentence, at most about so many signs of them, and how many are left out.

    Parameters
    ----------
    names
        In the order of the sentence.
    most
        Signs; the first name is always there.
    """
    shown, left = "", [str(name) for name in names]
    while left and (not shown or len(shown) + len(left[0]) + 2 <= most):
        shown += f"{', ' if shown else ''}{left.pop(0)}"
    return _and_more(shown, len(left))


def first_of(names: Sequence[str], most: int) -> str:
    """Return names for a sentence, at most so many of them, and how many are left out."""
    return _and_more(", ".join(names[:most]), len(names) - most)


def counted(count: int, what: str) -> str:
    """Return a count for a sentence with its word, which takes an s but for one."""
    return f"1 {what}" if count == 1 else f"{count} {what}s"


def _and_more(shown: str, left: int) -> str:
    return f"{shown} and {left} more" if left > 0 else shown


def flag(name: str, value: str = "") -> str:
    """Spell an option as a command line has it: ``--pixel-size``, ``--bad rest``."""
    word = "--" + _FLAGS.get(name, name).replace("_", "-")
    return f"{word} {value}" if value else word


def spelled(text: object, spell: Spell = flag) -> str:
    """Return a text, or the message of an error, with every option as ``spell`` has it."""
    return _MARK.sub(lambda mark: spell(mark[1], mark[2] or ""), str(marked(text)))


def marked(text: object) -> object:
    """Return a `Wording` or an error as its text with the marks, to go into another message.

    Anything else comes back as it is.
    """
    return text.template if isinstance(text, Wording | FrostpickError) else text


class Wording(str):
    """A text that names options and is no error: a log line, a reason, a caption.

    As a `str` it has the flags; ``template`` has the marks, for `spelled`. What is made
    of it (by ``+``, by an f-string) is a plain text, unless `marked` is asked.

    Parameters
    ----------
    template
        A text with marks.
    """

    template: str

    def __new__(cls, template: str) -> Wording:
        """Spell the marks as flags, and keep the text with the marks."""
        self = super().__new__(cls, spelled(template))
        self.template = template
        return self

    def __getnewargs__(self) -> tuple[str]:
        """Let it go to another process with its marks."""
        return (self.template,)


def worded(record: LogRecord) -> Wording:
    """Return the message of a log record, with the marks of the message and its arguments."""
    text, given = str(marked(record.msg)), record.args
    if isinstance(given, Mapping):
        text %= {name: marked(one) for name, one in given.items()}
    elif given:
        text %= tuple(marked(one) for one in given)
    return Wording(text)


class FrostpickError(Exception):
    """Base of all errors with a message meant for the user.

    ``str`` of it spells options as flags; a host spells them its own way (`spelled`).
    """

    def __str__(self) -> str:
        """Return the message with options as flags."""
        return spelled(self)

    @property
    def template(self) -> str:
        """The message with its marks."""
        return str(marked(self.args[0])) if len(self.args) == 1 else super().__str__()


class ConfigError(FrostpickError):
    """A setting is unknown, has the wrong type or is out of range."""


class InputError(FrostpickError):
    """A file or table given by the user cannot be used."""


class LabelError(InputError):
    """Labels match no micrograph, or cannot be matched without guessing."""


class NoInputError(InputError):
    """There is nothing in what the user gave, perhaps not yet."""


class ModelError(FrostpickError):
    """A model file is damaged, of an unknown format, or needs what this version lacks."""


class DeviceError(FrostpickError):
    """The device that was asked for is absent or out of memory."""


class MicrographError(FrostpickError):
    """One micrograph cannot be fetched, decoded or preprocessed.

    The only error after which a job goes on: the micrograph is skipped, listed,
    counted, and tried again when the job is continued.

    Parameters
    ----------
    micrograph_id
        The host's identifier of the micrograph.
    reason
        One clause: file, value found, value expected, what to do.
    """

    def __init__(self, micrograph_id: str, reason: str) -> None:
        marks = str(marked(reason))
        super().__init__(f"{micrograph_id}: {marks}")
        self.micrograph_id = micrograph_id
        self.reason = Wording(marks)


class JobStopped(BaseException):
    """Raised by ``Reporter.check`` when the host or the user wants the job to stop.

    Derived from ``BaseException`` so that no ``except Exception`` on the way can
    take a stop for a failure and go on.
    """
