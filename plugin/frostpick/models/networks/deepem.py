"""DeepEM's eight layers, at the sizes of its paper's code and at our working scale."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import avg_pool2d

from frostpick.models.networks.dense import DenseNetwork

#: Smallest variance of a box: a patch without any signal is divided by this much, not by zero.
FLATTEST = 1e-4


@dataclass(frozen=True)
class Layout:
    """Sides in pixels of one DeepEM network.

    Parameters
    ----------
    box
        Side of the window that is classified.
    kernels, pools
        Sides of C1, C3, C5 and of S2, S4, S6.
    px_per_diameter
        Pixels a diameter at which the window spans one and a half diameters.
    """

    box: int
    kernels: tuple[int, int, int]
    pools: tuple[int, int, int]
    px_per_diameter: float

    def last_side(self) -> int:
        """Return the side of S6, the input of the output unit; `ValueError` if a size is odd."""
        side = self.box
        for kernel, pool in zip(self.kernels, self.pools, strict=True):
            side = side - kernel + 1
            if side < pool or side % pool:
                raise ValueError(f"maps of side {side} cannot be pooled by {pool}")
            side //= pool
        return side


#: KLH and 19S: the sizes in the authors' code (Zhu et al. 2017). ``working`` has the same
#: proportions as KLH (kernels of about .2, .25 and .37 of their input) at 32 pixels a diameter.
LAYOUTS = {
    "klh": Layout(272, (51, 21, 10), (3, 2, 2), 180.0),
    "19s": Layout(160, (20, 10, 4), (3, 2, 2), 106.0),
    "working": Layout(49, (10, 5, 3), (2, 2, 2), 32.0),
}


class LocalStandardise(nn.Module):
    """Subtract from each pixel the mean, and divide by the deviation, of the box around it.

    DeepEM standardises every window before its first layer, so neighbouring windows share
    nothing. With the box centred on each pixel instead, all windows share one image; it is
    the same in training and in picking. The centre of an even box is pixel ``box / 2``.
    """

    def __init__(self, box: int) -> None:
        super().__init__()
        self.box = box

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(b, 1, h, w)`` to ``(b, 1, h - box + 1, w - box + 1)``, float32."""
        x = x.float()
        mean, square = self._mean(x), self._mean(x * x)
        low = self.box // 2
        rows, columns = mean.shape[-2:]
        centre = x[..., low : low + rows, low : low + columns]
        return (centre - mean) * torch.rsqrt((square - mean * mean).clamp_min(FLATTEST))

    def _mean(self, x: torch.Tensor) -> torch.Tensor:
        return avg_pool2d(avg_pool2d(x, (self.box, 1), stride=1), (1, self.box), stride=1)


class MeanPool(nn.Module):
    """Mean of ``side x side`` values that lie ``dilation`` apart, at every ``stride``-th place."""

    def __init__(self, side: int, *, dilation: int, stride: int) -> None:
        super().__init__()
        self.side, self.dilation, self.stride = side, dilation, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pool ``(b, c, h, w)``."""
        if self.dilation == 1:
            return avg_pool2d(x, self.side, stride=self.stride)
        reach = self.dilation * (self.side - 1)
        rows, columns = x.shape[-2] - reach, x.shape[-1] - reach
        at = [k * self.dilation for k in range(self.side)]
        x = sum((x[..., i : i + rows, :] for i in at), start=x.new_zeros(()))
        x = sum((x[..., j : j + columns] for j in at), start=x.new_zeros(()))
        return x[..., :: self.stride, :: self.stride] / self.side**2


class DeepEM(DenseNetwork):
    """Three convolutions with sigmoids, each followed by mean pooling, and one output unit.

    The network of Zhu et al. (BMC Bioinformatics 18:348, 2017), fully convolutional: input,
    C1, S2, C3, S4, C5, S6, output. The output is the logit of their sigmoid. Poolings beyond
    ``stride`` are dilated, which gives every ``stride``-th window exactly what a window by
    itself gives. The receptive field is the window and half a box around it, over which its
    pixels are standardised; for an even box two rows and columns more at the end, which
    nothing reads, so that the field is odd and its centre a pixel.

    Parameters
    ----------
    layout
        ``klh``, ``19s`` or ``working``.
    units
        Maps of C1; C3 and C5 have twice as many. The paper's is 6.
    stride
        Pixels between outputs, a product of some of the layout's pools; 0 takes 4 for
        ``working`` and all of them, 12, for the paper's sizes.
    """

    #: Sigmoids of weak signals lie near .5, where bfloat16 has steps of .004.
    only_float32 = True

    def __init__(self, layout: str = "working", units: int = 6, stride: int = 0) -> None:
        super().__init__()
        if layout not in LAYOUTS:
            raise ValueError(f"layout {layout!r}, expected one of {', '.join(LAYOUTS)}")
        if units < 1:
            raise ValueError(f"units {units}, expected at least 1")
        sizes = LAYOUTS[layout]
        self.box = sizes.box
        self.stride = stride or (4 if layout == "working" else 12)
        self.receptive_field = 4 * (sizes.box // 2) + 1
        self.standardise = LocalStandardise(sizes.box)
        spacing, step, channels = 1, 1, 1
        layers: list[nn.Module] = []
        for kernel, pool, maps in zip(
            sizes.kernels, sizes.pools, (units, 2 * units, 2 * units), strict=True
        ):
            layers += [_convolution(channels, maps, kernel, spacing // step), nn.Sigmoid()]
            jump = pool if self.stride % (step * pool) == 0 else 1
            layers.append(MeanPool(pool, dilation=spacing // step, stride=jump))
            spacing, step, channels = spacing * pool, step * jump, maps
        if step != self.stride:
            raise ValueError(f"stride {self.stride}, expected a product of pools {sizes.pools}")
        self.features = nn.Sequential(*layers)
        self.head = _convolution(channels, 1, sizes.last_side(), spacing // step)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score ``(b, 1, h, w)`` float32; return logits ``(b, 1, oh, ow)``."""
        # an even box leaves the last rows of the field unread: without them no output is extra
        unread = self.receptive_field - (2 * self.box - 1)
        rows, columns = (
            self.input_side(self.output_side(side)) - unread for side in (x.shape[-2], x.shape[-1])
        )
        logits: torch.Tensor = self.head(self.features(self.standardise(x[..., :rows, :columns])))
        return logits


def _convolution(channels_in: int, channels_out: int, side: int, dilation: int) -> nn.Conv2d:
    """Return a valid convolution with the weights of Glorot and Bengio, as sigmoids need."""
    layer = nn.Conv2d(channels_in, channels_out, side, dilation=dilation)
    nn.init.xavier_uniform_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
