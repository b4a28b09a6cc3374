"""What a picking network says of a box: the second word in a pruner's score.

A picking network has learned from whole micrographs what a particle looks like, a pruner
from boxes what looks like one and is none. Both are wrong on other boxes, so their
log-odds are added (Bordley 1982, multiplicative pooling of opinions)::

    score = slope * pruner's log-odds + offset + weight * picker's logit

``slope``, ``weight`` and ``offset`` are fitted together, to boxes of simulated
micrographs that neither network has learned from.

The box is shown as it is: dark, at the same working pixels a diameter, in deviations of
the ice around the particle, which is what a micrograph at the picker's own grey levels
looks like there. Beyond the box there is ice at 0. A pick lies up to an eighth of a
diameter off the picker's own place for the particle, hence the largest of a few logits.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from frostpick.models.networks.dense import DenseNetwork

#: Outputs along an axis, about the middle of the box, of which the largest counts.
OUTPUTS = 3


def picker_logits(network: DenseNetwork, boxes: torch.Tensor) -> torch.Tensor:
    """Return the picker's logit of each box.

    Parameters
    ----------
    network
        In evaluation mode, on the device of the boxes.
    boxes
        ``(n, side, side)`` float32 working boxes, ``side`` even.

    Returns
    -------
    Tensor
        ``(n,)`` float32, the largest of ``OUTPUTS`` x ``OUTPUTS`` outputs. The middle one
        sits on pixel ``side / 2``, half a pixel off the centre: four quarter turns of the
        box cancel it.
    """
    missing = network.input_side(OUTPUTS) - int(boxes.shape[1])
    before = missing // 2
    after = missing - before
    shown = F.pad(boxes, (before, after, before, after))
    logits = network(shown[:, None].contiguous(memory_format=torch.channels_last))
    largest: torch.Tensor = logits.amax((1, 2, 3))
    return largest
