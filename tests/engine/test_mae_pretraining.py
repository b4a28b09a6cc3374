"""Pretraining of the encoder: windows of a corpus and of files, resuming, the loss."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_images import noise, write_mrc

from frostpick.errors import ConfigError, InputError, JobStopped
from frostpick.models.card import PreprocessSpec
from frostpick.models.cryomae import CROP, PRESETS, Preset
from frostpick.models.cryomae.model import AutoencoderModel
from frostpick.preprocess import preprocess
from frostpick.pretraining.cryomae.pretrain import MaeRecipe, pretrain_mae
from frostpick.pretraining.cryomae.tiles import BACKGROUND, NEITHER, contrast_loss, cut_tiles
from frostpick.pretraining.cryomae.windows import MicrographWindows, Shown, SimulatedWindows
from frostpick.runtime.reporter import SilentReporter
from frostpick.simulate.corpus import corpus_micrograph
from frostpick.types import LocalFile, Micrograph

SHORT = MaeRecipe(steps=4, micrographs=1, windows=12, tiles=2)


@pytest.fixture(scope="module", autouse=True)
def small_preset() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "tiny", Preset(2, 32, 2, 1, 16, 2))  # type: ignore[arg-type]
        yield


def test_a_tile_tells_what_each_of_its_places_shows() -> None:
    height, width = 300, 310
    pixels = np.arange(height * width, dtype=np.float32).reshape(height, width)
    rng = np.random.default_rng(1)
    particles = rng.uniform(20, 280, (90, 2))
    tiles = cut_tiles(pixels, particles, [(150.0, 151.0), (120.4, 180.6), (190.0, 110.0)], rng)
    assert tiles.crops.shape == (3, 1, 97, 97) and tiles.shows.shape == (3, 16, 16)
    told = set()
    for crop, shows in zip(tiles.crops[:, 0].numpy(), tiles.shows.numpy(), strict=True):
        # a pixel's grey level tells where on the micrograph it lies, turned or not
        at = crop[18:79:4, 18:79:4].astype(int)
        away = np.hypot(
            *np.moveaxis(np.stack([at // width, at % width], -1)[..., None, :] - particles, -1, 0)
        )
        nearest, distance = away.argmin(-1), away.min(-1)
        np.testing.assert_array_equal(shows[distance < 2.8], nearest[distance < 2.8])
        assert (shows[distance > 8.5] == BACKGROUND).all()
        assert (shows[(distance > 3.0) & (distance < 8.3)] == NEITHER).all()
        told |= set(shows[shows >= 0].tolist())
    assert len(told) > 5


def test_places_of_a_tile_beyond_the_micrograph_count_for_nothing() -> None:
    pixels = np.zeros((300, 300), np.float32)
    corner = cut_tiles(pixels, np.zeros((0, 2)), [(0.0, 0.0)], np.random.default_rng(0))
    # eight of the sixteen places along each axis lie on it
    assert (corner.shows == BACKGROUND).sum() == 64
    assert (corner.shows == NEITHER).sum() == 256 - 64


def test_contrast_is_the_cross_entropy_of_each_pair_of_particles() -> None:
    rng = np.random.default_rng(2)
    pooled = rng.normal(size=(9, 5))
    shows = np.array([4, BACKGROUND, 4, 7, NEITHER, BACKGROUND, 9, BACKGROUND, BACKGROUND])
    background = pooled[shows == BACKGROUND]
    moved = (pooled - background.mean(0)) / (background.std(0, ddof=1) + 1e-3)
    unit = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    losses = []
    for i, j in itertools.permutations(range(9), 2):
        if shows[i] < 0 or shows[j] < 0 or shows[i] == shows[j]:
            continue
        own = np.exp(unit[i] @ unit[j] / 0.2)
        others = sum(np.exp(unit[i] @ unit[b] / 0.2) for b in np.flatnonzero(shows == BACKGROUND))
        losses.append(-np.log(own / (own + others)))
    assert len(losses) == 10
    found = contrast_loss(torch.from_numpy(pooled), torch.from_numpy(shows), 0.2)
    assert float(found) == pytest.approx(np.mean(losses))
    alone = np.where(shows == 4, 4, BACKGROUND)
    assert float(contrast_loss(torch.from_numpy(pooled), torch.from_numpy(alone), 0.2)) == 0.0


def test_simulated_tiles_show_particles_of_the_truth() -> None:
    source, seed = SimulatedWindows(7), 7
    number = next(
        k for k in range(20) if (corpus_micrograph(seed, k).truth.kind == "particle").sum() > 9
    )
    shown = source.shown(number, 3, 4, np.random.default_rng(3))
    assert shown.crops.shape == (3, 1, CROP, CROP)
    assert shown.tiles is not None and shown.tiles.crops.shape == (4, 1, 97, 97)
    again = source.shown(number, 3, 4, np.random.default_rng(3))
    assert again.tiles is not None and torch.equal(again.tiles.crops, shown.tiles.crops)
    assert source.shown(number, 3, 0, np.random.default_rng(3)).tiles is None
    made = corpus_micrograph(seed, number)
    working = preprocess(
        made.image, made.pixel_size_A, made.diameter_A, PreprocessSpec(), px_per_diameter=28.0
    ).data.numpy()
    yx = np.stack([made.truth.y_px, made.truth.x_px], 1)
    yx = yx[made.truth.kind == "particle"] * (28.0 * made.pixel_size_A / made.diameter_A)
    found = 0
    for tile, row, column in np.argwhere(shown.tiles.shows.numpy() >= 0):
        top, left = 4 * (row + 4), 4 * (column + 4)
        patch = shown.tiles.crops[tile, 0, top : top + 5, left : left + 5].numpy()
        place = _find(working, patch)
        if place is not None:  # else it lies in the mirrored margin
            found += 1
            # lengths are within 1 % of those asked for
            assert np.hypot(*(yx - place).T).min() < 2.9 + 6.0
    assert found > 2


def _find(image: np.ndarray, patch: np.ndarray) -> np.ndarray | None:
    """Return the centre of the 5 x 5 patch in the image, in any of its eight orientations."""
    for turn in range(8):
        turned = np.rot90(patch[:, ::-1] if turn >= 4 else patch, turn % 4)
        at = np.argwhere(image == turned[2, 2])
        for y, x in at:
            if 2 <= y < len(image) - 2 and 2 <= x < image.shape[1] - 2:
                if np.array_equal(image[y - 2 : y + 3, x - 2 : x + 3], turned):
                    return np.array([y, x])
    return None


def test_a_micrograph_without_particles_is_only_rebuilt() -> None:
    source = SimulatedWindows(7)
    empty = next(
        k for k in range(200) if (corpus_micrograph(7, k).truth.kind == "particle").sum() < 4
    )
    shown = source.shown(empty, 6, 4, np.random.default_rng(0))
    assert shown.tiles is None and len(shown.crops) == 6


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Micrograph]:
    folder = tmp_path_factory.mktemp("micrographs")
    micrographs = []
    for k in range(2):
        path = write_mrc(folder / f"m{k}.mrc", noise((150, 160), k).astype(np.float32))
        micrographs.append(Micrograph(path.name, LocalFile(path), 4.0))
    (folder / "bad.mrc").write_bytes(b"no micrograph")
    micrographs.insert(1, Micrograph("bad.mrc", LocalFile(folder / "bad.mrc"), 4.0))
    return micrographs


def test_pretraining_goes_on_where_it_stopped(files: list[Micrograph], tmp_path: Path) -> None:
    class StopAt(SilentReporter):
        checks = 0

        def check(self) -> None:
            self.checks += 1
            if self.checks > 2:
                raise JobStopped("stopped")

    source = MicrographWindows(files, 112.0)
    whole = pretrain_mae(source, SHORT, spool=tmp_path / "a", reporter=SilentReporter())
    with pytest.raises(JobStopped):
        pretrain_mae(source, SHORT, spool=tmp_path / "b", reporter=StopAt())
    with pytest.raises(ConfigError, match="--restart"):
        pretrain_mae(
            source, replace(SHORT, steps=5), spool=tmp_path / "b", reporter=SilentReporter()
        )
    resumed = pretrain_mae(source, SHORT, spool=tmp_path / "b", reporter=SilentReporter())
    assert resumed.model.digest == whole.model.digest
    assert resumed.curve == whole.curve
    assert whole.model.card.trained_on["micrographs_seen"] == 4
    whole.model.save(tmp_path / "model")
    assert AutoencoderModel.load(tmp_path / "model").digest == whole.model.digest


def test_no_usable_micrograph_ends_the_pretraining(files: list[Micrograph]) -> None:
    with pytest.raises(InputError, match="none of the 1 micrographs can be used"):
        MicrographWindows(files[1:2], 112.0).shown(0, 2, 2, np.random.default_rng(0))
    with pytest.raises(InputError, match="no micrographs to pretrain on"):
        MicrographWindows([], 112.0)


class OneMicrograph(SimulatedWindows):
    """Windows of one micrograph only: what falls is not the difficulty of the next one."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.number = next(
            k for k in range(40) if (corpus_micrograph(seed, k).truth.kind == "particle").sum() > 60
        )

    def shown(self, number: int, windows: int, tiles: int, rng: np.random.Generator) -> Shown:
        return super().shown(self.number, windows, tiles, rng)


def test_rehearsal_lowers_the_contrast(tmp_path: Path) -> None:
    recipe = MaeRecipe(steps=50, micrographs=1, rate=3e-3)
    result = pretrain_mae(OneMicrograph(11), recipe, spool=tmp_path, reporter=SilentReporter())
    first, second = result.curve
    # about 300 places of background against one particle: log 300 is what chance has
    assert second["contrast"] < 5.0
    assert second["contrast"] < first["contrast"]
    assert second["reconstruction"] < first["reconstruction"]
    plain = pretrain_mae(
        SimulatedWindows(11),
        replace(SHORT, rehearse=False),
        spool=tmp_path / "plain",
        reporter=SilentReporter(),
    )
    assert plain.curve[-1]["contrast"] == 0.0


def test_the_rate_rises_and_falls() -> None:
    recipe = MaeRecipe(steps=100, warm_up=0.1, rate=1.0)
    assert recipe.rate_at(0) == pytest.approx(0.1)
    assert recipe.rate_at(9) == pytest.approx(1.0)
    assert recipe.rate_at(55) == pytest.approx(0.5)
    assert recipe.rate_at(99) < 0.01
