import pytest
import torch
from torch import nn

from frostpick.errors import DeviceError
from frostpick.models.networks.dense import DenseNetwork
from frostpick.picking import dense
from frostpick.picking.dense import score_map
from frostpick.picking.surroundings import continued, mirror_pad
from frostpick.preprocess import WorkingImage
from frostpick.sampling import Sampling

pytestmark = pytest.mark.quick


class CentrePixel(DenseNetwork):
    """Returns the pixel at the centre of its field."""

    stride, receptive_field = 4, 11

    def forward(self, x):
        rows, columns = (self.output_side(side) for side in x.shape[2:])
        return x[:, :, 5::4, 5::4][:, :, :rows, :columns]


class TwoLayers(DenseNetwork):
    stride, receptive_field = 4, 15

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(1, 4, 7, stride=2)
        self.second = nn.Conv2d(4, 1, 5, stride=2)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


def working(shape, step=(2.5, 2.4)):
    torch.manual_seed(1)
    return WorkingImage(torch.randn(shape), Sampling(shape, step, (0.0, 0.0), (3.0, 3.0)))


@pytest.mark.parametrize("shape", [(64, 64), (65, 66), (67, 80), (20, 12), (4, 9)])
@pytest.mark.parametrize("tile", [3, 5, 192])
def test_output_k_lies_on_working_pixel_stride_times_k(shape, tile):
    image = working(shape)
    scores = score_map(CentrePixel(), image, tile=tile)
    assert torch.equal(scores.logits, image.data[::4, ::4])
    assert scores.sampling.step_yx == (10.0, pytest.approx(9.6))
    assert scores.sampling.origin_yx == (0.0, 0.0)
    assert scores.sampling.shape == tuple(scores.logits.shape)
    assert scores.sampling.pixel_A_yx == (12.0, 12.0)


@pytest.mark.parametrize("tile", [1, 4, 7, 13, 20])
def test_tiles_give_the_whole_image_and_direct_evaluation(tile):
    image, network = working((90, 71)), TwoLayers().eval()
    scores = score_map(network, image, tile=tile).logits
    padded = continued(image.data, 7)
    with torch.no_grad():
        whole = network(padded[None, None])[0, 0]
    assert scores.shape == (23, 18)
    assert float((scores - whole[:23, :18]).abs().max()) < 1e-5


def test_mirror_is_numpys_reflect_for_any_width():
    numpy = pytest.importorskip("numpy")
    image = torch.arange(12.0).reshape(3, 4)
    for width in (0, 1, 2, 5, 9):
        expected = numpy.pad(image.numpy(), width, mode="reflect")
        assert torch.equal(mirror_pad(image, width), torch.from_numpy(expected))


class Hungry(CentrePixel):
    """Runs out of memory above some number of tiles."""

    def __init__(self, most):
        super().__init__()
        self.most, self.calls = most, []

    def forward(self, x):
        self.calls.append(len(x))
        if len(x) > self.most:
            raise torch.cuda.OutOfMemoryError("no memory")
        return super().forward(x)


def run_hungry(most, batch):
    network, image = Hungry(most), working((64, 64)).data
    padded = mirror_pad(image, 5)
    corners = [(y, x) for y in (0, 4, 8, 12) for x in (0, 8)]
    out = torch.full((16, 16), float("nan"))
    window = (network.input_side(4), network.input_side(8))
    for part, scores in dense._scored(network, padded, corners, window, batch):
        for (y, x), values in zip(part, scores, strict=True):
            out[y : y + 4, x : x + 8] = values
    assert torch.equal(out, image[::4, ::4])
    return network.calls


def test_out_of_memory_halves_the_batch_once_then_fails():
    assert run_hungry(4, 4) == [4, 4]
    assert run_hungry(2, 4) == [4, 2, 2, 2, 2]
    with pytest.raises(DeviceError, match="out of memory"):
        run_hungry(1, 4)
