"""Rules from a map of scores to picks, one file a rule."""
