"""Training of a picking model: read `train` first."""
