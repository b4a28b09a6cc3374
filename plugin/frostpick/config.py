"""`frostpick.settings` under its name of before, until 2.0."""

from frostpick.settings import *  # noqa: F403
