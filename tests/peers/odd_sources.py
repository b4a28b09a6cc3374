"""Sources of micrographs that another process can import, and that misbehave there."""

import errno
import os
import signal
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class OddSource:
    """A file that is given with the process it is asked from on record, or not at all."""

    path: Path
    what: str = ""

    @property
    def name(self):
        return self.path.name

    def fingerprint(self):
        return self.what

    def fetch(self):
        if self.what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.what == "full disk":
            raise OSError(errno.ENOSPC, "No space left on device", str(self.path))
        if self.what == "bug":
            raise KeyError("a bug")
        if self.what == "hang":
            return self.hang()
        (self.path.parent / f"{self.path.name}.{os.getpid()}.seen").touch()
        return nullcontext(self.path)

    @contextmanager
    def hang(self):
        (self.path.parent / f"hanging.{os.getpid()}.seen").touch()
        time.sleep(3600)
        yield self.path
