"""The numbers of cryoMAE's few-shot training that are not the user's to choose."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from frostpick.models.cryomae.autoencoder import MASKED
from frostpick.training.cryomae.similarity import ALPHA, BETA, TAU
from frostpick.training.few import FEWEST


@dataclass(frozen=True)
class FewshotRecipe:
    """How an encoder learns a particle from a few exemplars.

    Parameters
    ----------
    steps
        Most steps. The paper's 5,000 epochs are not needed: see `measure_every`.
    positives
        Windows of exemplars a step, each exemplar turned by 0, 90, 180 or 270 degrees.
    unlabelled
        Unlabelled windows for each of them, at least ``away`` diameters from exemplars.
    mirror
        Exemplars are mirrored too: the projection from behind is the mirror image.
    rate, weight_decay
        Of AdamW, one cosine from ``rate`` down to zero.
    masked
        Share of hidden tokens in the reconstruction.
    masked_similarity
        Share of hidden tokens where descriptors are compared.
    alpha, tau, beta
        See `frostpick.training.cryomae.similarity`.
    adjusted
        Use the class prior; False takes unlabelled windows for background, equations 1 to 3.
    matching
        ``max`` or ``mean`` over the exemplars.
    pull
        Share of the exemplars' common direction in each of them when picking; see
        `frostpick.training.cryomae.finish.pulled`.
    measure_every, patience, gain, least
        Every so many steps reconstruction and margin are measured on windows kept aside;
        the training ends when ``patience`` measurements in a row improve neither by
        ``gain``, but not before ``least`` steps.
    fewest
        Fewer exemplars are refused.
    min_distance
        Smallest distance between picks in diameters.
    """

    steps: int = 30
    positives: int = 8
    unlabelled: int = 2
    away: float = 0.5
    mirror: bool = True
    rate: float = 3e-4
    weight_decay: float = 0.01
    masked: float = MASKED
    masked_similarity: float = 0.5
    alpha: float = ALPHA
    tau: float = TAU
    beta: float = BETA
    adjusted: bool = True
    matching: str = "max"
    pull: float = 0.7
    measure_every: int = 10
    patience: int = 2
    gain: float = 0.005
    least: int = 20
    fewest: int = FEWEST
    min_distance: float = 0.5

    def key(self) -> dict[str, object]:
        """Return all numbers as JSON values, for the key of a resumed training."""
        return asdict(self)
