"""Few-shot training by cryoMAE: exemplars, windows, the course, and a model that picks."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_images import draw_discs, places_apart, write_mrc
from scipy.ndimage import gaussian_filter

from frostpick.errors import ConfigError, JobStopped, LabelError, ModelError
from frostpick.evaluation.evaluate import evaluate
from frostpick.models.card import ModelCard, NetworkSpec
from frostpick.models.cryomae import CROP, PITCH, PRESETS, MaskedAutoencoder, Preset
from frostpick.models.cryomae.exemplar import SHY
from frostpick.models.cryomae.model import AutoencoderModel
from frostpick.models.picking_model import PickingModel
from frostpick.picking import pick
from frostpick.picking.pick import pick_image
from frostpick.picking.plan import plan_picking
from frostpick.runtime.reporter import SilentReporter
from frostpick.sampling import Sampling
from frostpick.settings import FewshotSettings, PickSettings
from frostpick.training.cryomae import trainer as fewshot_trainer
from frostpick.training.cryomae import training_loop as fewshot_course
from frostpick.training.cryomae.exemplars import (
    CORNERS,
    STILL,
    all_places,
    check_exemplars,
    random_corners,
    random_places,
    window,
)
from frostpick.training.cryomae.finish import exemplar_logits, exemplar_network, pulled
from frostpick.training.cryomae.recipe import FewshotRecipe
from frostpick.training.cryomae.train import FewshotResult, train_fewshot
from frostpick.training.cryomae.trainer import FewshotTrainer, leave_one_out
from frostpick.training.cryomae.training_loop import settled
from frostpick.training.examples import TrainingImage
from frostpick.types import Labels, LocalFile, Micrograph, Picks

DIAMETER_PX, PIXEL_A, SIDE = 28.0, 4.0, (230, 250)
QUICK = FewshotRecipe(steps=40, positives=8, rate=3e-3, measure_every=10, least=40)
SHORT = replace(QUICK, steps=4, positives=4, measure_every=2)


@pytest.fixture(scope="module", autouse=True)
def small_preset() -> Iterator[None]:
    """The code of the tiny preset with a network that trains in a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "tiny", Preset(2, 32, 2, 1, 16, 2))  # type: ignore[arg-type]
        patch.setattr(fewshot_trainer, "STANDARDS", 64)
        patch.setattr(fewshot_trainer, "ASIDE", 32)
        yield


