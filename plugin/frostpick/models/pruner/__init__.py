"""The pruner's networks and its one file: read `model` first."""
