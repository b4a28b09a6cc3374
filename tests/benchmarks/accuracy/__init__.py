"""The accuracy benchmark: sets, label draws, runs, figures, tables and targets."""
