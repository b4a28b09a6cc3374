"""What went wrong at the server, in one sentence."""

from __future__ import annotations

import json
from typing import Any

from frostpick.errors import FrostpickError
from frostpick.images import is_machine_error

LONGEST = 1500


class ServerError(FrostpickError):
    """CryoSPARC refused a request, or cannot be reached.

    Parameters
    ----------
    message
        One sentence.
    code
        HTTP status, where there was an answer.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


def status_code(error: BaseException) -> int | None:
    """Return the HTTP status of a client's error, None where the server gave no answer."""
    code = getattr(error, "code", None)
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def is_transient(error: BaseException) -> bool:
    """Tell whether the same request may succeed later: no answer, an overload, a lost login.

    The client warns of each attempt that failed; where warnings are errors, the
    warning is what arrives here.
    """
    code = status_code(error)
    if code is not None:
        return code in (401, 408, 425, 429) or code >= 500
    if isinstance(error, UserWarning):
        return "API client" in str(error)
    from_transport = type(error).__module__.split(".")[0] in ("httpx", "httpcore", "urllib")
    return isinstance(error, (ConnectionError, TimeoutError)) or (
        from_transport and type(error).__name__ != "InvalidURL"
    )


def is_of_the_machine(error: BaseException) -> bool:
    """Tell whether this machine failed, not the server: a full disk, no files, no memory."""
    return is_machine_error(error) and not is_transient(error)


def detail(error: BaseException) -> str:
    """Return what the server said, on one line, cut to a length that a log can carry."""
    data = getattr(error, "data", None)
    if data is not None:
        text = _said(data)
    else:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        text = lines[0] if lines else type(error).__name__
    return cut(" ".join(text.split()), LONGEST)


def cut(text: str, length: int) -> str:
    """Return a text of at most ``length`` characters."""
    return text if len(text) <= length else text[: length - 4] + " ..."


def _said(data: Any) -> str:
    if isinstance(data, dict) and set(data) == {"detail"}:
        return _said(data["detail"])
    return data if isinstance(data, str) else json.dumps(data, default=str)
