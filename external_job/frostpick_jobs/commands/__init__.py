"""Commands that are no task: evaluate, simulate, demo; and pretrain, for folders alone."""
