"""The last stage of a pruner's training, on the data at hand: read `train` first."""
