"""The licence that a user gives the model that a job makes."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

#: Longest text of a licence, in characters: a name or an address, not the licence itself.
LONGEST = 200

#: Help of the setting, in every task that makes a model.
LICENSE = (
    "Licence of the model that this job makes, such as CC-BY-4.0, for its card; the card names "
    "the models that it is derived from, and their licences, by itself."
)


def check_licence(text: str) -> str:
    """Return a licence without blanks around it; `ValueError` for more than a line."""
    text = text.strip()
    if len(text) > LONGEST or not text.isprintable():
        raise ValueError(
            f"expected the name of a licence, one line of at most {LONGEST} characters, such as "
            "CC-BY-4.0"
        )
    return text


Licence = Annotated[str, AfterValidator(check_licence)]
