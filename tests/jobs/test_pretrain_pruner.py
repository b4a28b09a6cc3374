"""frostpick pretrain: the pruner from general images and from boxes of one's own, and refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_images import spots_on_noise, write_mrc
from safetensors.torch import save_file
from shelf import GENERAL_1, Shelf
from tiny_pruner import disc_boxes

from frostpick.errors import ConfigError, DeviceError, FrostpickError, InputError, ModelError
from frostpick.models.picking_model import PickingModel
from frostpick.models.pruner.box_network import CLASSES, ResNet18
from frostpick.models.pruner.model import Pruner
from frostpick.models.shipped import load_model
from frostpick.pretraining.pruner import pretrain as recipe_module
from frostpick.runtime.checkpoint import save_checkpoint
from frostpick.settings import PretrainSettings
from frostpick_jobs.hosts.folder import FolderHost
from frostpick_jobs.job.lifecycle import execute
from frostpick_jobs.tasks import run_pretrain

KINDS = {"safetensors": "r.safetensors", "torch": "r.pth"}


@pytest.fixture(autouse=True)
def _discs_for_a_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated micrographs cost seconds each; a few boxes of discs stand for theirs."""
    monkeypatch.setattr(recipe_module, "corpus_micrograph", lambda seed, index: (seed, index))

    def boxes(micrograph: tuple[int, int], rng: object, side: int, **others: object) -> Any:
        found, classes = disc_boxes(4, micrograph[1], side)
        return found.data, classes

    monkeypatch.setattr(recipe_module, "simulated_boxes", boxes)


def checkpoint(seed: int = 3) -> dict[str, torch.Tensor]:
    """Return a state with names and shapes of the usual ResNet-18: three colours, 1000 classes."""
    torch.manual_seed(seed)
    state = {k: v.clone() for k, v in ResNet18(heads=1).state_dict().items()}
    state = {k: v for k, v in state.items() if not k.startswith("head_a")}
    state["conv1.weight"] = torch.randn(64, 3, 7, 7) * 0.05
    state["fc.weight"], state["fc.bias"] = torch.randn(10, 512), torch.zeros(10)
    return state


def pretrain(folder: Path, **told: Any) -> Pruner:
    host = FolderHost(folder)
    options = {"method": "pruner", "corpus": 20, "steps": 1, "device": "cpu", "threads": 1}
    settings = PretrainSettings(**{**options, **told})
    made = execute(host, lambda: run_pretrain(host, settings)).model
    assert isinstance(made, Pruner)
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_a_pruner_starts_from_general_images(tmp_path: Path, kind: str) -> None:
    state, path = checkpoint(), tmp_path / KINDS[kind]
    save_file(state, path) if kind == "safetensors" else torch.save(state, path)
    made = pretrain(tmp_path / "out", imagenet=str(path))
    assert made.card.network.name == "resnet18"
    kept = Pruner.load(tmp_path / "out" / "model")
    assert kept.digest == made.digest
    # One step of AdamW moves a weight by the learning rate at most, and by its decay.
    for name in ("layer4.1.conv2.weight", "layer1.0.conv1.weight"):
        far = (kept.network.state_dict()[name] - state[name]).abs().max()
        assert 0 < far <= 1.1 * recipe_module.PretrainRecipe().rate
    grey = kept.network.state_dict()["conv1.weight"]
    assert torch.allclose(grey, state["conv1.weight"].sum(1, keepdim=True), atol=3e-3)
    card = json.loads((tmp_path / "out" / "model" / "model.json").read_text())
    assert card["trained_on"]["general_images"].startswith("checkpoint ")


def test_a_refused_checkpoint_is_told_before_anything_is_simulated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nothing(*others: object) -> None:
        raise AssertionError("simulated for a checkpoint that cannot be used")

    monkeypatch.setattr(recipe_module, "corpus_boxes", nothing)
    lacking = checkpoint()
    del lacking["layer2.0.conv1.weight"]
    save_file(lacking, tmp_path / "lacking.safetensors")
    deep = checkpoint()
    deep["layer1.0.conv1.weight"] = torch.zeros(64, 64, 1, 1)
    save_file(deep, tmp_path / "deep.safetensors")
    torch.save({"state_dict": Evil()}, tmp_path / "evil.pth")
    (tmp_path / "text.pth").write_text("no weights")
    cases = {
        "lacking.safetensors": r"layer2\.0\.conv1\.weight is missing; expected a checkpoint",
        "deep.safetensors": r"has shape \(64, 64, 1, 1\); expected a checkpoint of ResNet-18",
        "evil.pth": "holds more than tensors|cannot be read as tensors",
        "text.pth": "holds more than tensors|cannot be read as tensors",
        "none.pth": "cannot be read as tensors",
    }
    for name, words in cases.items():
        with pytest.raises(ModelError, match=words) as told:
            pretrain(tmp_path / name.partition(".")[0], imagenet=str(tmp_path / name))
        assert name in str(told.value)
    assert "ran" not in capsys.readouterr().out


