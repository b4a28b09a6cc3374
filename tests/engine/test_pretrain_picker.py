"""Pretraining of the picker on simulated micrographs."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from frostpick.errors import ConfigError, JobStopped
from frostpick.recipes import pretrain_picker as recipe_module
from frostpick.recipes.corpus_files import CorpusImage, working_example
from frostpick.recipes.pretrain_picker import PickerRecipe, pretrain_picker
from frostpick.recipes.supervised_tiles import SupervisedTiles
from frostpick.runtime.reporter import SilentReporter
from frostpick.training.tiles import TileGeometry

TINY = PickerRecipe(
    seed=3,
    micrographs=8,
    held_out=2,
    steps=6,
    measure_every=3,
    tiles=2,
    outputs=9,
    arguments={"stem": 2, "channels": 4, "last": 4, "dilations": "1"},
    average=0.5,
)


class StopAt(SilentReporter):
    """Asks to stop at the n-th check of the training."""

    def __init__(self, n: int) -> None:
        self.left, self.training = n, False

    def stage(self, name: str, total: int) -> None:
        self.training = name == "pretraining"

    def check(self) -> None:
        if self.training:
            self.left -= 1
            if self.left < 0:
                raise JobStopped("stopped")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory):
    spool = tmp_path_factory.mktemp("pretrain")
    return spool, pretrain_picker(TINY, spool=spool, reporter=SilentReporter(), threads=1)


def test_a_stopped_pretraining_gives_the_same_model(made, tmp_path: Path) -> None:
    for stop in (2, 1):
        with pytest.raises(JobStopped):
            pretrain_picker(TINY, spool=tmp_path, reporter=StopAt(stop), threads=1)
    result = pretrain_picker(TINY, spool=tmp_path, reporter=SilentReporter(), threads=1)
    assert result.model.digest == made[1].model.digest
    assert [row["step"] for row in result.curve] == [3.0, 6.0]
    again = pretrain_picker(TINY, spool=tmp_path, reporter=SilentReporter(), threads=1)
    assert again.model.digest == result.model.digest and again.curve == result.curve
    with pytest.raises(ConfigError, match="--restart"):
        other = PickerRecipe(**{**vars(TINY), "steps": 7})
        pretrain_picker(other, spool=tmp_path, reporter=SilentReporter(), threads=1)


def test_the_held_out_micrographs_are_picked_once_a_measurement(
    made, tmp_path: Path, monkeypatch
) -> None:
    picked = []

    def find(*arguments):
        picked.append(1)
        return find_all(*arguments)

    find_all = recipe_module._find
    monkeypatch.setattr(recipe_module, "_find", find)
    shutil.copytree(made[0] / "corpus-3", tmp_path / "corpus-3")
    pretrain_picker(TINY, spool=tmp_path, reporter=SilentReporter(), threads=1)
    assert len(picked) == 2  # after steps 3 and 6


def test_the_card_tells_what_it_was_trained_on(made) -> None:
    card = made[1].model.card
    assert card.trained_on["micrographs"] == 8 and card.trained_on["corpus_seed"] == 3
    assert card.diameter_A is None and card.network.name == "dilated"


def test_a_corpus_image_depends_on_seed_and_index_alone(made) -> None:
    again = working_example(3, 5, 32.0)
    with np.load(made[0] / "corpus-3" / "000005.npz") as kept:
        np.testing.assert_array_equal(again.pixels, kept["pixels"])
        np.testing.assert_array_equal(again.particles_yx, kept["particles_yx"])


def test_targets_lie_on_the_particles_however_the_tile_is_turned() -> None:
    # one bright pixel a particle: wherever it comes to lie, the outputs around it are positive
    pixels = np.zeros((90, 120), np.float16)
    centres = np.array([[21.0, 33.0], [52.0, 97.0], [70.0, 15.0]])
    for y, x in centres.astype(int):
        pixels[y, x] = 1.0
    geometry = TileGeometry(outputs=17, stride=4, field=71, label_radius=6.0, guard=0.0)
    tiles = SupervisedTiles(
        [CorpusImage(pixels, centres, centres[:1])],
        geometry,
        tiles=40,
        on_particle=0.5,
        on_decoy=0.2,
        seed=1,
    )
    batch = tiles.batch(0)
    again = tiles.batch(0)
    assert torch.equal(batch.tiles, again.tiles) and torch.equal(batch.target, again.target)
    assert not torch.equal(batch.tiles, tiles.batch(1).tiles)
    first = 71 // 2
    at = first + 4 * np.arange(17)
    seen = 0
    for tile, target, weight in zip(batch.tiles[:, 0], batch.target, batch.weight, strict=True):
        where = np.argwhere(tile.numpy() == 1.0)
        expected = np.zeros((17, 17), bool)
        for y, x in where:
            expected |= (at[:, None] - y) ** 2 + (at[None, :] - x) ** 2 <= 36
        inside = weight.numpy() > 0
        np.testing.assert_array_equal(target.numpy().astype(bool) & inside, expected & inside)
        seen += int((expected & inside).sum())
    assert seen > 100
    # outputs beyond the micrograph teach nothing
    assert 0 < float(batch.weight.mean()) < 1
