"""What keeps a fine-tuned network near its start: few labels must not undo what it knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits

from frostpick.training.examples import Points, TrainingImage
from frostpick.training.picker.silence import SILENT, Silence, silent_risk
from frostpick.training.picker.soft_labels import SoftLabels, Worths
from frostpick.training.tiles import TileGeometry, TilePlan, most_worth


class Distillation:
    """Picks, a start model's or verified ones, as soft labels of unlabelled places.

    A loss on n labels has the weight of `Recipe.label_weight`, and the cross-entropy with the
    soft labels, taken over unlabelled outputs, has the rest. Where labels lie in the silence
    of the picks, that is taken as unlabelled (`frostpick.training.picker.silence`). The target
    of an output is the worth of the best pick whose disc it is on, and 0 elsewhere: what a pick is
    worth is known better after the suppression of its neighbours than for each output by
    itself. With 15 labels the picks decide, with a thousand the labels do; without any,
    the network learns from the picks alone what these micrographs look like
    (self-training with soft pseudo-labels, Lee 2013).

    Parameters
    ----------
    soft
        The picks.
    images
        What is trained on, in the order of the plans.
    geometry
        Of the tiles.
    label_weight
        Of the labels' loss, 0 to 1; the picks have the rest.
    silence
        Where the picks say nothing, of which labels know more; None: they are right everywhere.
    """

    def __init__(
        self,
        soft: SoftLabels,
        images: Sequence[TrainingImage],
        geometry: TileGeometry,
        *,
        label_weight: float,
        silence: Silence | None = None,
    ) -> None:
        self.label_weight = label_weight
        self.silence = silence if silence is not None and silence.tells else None
        self.images, self.geometry = images, geometry
        self.soft = soft

    def loss(
        self,
        label_loss: torch.Tensor,
        logits: torch.Tensor,
        at: torch.Tensor,
        plans: Sequence[TilePlan],
    ) -> torch.Tensor:
        """Return the weighted sum of the labels' loss and the picks'.

        Parameters
        ----------
        label_loss
            Scalar.
        logits, at
            ``(b, n, n)`` float32 logits, and bool: the outputs without a label.
        plans
            Of the ``b`` tiles.
        """
        if not bool(at.any()):
            return label_loss
        target = torch.from_numpy(self.targets(plans)).to(logits.device)
        if self.silence is None:
            distance = binary_cross_entropy_with_logits(logits[at], target[at])
        else:
            distance = self._beside_silence(self.silence, logits, target, at, plans)
        return self.label_weight * label_loss + (1.0 - self.label_weight) * distance

    def _beside_silence(
        self,
        silence: Silence,
        logits: torch.Tensor,
        target: torch.Tensor,
        at: torch.Tensor,
        plans: Sequence[TilePlan],
    ) -> torch.Tensor:
        """Return the distance from the picks where they speak, with the risk where they do not.

        Without a label in silence among these tiles the silent places teach nothing.
        """
        silent = at & (target < SILENT)
        spoken = at & ~silent
        loss = binary_cross_entropy_with_logits(logits[spoken], target[spoken], reduction="sum")
        worth = torch.from_numpy(self._missed(silence, plans)).to(logits.device)
        missed = worth > 0.0
        if bool(missed.any()) and bool(silent.any()):
            risk = silent_risk(logits[silent], logits[missed], silence.prior, worth[missed])
            loss = loss + silent.sum() * risk
        return loss / at.sum()

    def _missed(self, silence: Silence, plans: Sequence[TilePlan]) -> NDArray[np.float32]:
        """Return ``(b, n, n)``, what a label in silence counts whose disc an output is on."""
        return self._on_outputs(plans, lambda image: (silence.missed[image], silence.worth[image]))

    def targets(self, plans: Sequence[TilePlan]) -> NDArray[np.float32]:
        """Return ``(b, n, n)`` probabilities that an output is on a particle's disc."""
        return self._on_outputs(plans, lambda image: self.soft.on(self.images[image]))

    def _on_outputs(
        self, plans: Sequence[TilePlan], of: Callable[[int], tuple[Points, Worths]]
    ) -> NDArray[np.float32]:
        """Return ``(b, n, n)``, the most that a disc is worth which an output is on.

        Parameters
        ----------
        of
            Places and worths of an image, by its index.
        """
        g = self.geometry
        offsets = g.offsets()
        out = np.zeros((len(plans), g.outputs, g.outputs), np.float32)
        for k, plan in enumerate(plans):
            places = np.asarray(plan.centre) + offsets @ plan.turn.T
            out[k] = most_worth(places, *of(plan.image), g.label_radius)
        return out
