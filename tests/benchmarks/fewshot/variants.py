"""What is compared: cryoMAE as it is, and each of the paper's ablations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

#: The paper's mean F1 as it is and changed so, and the table: on other data, for the direction.
#: Its strides are in pixels of windows of about 154: 28 is d/5.5, 42 d/3.7 and 56 d/2.8, where
#: ours are d/7, d/3.5 and d/2.3. It denoises all and has no figure without.
PAPER = {
    "no_similarity": (0.581, 0.240, "3"),
    "not_adjusted": (0.591, 0.581, "3"),
    "from_nothing": (0.591, 0.432, "4"),
    "mean_matching": (0.540, 0.492, "5, precision"),
    "exemplars_1": (0.591, 0.207, "6"),
    "exemplars_5": (0.591, 0.373, "6"),
    "exemplars_25": (0.591, 0.594, "6"),
    "masked_25": (0.591, 0.575, "8"),
    "masked_50": (0.591, 0.585, "8"),
    "stride_2": (0.591, 0.544, "7: stride 28 and 42"),
    "stride_3": (0.591, 0.490, "7: stride 28 and 56"),
}


@dataclass(frozen=True)
class Variant:
    """One way to train.

    Parameters
    ----------
    recipe
        Fields of `FewshotRecipe` that differ.
    exemplars
        How many are drawn.
    pretrained
        Start from the encoder.
    low_pass
        Deviation of a Gaussian that all micrographs are smoothed with first, in diameters.
    """

    recipe: dict[str, Any] = field(default_factory=dict)
    exemplars: int = 15
    pretrained: bool = True
    low_pass: float = 0.0


VARIANTS = {
    "cryomae": Variant(),
    "untrained": Variant({"steps": 1, "rate": 0.0}),
    "no_similarity": Variant({"beta": 0.0}),
    "not_adjusted": Variant({"adjusted": False}),
    "from_nothing": Variant(pretrained=False),
    "exemplars_1": Variant({"fewest": 1}, exemplars=1),
    "exemplars_5": Variant(exemplars=5),
    "exemplars_25": Variant(exemplars=25),
    "masked_25": Variant({"masked": 0.25}),
    "masked_50": Variant({"masked": 0.50}),
    "denoised": Variant(low_pass=0.04),
    "not_pulled": Variant({"pull": 0.0}),
}
#: Ways to pick with cryoMAE as it is trained.
WAYS = ("mean_matching", "stride_2", "stride_3")
