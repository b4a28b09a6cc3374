"""Where folders of the server are on this machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from frostpick.errors import ConfigError, option

#: Links that a path may go through, as the kernel has it.
MOST_LINKS = 40


@dataclass(frozen=True)
class Mounts:
    """Folders of the server that are elsewhere on this machine.

    Parameters
    ----------
    pairs
        Folder of the server, and the folder here.
    """

    pairs: tuple[tuple[PurePosixPath, Path], ...] = ()

    @classmethod
    def parse(cls, texts: Sequence[str]) -> Mounts:
        """Read texts such as ``/bulk=/mnt/bulk``.

        Raises
        ------
        ConfigError
            Not two absolute paths with a sign ``=`` between them.
        """
        pairs = []
        for text in texts:
            server, sign, local = text.partition("=")
            here = Path(local.strip()).expanduser()
            there = PurePosixPath(server.strip())
            if not (sign and there.is_absolute() and here.is_absolute()):
                raise ConfigError(
                    f"{option('map', text)}: expected a folder as the server has it and where it "
                    "is here, such as /bulk=/mnt/bulk, both from the root on"
                )
            pairs.append((there, here))
        return cls(tuple(pairs))

    def texts(self) -> list[str]:
        """Return what `parse` reads."""
        return [f"{server}={local}" for server, local in self.pairs]

    def local(self, path: str | PurePosixPath) -> Path:
        """Return where an absolute path of the server is here, by the longest folder that fits."""
        asked = PurePosixPath(path)
        fitting = [pair for pair in self.pairs if asked.is_relative_to(pair[0])]
        if not fitting:
            return Path(asked)
        server, local = max(fitting, key=lambda pair: len(pair[0].parts))
        return local / asked.relative_to(server)

    def follow(self, path: Path) -> Path:
        """Return a path whose links lead into mapped folders as one that can be opened here.

        What cannot be found in this way comes back as far as it was followed.
        """
        for _ in range(MOST_LINKS if self.pairs else 0):
            if os.path.exists(path):
                break
            broken = (one for one in (*reversed(path.parents), path) if one.is_symlink())
            link = next((one for one in broken if not os.path.exists(one)), None)
            if link is None:
                break
            target = os.path.normpath(link.parent / os.readlink(link))
            there = self.local(target)
            if not os.path.lexists(there):
                break
            path = there / path.relative_to(link)
        return path


#: Everything is where the server has it.
AS_TOLD = Mounts()
