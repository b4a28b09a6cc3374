"""A very small pruner that knows dark discs from noise, for tests of what is around it."""

from functools import cache

import numpy as np
import torch
from made_images import spots_on_noise

from frostpick.models.card import CalibrationSpec, ModelCard, NetworkSpec, PreprocessSpec
from frostpick.models.pruner.box_network import CLASSES
from frostpick.models.pruner.model import KIND, Pruner
from frostpick.models.pruner.registry import build_box_network
from frostpick.pruning.boxes import Boxes, BoxGeometry, boxes_of_micrograph
from frostpick.pruning.grey import NAME, VERSION
from frostpick.runtime.reporter import SilentReporter
from frostpick.training.pruner.augment import BoxAugmentation, augment_boxes
from frostpick.training.pruner.losses import LossWeights, class_loss
from frostpick.training.pruner.training_loop import Fit, FitSchedule

#: Scale of the spots of `made_images`: 32 pixels a diameter, at 2 A a pixel.
DIAMETER_A, PIXEL_A = 64.0, 2.0
SIDE = 48


def disc_boxes(count, seed, side=SIDE):
    """Return working boxes and classes: discs, noise, and strips of carbon."""
    rng = np.random.default_rng(seed)
    kinds = rng.choice([0, CLASSES.index("background"), CLASSES.index("carbon")], count)
    parts = []
    for kind in kinds:
        centre = [(64.0, 64.0)] if kind == 0 else []
        image = spots_on_noise((128, 128), centre, int(rng.integers(1 << 30)))
        if kind == CLASSES.index("carbon"):
            image[:, : int(rng.integers(48, 80))] -= 5.0
        geometry = BoxGeometry(DIAMETER_A, side)
        parts += boxes_of_micrograph(image, np.array([64.0]), np.array([64.0]), PIXEL_A, geometry)
    return Boxes.concat(parts, side), torch.from_numpy(kinds.astype(np.int64))


def pruner_card(**changes):
    """Return the card of a pruner of 3 channels and boxes of 48 pixels."""
    card = ModelCard(
        kind=KIND,
        network=NetworkSpec(name="slim-resnet", arguments={"units": 3, "heads": 2}),
        preprocess=PreprocessSpec(name=NAME, version=VERSION, constants={"side": float(SIDE)}),
        calibration=CalibrationSpec(slope=1.0, offset=0.0, fitted_on="discs"),
        min_distance=0.25,
    )
    return card.model_copy(update=changes)


@cache
def tiny_pruner():
    """Return a pruner trained for a second or two; the same at every call."""
    boxes, classes = disc_boxes(120, 5)
    card = pruner_card()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = build_box_network(card.network.name, card.network.arguments)
    how = BoxAugmentation(shift=1, windows=(0.1, 0.9), soft=(0.2, 0.5))

    def draw(generator):
        at = torch.randint(len(boxes), (32,), generator=generator)
        return augment_boxes(boxes.data[at], how, generator), classes[at]

    def loss(logits, y):
        return class_loss(logits, y, LossWeights())

    fit = Fit(network, draw, loss, FitSchedule(60, rate=5e-3))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so that it is the same on any machine
    fit.run(SilentReporter())
    torch.set_num_threads(threads)
    return Pruner.build(card, network.state_dict())
