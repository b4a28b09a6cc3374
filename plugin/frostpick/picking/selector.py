"""How a model's answer becomes picks: the selectors a card may name.

``disc-nms``: one pass of the network, greedy suppression by discs. ``four-rotations``:
DeepEM's rule, the mean over four rotations, a gate on the local deviation and two passes
of local maxima; four times the work. ``density-cut``: cryoMAE's threshold for each
micrograph, then greedy suppression.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from frostpick.models.card import ModelCard
from frostpick.models.networks.dense import DenseNetwork
from frostpick.picking.dense import ScoreMap, score_map
from frostpick.picking.peaks import Peaks
from frostpick.picking.selectors.density_cut import density_cut
from frostpick.picking.selectors.disc_nms import find_peaks
from frostpick.picking.selectors.four_rotations import FIRST_RANGE, gated_mean, two_pass_maxima
from frostpick.preprocess import WorkingImage

#: Radius of the window in which a plateau's centre of mass is taken, in diameters.
CENTRING = 0.25


@dataclass(frozen=True)
class Selector:
    """A selector with its constants.

    Parameters
    ----------
    name
        As in the card.
    px_per_diameter
        Working pixels a diameter.
    constants
        Of ``four-rotations``: ``gate_low`` and ``gate_high``, deviation over the
        micrograph's median; ``first_range`` in diameters. Missing ones have defaults.
    flat_tops
        The network was taught discs, and a pick belongs in the middle of its plateau.
    """

    name: Literal["disc-nms", "four-rotations", "density-cut"] = "disc-nms"
    px_per_diameter: float = 32.0
    constants: Mapping[str, float] = field(default_factory=dict)
    flat_tops: bool = False

    @classmethod
    def of(cls, card: ModelCard) -> Selector:
        """Return the selector a card asks for."""
        taught_discs = card.kind == "dense" and card.network.name != "dog"
        return cls(card.selector, card.px_per_diameter, card.selector_constants, taught_discs)

    def map(self, network: DenseNetwork, working: WorkingImage) -> ScoreMap:
        """Score a working image; places that the selector shuts out are ``-inf``."""
        if self.name == "four-rotations":
            return gated_mean(network, working, self.px_per_diameter, self.constants)
        return score_map(network, working)

    def peaks(
        self,
        scores: ScoreMap,
        *,
        diameter_px: float,
        min_distance_px: float,
        floor_logit: float,
        max_peaks: int,
    ) -> Peaks:
        """Return the picks of a score map.

        Parameters
        ----------
        scores
            From `map`.
        diameter_px, min_distance_px
            The particle's diameter, and the smallest distance between the cells of two
            picks, in micrograph pixels.
        floor_logit, max_peaks
            As in `find_peaks`.
        """
        if self.name == "four-rotations":
            first = self.constants.get("first_range", FIRST_RANGE) * diameter_px
            return two_pass_maxima(scores, first, min_distance_px, floor_logit, max_peaks)
        if self.name == "density-cut":
            cut = density_cut(scores.logits.detach().cpu().numpy()).cut
            floor_logit = max(floor_logit, cut)
        centring = CENTRING * diameter_px if self.flat_tops else None
        return find_peaks(scores, min_distance_px, floor_logit, max_peaks, centring)
