"""Files of a project."""

import os
import shutil
from pathlib import Path

from .base import Refused


class Files:
    """Part of the store."""

    def path(self, puid, rel, inside=True):
        d = self.pdir(puid)
        rel = str(rel)
        shown = self.shown_dir(d)
        if rel.startswith(shown):
            rel = rel[len(shown) :].lstrip("/")
        p = Path(os.path.normpath(d / rel))
        if inside and p != d and d not in p.parents:
            raise Refused(422, f"Path {rel} is outside of the project directory")
        return p

    def upload_file(self, puid, rel, data, overwrite):
        p = self.path(puid, rel)
        if not rel or p.is_dir():
            raise Refused(422, f"Path {rel!r} is a directory")
        if p.exists() and not overwrite:
            raise Refused(422, f"File {rel} already exists; specify overwrite=True")
        if not p.parent.is_dir():
            raise Refused(422, f"Directory of {rel} does not exist")
        p.write_bytes(data)
        return self.shown_dir(p)

    def ls(self, puid, rel, recursive):
        p, d = self.path(puid, rel), self.pdir(puid)
        if not p.is_dir():
            raise Refused(404, f"{rel} is not a directory")
        it = p.rglob("*") if recursive else p.iterdir()
        return sorted(str(x.relative_to(d)) for x in it)

    def mkdir(self, puid, rel, parents, exist_ok):
        p = self.path(puid, rel)
        try:
            p.mkdir(parents=parents, exist_ok=exist_ok)
        except OSError as e:
            raise Refused(422, f"mkdir {rel}: {e.strerror}")
        return self.shown_dir(p)

    def cp(self, puid, source, rel):
        s, t = self.path(puid, source, inside=False), self.path(puid, rel or Path(source).name)
        if not s.exists():
            raise Refused(404, f"{source} does not exist")
        if t.exists() and not t.is_dir():
            raise Refused(422, f"{rel} already exists")
        (shutil.copytree if s.is_dir() else shutil.copy2)(s, t)
        return self.shown_dir(t)

    def symlink(self, puid, source, rel):
        s, t = self.path(puid, source, inside=False), self.path(puid, rel or Path(source).name)
        if not s.exists():
            raise Refused(404, f"{source} does not exist")
        if t.exists() or t.is_symlink():
            raise Refused(422, f"{rel} already exists")
        t.symlink_to(s)
        return self.shown_dir(t)
