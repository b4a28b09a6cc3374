"""The picking task: read `run` first."""
