"""RELION External jobs as a host."""
