"""Loopback test double of a CryoSPARC v5.0.x API server (own code)."""

EMULATED_VERSION = "v5.0.3"
