"""Plain folders as a host."""

from frostpick_jobs.folder.host import FolderHost

__all__ = ["FolderHost"]
