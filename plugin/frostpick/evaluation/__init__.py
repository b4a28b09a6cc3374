"""How good picks are, against truth."""
