"""The instance: connection, job, log, uploads."""
