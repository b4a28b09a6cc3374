"""How the shipped weights were made: `picker` (with the corpus), `cryomae`, `pruner`."""
