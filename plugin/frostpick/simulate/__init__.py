"""Procedural micrographs with exact truth."""
