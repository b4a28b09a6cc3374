"""Micrographs of negative stain, simulated."""
