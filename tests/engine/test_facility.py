"""A facility's models: found by name, with versions; a name that may mean two things is refused."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from frostpick.errors import ModelError
from frostpick.models import facility
from frostpick.models.card import ModelCard, NetworkSpec
from frostpick.models.catalogue import catalogue, facility_catalogue, find_card
from frostpick.models.cryomae.autoencoder import MaskedAutoencoder
from frostpick.models.cryomae.model import KIND, NETWORK, AutoencoderModel
from frostpick.models.cryomae.shipped_encoder import load_encoder
from frostpick.models.model_file import told_digest
from frostpick.models.picking_model import PickingModel
from frostpick.models.pruner.model import load_pruner
from frostpick.models.shipped import BLOB, load_model

pytestmark = pytest.mark.quick


def picker(distance: float) -> PickingModel:
    """Return a picking model that is told from others by its smallest distance."""
    return PickingModel.build(BLOB.model_copy(update={"min_distance": distance}), {})


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the facility's folder; the working folder is an empty one."""
    folder = tmp_path / "facility"
    folder.mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("FROSTPICK_MODELS", str(folder))
    return folder


def test_a_model_of_each_kind_is_found_by_its_name(place: Path) -> None:
    own, pruner = picker(0.61), load_pruner("pruner")
    with torch.random.fork_rng(devices=[]):
        network = MaskedAutoencoder("tiny").half().float().eval()
    spec = NetworkSpec(name=NETWORK, arguments={"preset": "tiny"})
    encoder = AutoencoderModel(ModelCard(kind=KIND, network=spec), network)
    own.save(place / "ribosome")
    pruner.save(place / "carbon" / "pruner")  # the folder of a job, as it is
    encoder.save(place / "coder")
    assert load_model("ribosome").digest == own.digest
    assert load_pruner("carbon").digest == pruner.digest
    assert load_encoder("coder").digest == encoder.digest
    assert load_model("ribosome").known_as == "ribosome"
    assert find_card("carbon") == (pruner.card, pruner.digest)
    with pytest.raises(ModelError, match="kind 'box-classifier' prunes picks"):
        load_model("carbon")
    with pytest.raises(ModelError, match=r"'ribosom' is neither .*; the facility has: carbon, cod"):
        load_model("ribosom")


def test_a_file_is_a_model_too_and_other_things_are_none(place: Path) -> None:
    own = picker(0.62)
    own.save(place / "x")
    (place / "x" / "model.safetensors").rename(place / "spliceosome.safetensors")
    (place / "README").write_text("ask Eva")
    (place / ".old").mkdir()
    own.save(place / ".old")
    assert list(facility.places()) == ["spliceosome"]
    assert load_model("spliceosome").digest == own.digest


def test_a_name_means_its_newest_version(place: Path) -> None:
    for number, distance in ((2, 0.62), (10, 0.7), (9, 0.69)):
        picker(distance).save(place / f"ribosome-{number}")
    assert load_model("ribosome").card.min_distance == 0.7
    assert load_model("ribosome").known_as == "ribosome-10"
    assert load_model("ribosome-2").card.min_distance == 0.62
    assert facility.version_now("ribosome") == "ribosome-10"
    assert list(facility.places()) == ["ribosome-2", "ribosome-9", "ribosome-10"]
    usable, wrong = facility_catalogue()
    assert [one.newest_of for one in usable.values()] == [None, None, "ribosome"] and not wrong
    with pytest.raises(ModelError, match="the facility has: ribosome-2, ribosome-9, ribosome-10"):
        load_model("ribosome-3")


def test_several_folders(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other"
    picker(0.6).save(place / "a")
    picker(0.7).save(other / "b")
    monkeypatch.setenv("FROSTPICK_MODELS", os.pathsep.join(["", str(place), f" {other} "]))
    assert load_model("a").card.min_distance == 0.6 and load_model("b").card.min_distance == 0.7
    picker(0.8).save(other / "a")
    with pytest.raises(ModelError, match=f"{place}/a and {other}/a: two models .* called a"):
        load_model("a")
    assert load_model("b").card.min_distance == 0.7


@pytest.mark.parametrize("name", ["general", "general-1", "general-77"])
def test_a_model_called_like_a_shipped_one_is_refused(place: Path, name: str) -> None:
    """Nobody picks with another model than he thinks, whichever of the two he means."""
    shipped = load_model("general-2").digest
    picker(0.6).save(place / name)
    with pytest.raises(ModelError, match=f"cannot be called {name}, which frostpick has for its"):
        load_model(name)
    if name == "general":
        with pytest.raises(ModelError, match="cannot be called general"):
            load_model("general-2")
    else:
        assert load_model("general-2").digest == shipped
    assert load_model("blob").known_as == "blob"
    assert list(facility_catalogue()[1]) == [name]


def test_a_name_that_a_shipped_one_begins_with_is_free(place: Path) -> None:
    picker(0.6).save(place / "mae")
    assert load_encoder("mae-tiny").known_as == "mae-tiny-1"
    assert load_model("mae").card.min_distance == 0.6


@pytest.mark.parametrize("name", ["none", "auto", "J20", "P3-J20", "mae-base"])
def test_words_that_mean_something_else_are_no_names(place: Path, name: str) -> None:
    picker(0.6).save(place / name)
    assert "cannot be called" in facility_catalogue()[1][name]


def test_a_folder_of_ones_own_beside_it_is_asked_about(place: Path) -> None:
    picker(0.6).save(place / "ribosome")
    picker(0.7).save(Path("ribosome"))
    with pytest.raises(ModelError, match=r"a model of the facility, .* give \./ribosome for that"):
        load_model("ribosome")
    assert load_model("./ribosome").card.min_distance == 0.7
    assert load_model(str(place / "ribosome")).card.min_distance == 0.6


def test_a_name_beside_its_versions_is_refused(place: Path) -> None:
    picker(0.6).save(place / "ribosome")
    picker(0.7).save(place / "ribosome-2")
    with pytest.raises(ModelError, match="ribosome is there beside its version ribosome-2; give"):
        load_model("ribosome")
    assert load_model("ribosome-2").card.min_distance == 0.7


def test_a_folder_that_is_away_keeps_nobody_from_shipped_models(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FROSTPICK_MODELS", str(place / "gone"))
    assert load_model("general").known_as == "general-2"
    assert load_model("general").digest == load_model(str(_weights("general-2"))).digest
    with pytest.raises(ModelError, match="gone, of FROSTPICK_MODELS: cannot be read: No such file"):
        load_model("ribosome")


def test_a_damaged_model_is_listed_with_the_reason(place: Path) -> None:
    picker(0.6).save(place / "ribosome")
    (place / "ribosome" / "model.safetensors").write_bytes(b"short")
    usable, wrong = facility_catalogue()
    assert not usable and "not a safetensors file" in wrong["ribosome"]


def test_the_digest_is_told_without_reading_tensors(tmp_path: Path) -> None:
    for entry in catalogue():
        if entry.name != "blob":
            assert told_digest(_weights(entry.name)) == entry.digest
    other = tmp_path / "other.bin"
    other.write_bytes(b"\xff" * 64)
    with pytest.raises(ModelError, match="not a safetensors file"):
        told_digest(other)


def test_the_name_is_no_part_of_a_model() -> None:
    model = load_model("blob")
    other = replace(model, known_as="")
    assert (model.known_as, other.digest) == ("blob", model.digest)


def _weights(version: str) -> Path:
    from frostpick.models import versions

    return versions.WEIGHTS / version
