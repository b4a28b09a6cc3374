"""Procedural proteins and micrographs with exact truth, for trying out, tests and pretraining.

Built from made-up densities, not from known structures. Micrograph ``i`` of a data
set depends on the settings and ``i`` alone, so any part can be made anywhere.
"""

from frostpick.simulate.camera.ctf import Ctf
from frostpick.simulate.fold import random_protein
from frostpick.simulate.micrograph import (
    SimulatedMicrograph,
    simulate_dataset,
    simulate_micrograph,
)
from frostpick.simulate.mrc_writer import write_mrc
from frostpick.simulate.proteins.projection import add_projection
from frostpick.simulate.proteins.protein import Protein
from frostpick.simulate.settings import SimulationSettings
from frostpick.simulate.truth import DECOYS, MASK_LABELS, PARTICLE, SimulatedTruth

__all__ = [
    "DECOYS",
    "MASK_LABELS",
    "PARTICLE",
    "Ctf",
    "Protein",
    "SimulatedMicrograph",
    "SimulatedTruth",
    "SimulationSettings",
    "add_projection",
    "random_protein",
    "simulate_dataset",
    "simulate_micrograph",
    "write_mrc",
]
