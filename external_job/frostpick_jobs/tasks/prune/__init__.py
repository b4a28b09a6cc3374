"""The pruning and the verifying task: read `run` first."""
