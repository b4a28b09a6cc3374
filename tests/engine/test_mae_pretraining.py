"""Pretraining of the encoder: windows of a corpus and of files, resuming, the loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import torch

from frostpick.errors import ConfigError, InputError, JobStopped
from frostpick.models.card import PreprocessSpec
from frostpick.models.mae import CROP, PRESETS, Preset
from frostpick.models.mae.model import AutoencoderModel
from frostpick.preprocess import preprocess
from frostpick.recipes.mae_windows import MicrographWindows, SimulatedWindows
from frostpick.recipes.pretrain_mae import MaeRecipe, pretrain_mae
from frostpick.runtime.reporter import SilentReporter
from frostpick.simulate.corpus import corpus_micrograph
from frostpick.types import LocalFile, Micrograph

SHORT = MaeRecipe(steps=4, micrographs=1, positives=4, background=8)


@pytest.fixture(scope="module", autouse=True)
def small_preset() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "tiny", Preset(2, 32, 2, 1, 16, 2))  # type: ignore[arg-type]
        yield


def test_simulated_windows_show_particles_first_and_background_away_from_them() -> None:
    source = SimulatedWindows(7)
    number = next(
        k for k in range(20) if (corpus_micrograph(7, k).truth.kind == "particle").sum() > 9
    )
    shown = source.windows(number, 6, 18, np.random.default_rng(3))
    assert shown.windows.crops.shape == (24, 1, CROP, CROP) and shown.positives == 6
    again = source.windows(number, 6, 18, np.random.default_rng(3))
    assert torch.equal(again.windows.crops, shown.windows.crops)
    made = corpus_micrograph(7, number)
    working = preprocess(
        made.image, made.pixel_size_A, made.diameter_A, PreprocessSpec(), px_per_diameter=28.0
    ).data.numpy()
    # every window, turned back, is found around a place whose distance to particles is known
    yx = np.stack([made.truth.y_px, made.truth.x_px], 1)
    yx = yx[made.truth.kind == "particle"] * (28.0 * made.pixel_size_A / made.diameter_A)
    for k in range(24):
        crop = shown.windows.crops[k, 0].numpy()
        row, column = (4 * shown.windows.centres[k] + 2).tolist()
        token = crop[row - 2 : row + 3, column - 2 : column + 3]
        place = _find(working, token)
        if place is None:
            continue  # it lies in the mirrored margin
        nearest = np.hypot(*(yx - place).T).min()
        # the place is anywhere in its token, and lengths are within 1 % of those asked for
        assert nearest < 6.0 if k < 6 else nearest > 0.4 * 28 - 6.0


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
    shown = source.windows(empty, 2, 4, np.random.default_rng(0))
    assert shown.positives == 0 and len(shown.windows.crops) == 6


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Micrograph]:
    folder = tmp_path_factory.mktemp("micrographs")
    micrographs = []
    for k in range(2):
        path = folder / f"m{k}.mrc"
        with mrcfile.new(path) as handle:
            handle.set_data(np.random.default_rng(k).normal(size=(150, 160)).astype(np.float32))
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
    assert whole.model.card.trained_on["windows"] == 4 * 12
    whole.model.save(tmp_path / "model")
    assert AutoencoderModel.load(tmp_path / "model").digest == whole.model.digest


def test_no_usable_micrograph_ends_the_pretraining(files: list[Micrograph]) -> None:
    with pytest.raises(InputError, match="none of the 1 micrographs can be used"):
        MicrographWindows(files[1:2], 112.0).windows(0, 2, 2, np.random.default_rng(0))
    with pytest.raises(InputError, match="no micrographs to pretrain on"):
        MicrographWindows([], 112.0)


def test_rehearsal_lowers_the_similarity_loss(tmp_path: Path) -> None:
    recipe = MaeRecipe(steps=50, micrographs=1, rate=3e-3, masked_similarity=0.0)
    result = pretrain_mae(SimulatedWindows(11), recipe, spool=tmp_path, reporter=SilentReporter())
    first, second = result.curve
    # 1.0 is what windows without anything in common have; the floor is .02
    assert second["similarity"] < 0.93
    assert second["reconstruction"] < first["reconstruction"]
    plain = pretrain_mae(
        SimulatedWindows(11),
        replace(SHORT, rehearse=False),
        spool=tmp_path / "plain",
        reporter=SilentReporter(),
    )
    assert plain.curve[-1]["similarity"] == 0.0


def test_the_rate_rises_and_falls() -> None:
    recipe = MaeRecipe(steps=100, warm_up=0.1, rate=1.0)
    assert recipe.rate_at(0) == pytest.approx(0.1)
    assert recipe.rate_at(9) == pytest.approx(1.0)
    assert recipe.rate_at(55) == pytest.approx(0.5)
    assert recipe.rate_at(99) < 0.01
