"""Model files and the networks inside them: read `card` and `picking_model` first."""
