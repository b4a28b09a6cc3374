"""External jobs of CryoSPARC: connect, read, report, deliver."""
