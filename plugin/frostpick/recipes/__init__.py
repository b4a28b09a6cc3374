"""Long trainings built from all of the engine: how the shipped weights were made."""
