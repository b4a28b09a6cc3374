"""Devices, threads, progress and files: what a running task stands on."""
