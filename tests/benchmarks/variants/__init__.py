"""Comparing recipes of training: named variants, and a choice that is not judged by itself."""
