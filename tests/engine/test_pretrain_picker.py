"""Pretraining of the picker on simulated micrographs."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from frostpick.errors import ConfigError, JobStopped
from frostpick.pretraining.picker import pretrain as recipe_module
from frostpick.pretraining.picker.corpus_files import (
    GREY,
    CorpusImage,
    alike,
    make_corpus,
    working_example,
)
from frostpick.pretraining.picker.pretrain import PickerRecipe, corpus_name, pretrain_picker
from frostpick.pretraining.picker.tiles import SupervisedTiles, capped_evenly, view_classes
from frostpick.runtime.executors.base import Resources
from frostpick.runtime.executors.inline import InlineExecutor
from frostpick.runtime.reporter import SilentReporter
from frostpick.simulate.corpus import corpus_micrograph
from frostpick.training.tiles import TileGeometry

pytestmark = pytest.mark.quick

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
    looks=False,
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


def test_a_stopped_simulation_keeps_what_is_made(made, tmp_path: Path) -> None:
    class StopAfterOne(SilentReporter):
        def advance(self, n: int = 1, **metrics: float) -> None:
            self.stop_requested = True

    folder = tmp_path / "corpus"
    here = InlineExecutor(Resources())
    with pytest.raises(JobStopped):
        make_corpus(folder, TINY.corpus, 3, here, StopAfterOne())
    assert [path.name for path in sorted(folder.iterdir())] == ["000000.npy", "000000.npz"]
    (folder / ".000001.npy.77.tmp").touch()  # of a process that was killed
    kept = (folder / "000000.npy").stat().st_mtime_ns
    found = make_corpus(folder, TINY.corpus, 3, here, SilentReporter())
    assert len(found) == 3 and (folder / "000000.npy").stat().st_mtime_ns == kept
    usual = made[0] / corpus_name(TINY)
    for path in folder.iterdir():
        assert path.read_bytes() == (usual / path.name).read_bytes()


def test_the_held_out_micrographs_are_picked_once_a_measurement(
    made, tmp_path: Path, monkeypatch
) -> None:
    picked = []

    def find(*arguments):
        picked.append(1)
        return find_all(*arguments)

    find_all = recipe_module._find
    monkeypatch.setattr(recipe_module, "_find", find)
    shutil.copytree(made[0] / corpus_name(TINY), tmp_path / corpus_name(TINY))
    pretrain_picker(TINY, spool=tmp_path, reporter=SilentReporter(), threads=1)
    assert len(picked) == 2  # after steps 3 and 6


def test_the_card_tells_what_it_was_trained_on(made) -> None:
    card = made[1].model.card
    assert card.trained_on["micrographs"] == 8 and card.trained_on["corpus_seed"] == 3
    assert card.diameter_A is None and card.network.name == "dilated"


def test_a_corpus_image_depends_on_its_recipe_and_index_alone(made) -> None:
    again = working_example(TINY.corpus, 5)
    folder = made[0] / corpus_name(TINY)
    np.testing.assert_array_equal(again.pixels, np.load(folder / "000005.npy"))
    with np.load(folder / "000005.npz") as kept:
        for name in ("particles_yx", "decoys_yx", "outlines", "unsure_yx"):
            np.testing.assert_array_equal(getattr(again, name), kept[name])
    assert corpus_name(TINY) != corpus_name(replace(TINY, without=("tube",)))


def test_the_stated_diameter_is_off_by_a_factor_that_moves_no_particle() -> None:
    index = next(k for k in range(20) if (corpus_micrograph(3, k).truth.kind == "particle").sum())
    exact = working_example(replace(TINY.corpus, jitter=0.0), index)
    stated = working_example(replace(TINY.corpus, jitter=0.2), index)
    # a larger stated diameter makes the working image, and all in it, smaller
    factor = exact.outlines[:, 0] / stated.outlines[:, 0]
    assert np.ptp(factor) < 1e-12 and abs(np.log(factor[0])) > 0.01
    ratio = np.array(exact.pixels.shape) / stated.pixels.shape
    np.testing.assert_allclose(ratio, factor[0], rtol=0.02)
    np.testing.assert_allclose(
        exact.particles_yx, stated.particles_yx * factor[0], rtol=0.02, atol=1.0
    )


def test_decoys_within_the_own_views_of_the_particle_are_no_negatives() -> None:
    made = corpus_micrograph(3, 5)
    kind = np.array(["particle", "fragment", "fragment", "free_micelle", "aggregate", "speck"])
    truth = replace(made.truth.keep(np.zeros(6, int)), kind=kind)
    extent = np.array([0.9, 0.7, 0.4, 0.64, 0.8, np.nan])
    one = replace(
        made,
        truth=truth,
        outlines=np.column_stack([extent, np.zeros(6)]),
        extents=(0.68, 1.0),
    )
    # by hand: .7 and .64 (less than .05 below .68) are within; clumps are never alike
    assert alike(one).tolist() == [False, True, False, True, False, False]


def test_targets_lie_on_the_particles_however_the_tile_is_turned() -> None:
    # one bright pixel a particle: wherever it comes to lie, the outputs around it are positive
    pixels = np.zeros((90, 120), np.int8)
    centres = np.array([[21.0, 33.0], [52.0, 97.0], [70.0, 15.0]])
    for y, x in centres.astype(int):
        pixels[y, x] = GREY
    geometry = TileGeometry(outputs=17, stride=4, field=71, label_radius=6.0, guard=0.0)
    tiles = SupervisedTiles(
        [CorpusImage(pixels, centres, centres[:1], np.ones((3, 2)), np.array([[52.0, 60.0]]))],
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


def test_nothing_is_learned_about_what_may_be_a_view_of_the_particle() -> None:
    # the outputs without weight inside the micrograph are those about the unsure place
    geometry = TileGeometry(outputs=17, stride=4, field=71, label_radius=6.0, guard=0.0)
    particle, unsure = np.array([[100.0, 100.0]]), np.array([[100.0, 109.0]])
    image = CorpusImage(
        np.zeros((201, 201), np.int8), particle, np.zeros((0, 2)), np.ones((1, 2)), unsure
    )
    drawn = SupervisedTiles([image], geometry, tiles=30, on_particle=1.0, on_decoy=0.0, seed=2)
    batch = drawn.batch(0)
    left_out = (batch.weight == 0).sum(dim=(1, 2))
    # a disc of 9.6 pixels has 18 outputs at a stride of 4; part of it is the particle's own
    assert 5 < int(left_out.max()) < 19
    assert float(batch.target[batch.weight == 0].max()) == 0.0
    assert float(batch.target.sum()) > 30


def test_rare_views_are_drawn_as_often_as_others_but_for_a_cap() -> None:
    # by hand: shares .9, .08, .02; twelve times the last is .24, the rest is split evenly
    np.testing.assert_allclose(capped_evenly([900, 80, 20]), [0.38, 0.38, 0.24])
    np.testing.assert_allclose(capped_evenly([10, 10]), [0.5, 0.5])
    assert len(capped_evenly([])) == 0
    large, small = [0.95, 0.0], [0.45, 0.8]
    classes = view_classes([np.array([large, small, large]), np.zeros((0, 2)), np.array([large])])
    rows = [{number: some.tolist() for number, some in one} for one in classes]
    assert rows == [{0: [1]}, {0: [0, 2], 2: [0]}]
