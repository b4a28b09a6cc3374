"""The programs that a job may run in, and the plain folder; none imports another."""
