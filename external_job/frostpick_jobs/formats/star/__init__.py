"""STAR files, every value kept as the text it was: read `read` first."""
