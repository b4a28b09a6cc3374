"""Whether a trained model is better than the one it started from, told by labels held out."""

from __future__ import annotations

import logging

from frostpick.models.picking_model import PickingModel
from frostpick.picking.inference import choose_precision, prepared_for_inference
from frostpick.picking.selector import Selector
from frostpick.training.measure import average_precision
from frostpick.training.picker.training_loop import TrainingLoop

log = logging.getLogger(__name__)

#: Fewest held-out labels that tell, and the part of the start's figure that a trained model must
#: reach: held-out labels are few, and not all particles.
FEWEST, PART = 20, 0.9


def compare_with_start(course: TrainingLoop, start: PickingModel | None) -> dict[str, float]:
    """Compare the kept network with the start model on the held-out labels; warn where it lost.

    Returns
    -------
    dict
        ``held_out_ap`` and ``start_held_out_ap``; empty where nothing can be compared.
    """
    parts = course.held_out_parts()
    if start is None or sum(len(image.held_out_particles()) for image, _ in parts) < FEWEST:
        return {}
    own = average_precision(course.find(course.looking(course.network()), parts))
    precision = choose_precision(start.network, [course.device])
    ready = prepared_for_inference(start, course.device, precision)
    look = course.looking(ready.network, Selector.of(start.card))
    before = average_precision(course.find(look, parts))
    if own < PART * before:
        log.warning(
            "THE TRAINED MODEL IS WORSE than the one it started from: average precision %.3f on "
            "the held-out labels, the start model has %.3f; pick with the start model, train "
            "without labels, or look through the labels",
            own,
            before,
        )
    return {"held_out_ap": own, "start_held_out_ap": before}
