"""Words and switches that every part of the store uses."""

import re
import uuid
from datetime import datetime, timezone

from . import EMULATED_VERSION

NAME = re.compile(r"^[A-Za-z][0-9A-Za-z_]*$")
ACTIVE = {"running", "waiting"}
STATUS_NUM = {
    s: i
    for i, s in enumerate(
        [
            "building",
            "queued",
            "launched",
            "started",
            "running",
            "waiting",
            "completed",
            "killed",
            "failed",
        ]
    )
}


class Refused(Exception):
    """A request the server answers with an error status."""

    def __init__(self, code, detail):
        super().__init__(detail)
        self.code, self.detail = code, detail


def now():
    return datetime.now(timezone.utc)


def oid():
    return uuid.uuid4().hex[:24]


def uidkey(u):
    return int(u[1:])


class Options:
    """Switches that let a verifier vary what the public sources leave open."""

    def __init__(
        self,
        *,
        email="picker@example.com",
        password="secret",
        strict_values=True,
        alloc="full",
        remote_paths=False,
        version=EMULATED_VERSION,
        mark_failed_after_kill="allow",
        revoked=False,
        protected=(),
    ):
        assert alloc in ("min", "full") and mark_failed_after_kill in ("allow", "refuse")
        self.email, self.password = email, password
        self.strict_values, self.alloc, self.remote_paths = strict_values, alloc, remote_paths
        self.version, self.mark_failed_after_kill = version, mark_failed_after_kill
        self.protected = protected  # jobs that may not be deleted
        self.revoked = revoked  # no token is known any more, whoever made it
