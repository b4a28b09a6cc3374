"""frostpick: deep particle picking for cryo-EM. The engine; it knows no host."""

from frostpick._version import __version__

__all__ = ["__version__"]