class Evil:
    """Runs when a torch file is read with more than its weights."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("ran",))


def test_boxes_of_ones_own_are_learned_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "boxes"
    folder.mkdir()
    disc = spots_on_noise((96, 96), [(48.0, 48.0)], depth=9.0)
    for name, count in (("particle", 5), ("ice", 2)):
        write_mrc(folder / f"{name}.mrcs", np.stack([-disc] * count))
    caught = []
    original = recipe_module._draw

    def watch(data: Any, *others: Any) -> Any:
        caught.append(data)
        return original(data, *others)

    monkeypatch.setattr(recipe_module, "_draw", watch)
    monkeypatch.setattr(
        "frostpick_jobs.tasks.pretrain.PretrainRecipe",
        lambda: recipe_module.PretrainRecipe(units=2, batch=8),
    )
    scale = {"boxes": str(folder), "diameter": 64.0, "pixel_size": 2.0}
    made = pretrain(tmp_path / "out", **scale)
    (data,) = caught
    counts = torch.bincount(data.classes, minlength=len(CLASSES))
    assert len(data.classes) == 15 * 4 + 7  # 15 of 20 micrographs teach
    assert counts[CLASSES.index("ice")] == 2
    own = data.boxes[-5:, 28:36, 28:36].float() * recipe_module.QUANTUM
    assert (own.mean((1, 2)) < -4).all()  # light in the file, dark at work
    assert made.card.trained_on["labelled_boxes"] == 7
    refused: list[tuple[dict[str, Any], type[FrostpickError], str]] = [
        ({**scale, "diameter": None}, ConfigError, "give --diameter"),
        ({**scale, "pixel_size": None}, ConfigError, "and --pixel-size"),
        ({"device": "cuda:99"}, DeviceError, "cuda:99|GPU"),
        ({**scale, "contrast": "auto"}, ConfigError, "cannot be found out from boxes"),
        ({**scale, "boxes": str(tmp_path / "no")}, InputError, "no stacks; expected particle"),
    ]
    for number, (told, kind, words) in enumerate(refused):
        with pytest.raises(kind, match=words):
            pretrain(tmp_path / str(number), **told)
    (folder / "carbon.mrcs").write_bytes(b"x" * 2000)
    with pytest.raises(InputError, match=r"carbon\.mrcs: .*expected a stack of boxes"):
        pretrain(tmp_path / "bad", **scale)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"method": "picker", "diameter": 120.0}, "--diameter has no use.*--method picker"),
        ({"method": "pruner", "diameter": 120.0}, "--diameter has no use.*--method pruner"),
        ({"method": "pruner", "contrast": "dark"}, "--contrast has no use"),
        ({"method": "mae", "corpus": None, "pixel_size": 1.0}, "--pixel-size has no use"),
        ({"method": "mae"}, "--corpus has no use.*as it goes"),
        ({"method": "picker", "imagenet": "x"}, "--imagenet has no use.*only a pruner"),
        ({"method": "mae", "corpus": None, "boxes": "x"}, "--boxes has no use.*only a pruner"),
    ],
)
def test_what_would_change_nothing_is_refused(
    tmp_path: Path, told: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        pretrain(tmp_path / "out", **told)


def test_restart_throws_every_unfinished_training_away(tmp_path: Path) -> None:
    training = FolderHost(tmp_path).spool / "training"
    for folder in (training, training / "denoisers" / "fine-1"):
        save_checkpoint(folder, "of other settings", {"w": torch.zeros(1)}, {"step": 0})
    with pytest.raises(ConfigError, match="--restart"):
        pretrain(tmp_path)
    assert len(list(training.rglob("training.safetensors"))) == 2
    pretrain(tmp_path, restart=True)
    assert not list(training.rglob("training.safetensors"))


def test_a_continued_pretraining_asks_the_picker_that_it_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(folder: str) -> str:
        spec = pretrain(tmp_path / folder).card.picker
        assert spec is not None
        return spec.digest

    shelf = Shelf(tmp_path / "shelf", monkeypatch)
    assert asked("out") == GENERAL_1
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["shipped"] == {"general": {"version": "general-1", "digest": GENERAL_1}}
    first = load_model("general-1")
    other = PickingModel(first.card.model_copy(update={"citation": "another"}), first.network)
    shelf.add("general-2", other)
    shelf.drop("general-1")
    assert asked("out") == GENERAL_1 and asked("new") == other.digest
