"""Who does the items of a job, and where: read `base` first; one file an engine."""
