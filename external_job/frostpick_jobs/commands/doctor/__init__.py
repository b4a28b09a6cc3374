"""``frostpick doctor``: what is wrong here, in plain sentences. Read `run` first."""
