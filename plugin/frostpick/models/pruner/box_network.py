"""Networks that look at one box around a pick and tell what it shows."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

#: What a box may show, in the order of the logits; the first is what is kept.
CLASSES = (
    "particle",
    "fragment",
    "aggregate",
    "carbon",
    "ice",
    "speck",
    "micelle",
    "background",
)


class BoxNetwork(nn.Module):
    """A residual backbone with two heads on its last map; abstract.

    Head A: the mean and the maximum of the map over its pixels, then a linear layer to
    ``CLASSES``. Head B: the same behind a 1 x 1 convolution that halves the channels
    (Li et al. 2022: "a classification task is split into two tasks with the same goal").
    The score of a box is the mean of the two heads' log-odds.

    Parameters
    ----------
    channels
        Channels of the backbone's last map.
    heads
        2, or 1 for head A alone.
    """

    def __init__(self, channels: int, heads: int = 2) -> None:
        super().__init__()
        if heads not in (1, 2):
            raise ValueError(f"heads {heads}, expected 1 or 2")
        self.channels = channels
        self.head_a = nn.Linear(2 * channels, len(CLASSES))
        self.halve: nn.Module | None = None
        self.head_b: nn.Linear | None = None
        if heads == 2:
            half = channels // 2
            self.halve = nn.Sequential(
                nn.Conv2d(channels, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU()
            )
            self.head_b = nn.Linear(2 * half, len(CLASSES))

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Map boxes ``(b, 1, h, w)`` to ``(b, channels, h', w')``."""
        raise TypeError(f"{type(self).__name__} has no features")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Classify boxes ``(b, 1, h, w)`` float32; return logits ``(b, heads, classes)``."""
        return self.classify(self.features(x))

    def classify(self, maps: torch.Tensor) -> torch.Tensor:
        """Return logits ``(b, heads, classes)`` of the backbone's maps."""
        logits = [self.head_a(_pooled(maps))]
        if self.halve is not None and self.head_b is not None:
            logits.append(self.head_b(_pooled(self.halve(maps))))
        return torch.stack(logits, 1)


class ResidualPair(nn.Module):
    """Padded 3 x 3 convolutions in pairs with a skip; the first of all has the stride."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.downsample: nn.Module | None = None
        if stride != 1 or channels_in != channels_out:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=False),
                nn.BatchNorm2d(channels_out),
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(b, c, h, w)`` to ``(b, c', h / stride, w / stride)``."""
        aside = x if self.downsample is None else self.downsample(x)
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + aside)


class SlimResNet(BoxNetwork):
    """The shipped backbone: seven residual pairs, total stride 16.

    Parameters
    ----------
    units
        Channels of the first stage; doubled three times.
    heads
        See `BoxNetwork`.
    """

    def __init__(self, units: int = 20, heads: int = 2) -> None:
        if units < 2:
            raise ValueError(f"units {units}, expected at least 2")
        super().__init__(8 * units, heads)
        self.stem = nn.Sequential(
            nn.Conv2d(1, units, 5, 2, 2, bias=False), nn.BatchNorm2d(units), nn.ReLU()
        )
        self.stages = nn.Sequential(
            ResidualPair(units, units, 1),
            ResidualPair(units, 2 * units, 2),
            ResidualPair(2 * units, 2 * units, 1),
            ResidualPair(2 * units, 4 * units, 2),
            ResidualPair(4 * units, 4 * units, 1),
            ResidualPair(4 * units, 8 * units, 2),
        )

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Map boxes ``(b, 1, h, w)`` to ``(b, 8 units, h / 16, w / 16)``."""
        maps: torch.Tensor = self.stages(self.stem(x))
        return maps


class ResNet18(BoxNetwork):
    """The backbone of ResNet-18 (He et al. 2016) for one channel, to start from ImageNet.

    Parameter names are those of the usual checkpoints (``conv1``, ``bn1``,
    ``layer1.0.conv1`` ...); `frostpick.models.pruner.imagenet` loads one. Costs 0.15 GMAC a
    box of 64 x 64, more than the shipped one.
    """

    def __init__(self, heads: int = 2) -> None:
        super().__init__(512, heads)
        self.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = _pair(64, 64, 1)
        self.layer2 = _pair(64, 128, 2)
        self.layer3 = _pair(128, 256, 2)
        self.layer4 = _pair(256, 512, 2)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Map boxes ``(b, 1, h, w)`` to ``(b, 512, h / 32, w / 32)``."""
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        maps: torch.Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return maps


def _pooled(maps: torch.Tensor) -> torch.Tensor:
    return torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1)


def _pair(channels_in: int, channels_out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        ResidualPair(channels_in, channels_out, stride),
        ResidualPair(channels_out, channels_out, 1),
    )
