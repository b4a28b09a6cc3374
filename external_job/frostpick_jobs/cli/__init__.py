"""Commands for people and for RELION."""
