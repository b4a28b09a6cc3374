"""Commands that are no task: evaluate, simulate, demo."""
