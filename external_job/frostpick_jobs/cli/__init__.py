"""Commands for people and for RELION."""

import os

# Threads that spin while they wait take the processor from each other where cores are
# shared (a queue's slot, a busy workstation): picking there was six times slower. Read by
# OpenMP when torch is loaded, hence here, before any command imports it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