def image(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Dark discs of one diameter in noise, none near another, and their centres (x, y)."""
    rng = np.random.default_rng(seed)
    centres = places_apart(rng, SIDE, 16, 16, 36)
    data = rng.normal(0, 1, SIDE)
    draw_discs(data, centres, 0.9, 12)
    return data.astype(np.float32), centres


Data = tuple[list[Micrograph], dict[str, Labels]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    folder = tmp_path_factory.mktemp("micrographs")
    micrographs = []
    for k in range(3):
        path = write_mrc(folder / f"m{k}.mrc", image(k)[0])
        micrographs.append(Micrograph(path.name, LocalFile(path), PIXEL_A))
    xy = image(0)[1][:9]
    return micrographs, {"m0.mrc": Labels.from_xy("m0.mrc", xy[:, 0], xy[:, 1])}


def settings(**others: object) -> FewshotSettings:
    values = {"diameter": DIAMETER_PX * PIXEL_A, "device": "cpu", "threads": 1, **others}
    return FewshotSettings.model_validate(values)


def train(
    data: Data,
    spool: Path,
    reporter: SilentReporter | None = None,
    *,
    start: AutoencoderModel | None = None,
    recipe: FewshotRecipe = SHORT,
    **others: object,
) -> FewshotResult:
    return train_fewshot(
        data[0],
        data[1],
        settings(**others),
        start=start,
        spool=spool,
        reporter=reporter or SilentReporter(),
        recipe=recipe,
    )


def working_images() -> list[TrainingImage]:
    """Two working images, exemplars on the first."""
    made = []
    for k in range(2):
        pixels, xy = image(k)
        yx = xy[:9, ::-1].copy() if k == 0 else np.zeros((0, 2))
        grid = Sampling.identity(SIDE, PIXEL_A)
        made.append(TrainingImage(f"m{k}", pixels, grid, yx, np.zeros((0, 2))))
    return made


def trainer(recipe: FewshotRecipe = SHORT) -> FewshotTrainer:
    torch.manual_seed(0)
    return FewshotTrainer(
        MaskedAutoencoder("tiny"), working_images(), recipe, 0.01, 5, torch.device("cpu")
    )


@pytest.fixture(scope="module")
def trained(data: Data, tmp_path_factory: pytest.TempPathFactory) -> FewshotResult:
    return train(data, tmp_path_factory.mktemp("spool"), recipe=QUICK)


# --- exemplars and windows


@pytest.mark.parametrize("turn", range(8))
def test_a_window_shows_its_place_turned_about_it(turn: int) -> None:
    pixels = np.random.default_rng(0).normal(size=(150, 160)).astype(np.float32)
    y, x, corner = 70.3, 81.8, (23, 31)
    crop, token = window(pixels, y, x, turn, corner)
    assert crop.shape == (CROP, CROP)
    assert token == (23 // 4, 31 // 4)
    for dy, dx in ((0, 0), (3, -7), (-11, 5)):
        # where (dy, dx) of the turned picture lies in the micrograph: turn it back
        back = np.linalg.matrix_power(np.array([[0, 1], [-1, 0]]), turn % 4) @ (dy, dx)
        if turn >= 4:
            back = back * (1, -1)
        assert crop[23 + dy, 31 + dx] == pixels[70 + back[0], 82 + back[1]]


def test_windows_at_the_edge_are_mirrored() -> None:
    pixels = np.arange(100 * 90, dtype=np.float32).reshape(100, 90)
    crop, _ = window(pixels, 2, 3, 0, STILL)
    assert crop[STILL[0] - 6, STILL[1] - 8] == pixels[4, 5]


def test_random_corners_reach_every_token_whose_rings_fit() -> None:
    corners = np.array(random_corners(2000, np.random.default_rng(0)))
    tokens = corners // PITCH
    assert sorted(set(tokens[:, 0])) == sorted(set(tokens[:, 1])) == [4, 5, 6, 7, 8, 9]
    assert corners.min() >= CORNERS[0] and corners.max() < CORNERS[1]


def test_random_places_stay_away_from_exemplars() -> None:
    images = working_images()
    places = random_places(images, 400, 14.0, np.random.default_rng(1))
    assert len(places) == 400 and {k for k, _, _ in places} == {0, 1}
    for index, y, x in places:
        assert 0 <= y <= SIDE[0] and 0 <= x <= SIDE[1]
        yx = images[index].particles_yx
        assert not (np.hypot(yx[:, 0] - y, yx[:, 1] - x) < 14.0).any()


def test_exemplars_that_cover_everything_are_told() -> None:
    """A diameter too large by far; such a draw never came to its end."""
    covered = marked([(float(y), float(x)) for y in (10, 30, 50) for x in (10, 30, 50)], side=61)
    with pytest.raises(LabelError, match=r"exemplars cover the micrographs.*check --diameter"):
        random_places([covered], 5, 16.0, np.random.default_rng(1))


def marked(yx: list[tuple[float, float]], side: int = 600) -> TrainingImage:
    pixels = np.zeros((side, side), np.float32)
    grid = Sampling.identity((side, side), 1.0)
    return TrainingImage("m", pixels, grid, np.array(yx, float).reshape(-1, 2), np.zeros((0, 2)))


def test_exemplars_are_merged_counted_and_checked(caplog: pytest.LogCaptureFixture) -> None:
    spread = [(40.0 + 36 * k, 560.0 - 36 * k) for k in range(15)]
    with caplog.at_level(logging.WARNING):
        (kept,) = check_exemplars([marked(spread)])
    assert len(kept.particles_yx) == 15 and not caplog.records
    (kept,) = check_exemplars([marked([*spread, (43.0, 564.0)])])
    assert kept.particles_yx.tolist() == [list(p) for p in spread]
    assert "1 marks lie within a quarter of a diameter" in caplog.text
    check_exemplars([marked([(100 + 12.0 * k, 100.0 + 9 * (k % 2)) for k in range(9)])])
    assert "all exemplars lie close together" in caplog.text
    check_exemplars([marked(spread[:4])])
    assert "4 exemplars are few" in caplog.text
    with pytest.raises(LabelError, match="at least 3 exemplars inside the micrographs, found 2"):
        check_exemplars([marked([*spread[:2], (41.0, 560.0)])])


# --- the trainer


def test_only_the_second_half_of_the_encoder_and_the_decoder_learn() -> None:
    one = trainer()
    before = {n: p.detach().clone() for n, p in one.network.named_parameters()}
    one.step()
    moved = {n for n, p in one.network.named_parameters() if not torch.equal(p, before[n])}
    frozen = {n for n in before if n.startswith(("encoder.embedding", "encoder.blocks.0."))}
    assert not moved & frozen
    assert {n for n in before if n.startswith("encoder.blocks.1.attention")} <= moved
    assert "leave.1.weight" in moved


def test_leave_one_out_is_brute_force() -> None:
    own = torch.nn.functional.normalize(
        torch.randn(5, 4, 6, generator=torch.Generator().manual_seed(0)), dim=-1
    )
    expected = [
        max(float(own[i, 0] @ own[j, t]) for j in range(5) for t in range(4) if j != i)
        for i in range(5)
    ]
    np.testing.assert_allclose(leave_one_out(own).numpy(), expected, rtol=1e-5)


def test_a_single_exemplar_is_compared_with_its_own_turns() -> None:
    one = working_images()[:1]
    alone = [replace(one[0], particles_yx=one[0].particles_yx[:1])]
    assert len(check_exemplars(alone, 1)) == 1
    torch.manual_seed(0)
    made = FewshotTrainer(MaskedAutoencoder("tiny"), alone, SHORT, 0.01, 5, torch.device("cpu"))
    own = made.exemplar_descriptors()
    assert float(leave_one_out(own)) == pytest.approx(
        max(float(own[0, 0] @ own[0, turn]) for turn in (1, 2, 3)), abs=1e-6
    )
    network, own = exemplar_network(made)
    (logit,) = exemplar_logits(network, made, own)
    assert np.tanh(logit) / SHY < 0.9999  # of the very same window it is 1


def test_exemplars_are_pulled_towards_what_they_have_in_common() -> None:
    own = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    torch.testing.assert_close(pulled(own, 0.0), own)
    half = np.sqrt(0.5)
    for one, expected in zip(pulled(own, 1.0), [[half, half, 0.0]] * 2, strict=True):
        torch.testing.assert_close(one, torch.tensor(expected, dtype=torch.float32))
    # 0.3 (1, 0, 0) + 0.7 (half, half, 0), then of length 1
    moved = np.array([0.3 + 0.7 * half, 0.7 * half, 0.0])
    np.testing.assert_allclose(pulled(own, 0.7)[0], moved / np.linalg.norm(moved), atol=1e-6)


def test_a_step_takes_as_many_exemplars_as_the_recipe_says() -> None:
    few = trainer(replace(SHORT, positives=4))
    many = trainer(replace(SHORT, positives=20))
    rng = np.random.default_rng(0)
    assert len(few._positive(rng).crops) == 4
    assert len(many._positive(rng).crops) == 20


def test_an_exemplars_own_logit_comes_from_the_others() -> None:
    one = trainer(replace(SHORT, pull=0.0))
    one.autocast = False  # as the network by itself computes below
    network, known = exemplar_network(one)
    logits = exemplar_logits(network, one, known)
    assert known.shape == (4 * 9, 128)
    torch.testing.assert_close(network.head.get_buffer("exemplars"), known)
    np.testing.assert_allclose(known.norm(dim=1).numpy(), 1.0, rtol=1e-5)
    pixels = np.pad(one.images[0].pixels, 150, mode="reflect")
    half = network.receptive_field // 2
    for k, (_, y, x) in enumerate(all_places(one.images)[:3]):
        cosines = []
        for dy in (-PITCH, 0, PITCH):
            for dx in (-PITCH, 0, PITCH):
                top, left = round(y) + dy + 150 - half, round(x) + dx + 150 - half
                seen = pixels[top : top + 2 * half + 1, left : left + 2 * half + 1]
                place = network.descriptors(torch.from_numpy(seen.copy())[None, None]).flatten()
                cosines += [float(place @ e) for j, e in enumerate(known) if j // 4 != k]
        assert logits[k] == pytest.approx(np.arctanh(SHY * max(cosines)), abs=1e-4)


def row(step: int, error: float, margin: float) -> dict[str, float]:
    return {"step": step, "held_out_reconstruction": error, "margin": margin}


def test_the_course_settles_when_nothing_improves_any_more() -> None:
    recipe = FewshotRecipe(least=40, patience=2, gain=0.01)
    falling = [row(20 * k, 1 / k, 0.5) for k in range(1, 6)]
    assert not settled(falling, recipe)
    widening = [row(20 * k, 0.7, 0.1 * k) for k in range(1, 6)]
    assert not settled(widening, recipe)
    flat = [row(20, 0.7, 0.5), row(40, 0.699, 0.505), row(60, 0.701, 0.5)]
    assert not settled(flat[:2], recipe)
    assert settled(flat, recipe)
    assert not settled(flat, replace(recipe, least=80))
    assert settled(widening, replace(recipe, beta=0.0))


# --- the whole


def test_it_picks_micrographs_it_has_no_exemplars_on(trained: FewshotResult) -> None:
    plan = plan_picking(trained.model, PickSettings(device="cpu", threads=1))
    picks, truth = {}, {}
    for k in (1, 2):
        pixels, xy = image(k)
        picks[f"m{k}"] = pick_image(trained.model, pixels, PIXEL_A, plan, f"m{k}").picks
        truth[f"m{k}"] = Picks.from_xy(f"m{k}", xy[:, 0], xy[:, 1])
    found = evaluate(picks, truth, DIAMETER_PX, {"m1": SIDE, "m2": SIDE}, "iou50")
    assert found.n_true > 25
    assert found.best_f1 > 0.85
    # what the exemplars taught about the scores holds on the others
    assert found.at(trained.model.card.threshold).f1 > 0.8


def test_on_plain_noise_nothing_is_selected(
    trained: FewshotResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = trained.model.card
    plan = plan_picking(trained.model, PickSettings(device="cpu", threads=1))

    def scores(pixels: np.ndarray) -> np.ndarray:
        return pick_image(trained.model, pixels.astype(np.float32), PIXEL_A, plan).picks.score

    def red(seed: int) -> np.ndarray:
        # white noise has no candidates that would need it; blobs as large as a particle have
        rng = np.random.default_rng(seed)
        return rng.normal(0, 1, SIDE) + 6 * gaussian_filter(rng.normal(0, 1, SIDE), 4.0)

    white = [np.random.default_rng(seed).normal(0, 1, SIDE) for seed in range(3)]
    assert max(scores(pixels).max() for pixels in white) < card.threshold
    noise = [red(seed) for seed in range(3)]
    lowered = [scores(pixels) for pixels in noise]
    assert max(one.max() for one in lowered) < card.threshold
    ordinary = scores(image(1)[0])
    monkeypatch.setattr(pick, "emptiness", lambda score, slack: 0.0)
    plain = [scores(pixels) for pixels in noise]
    assert max((a - b).max() for a, b in zip(plain, lowered, strict=True)) > 1.0
    assert all(one.max() > card.threshold for one in plain)
    np.testing.assert_array_equal(scores(image(1)[0]), ordinary)


def test_the_model_says_what_it_is_and_survives_its_file(
    trained: FewshotResult, tmp_path: Path
) -> None:
    card = trained.model.card
    assert (card.kind, card.network.name, card.px_per_diameter) == ("exemplar", "cryomae", 28.0)
    assert card.network.arguments["exemplars"] == 36
    assert card.diameter_A == DIAMETER_PX * PIXEL_A
    assert trained.summary["exemplars"] == 9 and trained.summary["unlabelled_micrographs"] == 2
    assert 9 <= trained.summary["expected_per_micrograph"] <= 40
    trained.model.save(tmp_path)
    again = PickingModel.load(tmp_path)
    assert again.digest == trained.model.digest
    plan = plan_picking(again, PickSettings(device="cpu", threads=1))
    first = pick_image(trained.model, image(1)[0], PIXEL_A, plan).picks
    second = pick_image(again, image(1)[0], PIXEL_A, plan).picks
    np.testing.assert_array_equal(first.score, second.score)


class StopAt(SilentReporter):
    """Asks to stop at the n-th check of the training stage."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step, self.training, self.steps = step, False, 0

    def stage(self, name: str, total: int) -> None:
        self.training = name == "training"

    def check(self) -> None:
        if self.training:
            self.steps += 1
            if self.steps > self.step:
                raise JobStopped("stopped")


def test_a_stopped_training_goes_on_to_the_same_model(data: Data, tmp_path: Path) -> None:
    whole = train(data, tmp_path / "a")
    with pytest.raises(JobStopped):
        train(data, tmp_path / "b", StopAt(2))
    resumed = train(data, tmp_path / "b")
    assert resumed.curve == whole.curve
    assert resumed.model.digest == whole.model.digest


def test_a_killed_training_goes_on_from_its_last_state(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(data, tmp_path / "a")
    monkeypatch.setattr(fewshot_course, "SAVE_EVERY_S", 0.0)

    class Killed(BaseException):
        pass

    class KillAt(StopAt):
        def check(self) -> None:
            try:
                super().check()
            except JobStopped:
                raise Killed from None

    with pytest.raises(Killed):
        train(data, tmp_path / "b", KillAt(3))
    assert train(data, tmp_path / "b").model.digest == whole.model.digest


def test_other_settings_refuse_an_unfinished_training(data: Data, tmp_path: Path) -> None:
    with pytest.raises(JobStopped):
        train(data, tmp_path, StopAt(1))
    with pytest.raises(ConfigError, match=r"--seed 0 and not --seed 4; .*--restart"):
        train(data, tmp_path, seed=4)
    all_of_them = len(data[1]["m0.mrc"])
    assert train(data, tmp_path, seed=4, restart=True).summary["exemplars"] == all_of_them


def test_other_exemplars_make_an_unfinished_training_begin_anew(
    data: Data, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(JobStopped):
        train(data, tmp_path, StopAt(1))
    fewer = {"m0.mrc": data[1]["m0.mrc"].keep(np.arange(8))}
    with caplog.at_level(logging.INFO):
        assert train((data[0], fewer), tmp_path).summary["exemplars"] == 8
    assert "the exemplars changed since the training of this job was stopped" in caplog.text


def test_what_cannot_be_used_is_told(data: Data, tmp_path: Path) -> None:
    two = {"m0.mrc": data[1]["m0.mrc"].keep(np.arange(2))}
    with pytest.raises(LabelError, match="at least 3 exemplars"):
        train((data[0], two), tmp_path)
    outside = {"m0.mrc": Labels.from_xy("m0.mrc", [900.0, 950.0, 980.0], [5.0, 60.0, 99.0])}
    with pytest.raises(LabelError, match="lie outside their micrographs"):
        train((data[0], outside), tmp_path)
    with pytest.raises(ConfigError, match="give --diameter"):
        train(data, tmp_path, diameter=None)
    wrong = autoencoder("small")
    with pytest.raises(ConfigError, match="give --encoder-size small"):
        train(data, tmp_path, start=wrong)


# --- the pretrained start


def autoencoder(name: str = "tiny") -> AutoencoderModel:
    torch.manual_seed(3)
    card = ModelCard(
        kind="autoencoder",
        network=NetworkSpec(name="mae", arguments={"preset": name}),
        px_per_diameter=28.0,
    )
    return AutoencoderModel(card, MaskedAutoencoder(name).eval().requires_grad_(False))


def test_an_autoencoder_survives_its_file_in_half_precision(tmp_path: Path) -> None:
    model = autoencoder()
    model.save(tmp_path)
    again = AutoencoderModel.load(tmp_path)
    assert again.digest == model.digest
    for name, value in model.network.state_dict().items():
        kept = again.network.state_dict()[name]
        assert kept.dtype == torch.float32
        torch.testing.assert_close(kept, value, atol=1e-3, rtol=1e-3)
    with pytest.raises(ModelError, match="kind 'autoencoder'"):
        PickingModel.load(tmp_path)
    dense = ModelCard(network=NetworkSpec(name="mae", arguments={"preset": "tiny"}))
    with pytest.raises(ModelError, match="kind 'dense' cannot start few-shot training"):
        AutoencoderModel.build(dense, model.tensors())


def test_training_starts_from_the_autoencoder(data: Data, tmp_path: Path) -> None:
    start = autoencoder()
    result = train(data, tmp_path, start=start)
    assert result.model.card.parent == start.digest and result.summary["pretrained"]
    own = result.model.network.state_dict()
    for name, value in start.network.encoder.state_dict().items():
        if name.startswith(("embedding.", "blocks.0.")):
            torch.testing.assert_close(own[f"encoder.{name}"], value)
