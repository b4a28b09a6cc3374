"""Few-shot training by cryoMAE: read `train` first."""
