"""Settings under the name of before; `frostpick.settings` is where they are."""

from frostpick.settings import *  # noqa: F403
from frostpick.settings import Settings, option_key, resolve  # noqa: F401
