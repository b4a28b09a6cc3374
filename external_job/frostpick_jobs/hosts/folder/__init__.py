"""Plain folders as a host."""

from frostpick_jobs.hosts.folder.host import FolderHost

__all__ = ["FolderHost"]
