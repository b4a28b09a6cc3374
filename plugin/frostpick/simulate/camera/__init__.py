"""The microscope and its camera: how a micrograph was recorded."""
