"""The numbers of a training that are not the user's to choose, in one place.

The whole is judged by ``tests/benchmarks/bench_accuracy.py``; lengths are in diameters
where they say so. What was seen on two or three simulated sets, 200 labels and one draw
of them: the number of steps matters most (300 to 800 steps: AP +.02), twice the channels
at the same cost does not pay, added noise and blur give +.006, minimum distances of .45
to .6 diameters are equal. Differences below .01 are within one draw of the labels. What
was tried when tuning a model stands in ``tests/benchmarks/variants.md``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from frostpick.training.picker.augment import Augmentation


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Parameters
    ----------
    network, units
        Network trained from nothing where none is named, and the channels of its first
        layer.
    epoch_steps
        Optimiser steps of one epoch; the held-out part is looked at after each.
    epochs, few_epochs, tuning_epochs, few_tuning_epochs
        Length from nothing and from a model, each also with fewer labels than `few_labels`.
    taught_times
        How many times as long a network from nothing trains that verified picks teach: to
        learn what they are worth everywhere takes longer than to learn a few labels.
    rate, tuning_rate
        Highest learning rate from nothing and from a model.
    anchor_labels, anchor_sharpness
        Where picks teach, a start model's or verified ones: the number of labels that weigh as
        much as they do, and the factor of their scores.
    few_labels
        Fewer train for the shorter time.
    fewest_held, fewest_tuning_held
        Fewer labels than this all train, from nothing and from a model. A fifth of fifty labels
        chose no better step than the last; as training labels, and with no more weight than
        `few_label_weight`, they gained .02 to .08 of AP on three proteins that no model had seen.
    few_label_weight
        The labels weigh no more than this when training from a model with nothing held out,
        for nothing tells there when they are learned by heart.
    passes
        Trainings one after the other, when training from a model; the picks of each teach
        the next.
    tiles, outputs
        Tiles a step, and output locations along a side of a tile.
    label_share, tuning_label_share
        Fraction of the tiles placed on labels, by labels alone and where picks teach too: what
        those know is forgotten where the same few labels come again and again.
    any_angle
        Fraction of the tiles turned by any angle; the others by quarter turns.
    label_radius
        Radius of a label's disc in diameters.
    guard
        Width in diameters of the band around a held-out part that does not train.
    min_distance
        Smallest distance between picks in diameters.
    augmentation, tuning_augmentation
        Without and with a teacher. A network that is taught by the picks of a model on the
        clean image while it sees a much noisier one learns what the noise leaves of a particle
        (noisy student: Xie et al., CVPR 2020).
    """

    network: str = "resnet8"
    units: int = 16
    norm: str = "batch"
    epoch_steps: int = 50
    epochs: int = 20
    few_epochs: int = 12
    tuning_epochs: int = 8
    few_tuning_epochs: int = 4
    taught_times: int = 2
    rate: float = 3e-3
    tuning_rate: float = 2e-3
    anchor_labels: float = 60.0
    anchor_sharpness: float = 1.3
    few_labels: int = 30
    fewest_held: int = 30
    fewest_tuning_held: int = 100
    few_label_weight: float = 0.25
    passes: int = 2
    warm_up: float = 0.25
    weight_decay: float = 0.01
    average: float = 0.98
    tiles: int = 8
    outputs: int = 17
    label_share: float = 0.5
    tuning_label_share: float = 0.25
    any_angle: float = 1.0
    label_radius: float = 0.19
    guard: float = 0.5
    min_distance: float = 0.5
    px_per_diameter: float = 32.0
    augmentation: Augmentation = field(default_factory=Augmentation)
    tuning_augmentation: Augmentation = field(
        default_factory=lambda: Augmentation(noise=1.3, blur=1.6)
    )

    def fewest_held_out(self, *, tuning: bool) -> int:
        """Return the number of labels from which on some are held out."""
        return self.fewest_tuning_held if tuning else self.fewest_held

    def label_weight(self, labels: int, *, tuning: bool) -> float:
        """Return what the loss on ``labels`` labels weighs where picks teach too, 0 to 1.

        ``n / (n + anchor_labels)``, and no more than `few_label_weight` where a model is trained
        further and nothing is held out.
        """
        weight = labels / (labels + self.anchor_labels)
        few = tuning and labels < self.fewest_tuning_held
        return min(weight, self.few_label_weight) if few else weight

    def key(self) -> dict[str, object]:
        """Return all numbers as JSON values, for the key of a resumed training."""
        return asdict(self)
