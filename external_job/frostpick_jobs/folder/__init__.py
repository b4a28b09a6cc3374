"""Plain folders as a host."""
