"""Rounds of training, picking and verification: read `iterate` first."""
