"""What trainers share, and a room for each of them: `picker`, `cryomae`, `pruner`."""
