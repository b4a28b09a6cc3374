"""From a working image to calibrated picks."""
