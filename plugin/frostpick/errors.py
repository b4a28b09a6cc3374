"""Every error that frostpick raises on purpose.

::

    FrostpickError                one sentence: what, value found, value expected, what to do
    ├── ConfigError               a setting is unknown or out of range
    ├── InputError                a file or a table the user gave cannot be used
    │   └── LabelError            labels that match no micrograph, or more than one
    ├── ModelError                a model file is damaged, unknown or asks for what is not here
    ├── DeviceError               a GPU was asked for and is not there, or is out of memory
    └── MicrographError           one micrograph cannot be used; the only error that a job skips
    JobStopped                    somebody asked the job to stop; not an error
"""

from __future__ import annotations


class FrostpickError(Exception):
    """Base of all errors with a message meant for the user."""


class ConfigError(FrostpickError):
    """A setting is unknown, has the wrong type or is out of range."""


class InputError(FrostpickError):
    """A file or table given by the user cannot be used."""


class LabelError(InputError):
    """Labels match no micrograph, or cannot be matched without guessing."""


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
        super().__init__(f"{micrograph_id}: {reason}")
        self.micrograph_id = micrograph_id
        self.reason = reason


class JobStopped(BaseException):
    """Raised by ``Reporter.check`` when the host or the user wants the job to stop.

    Derived from ``BaseException`` so that no ``except Exception`` on the way can
    take a stop for a failure and go on.
    """
