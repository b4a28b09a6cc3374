"""What a card says of licences, and that cards of before still say what they said."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from frostpick.errors import ConfigError
from frostpick.models.card import ModelCard
from frostpick.models.licence import licence_of, licensed, relicensed
from frostpick.models.model_file import read_model_file
from frostpick.models.picking_model import PickingModel
from frostpick.models.shipped import BLOB, load_model
from frostpick.settings import FewshotSettings, PretrainSettings, PruneSettings, TrainSettings
from frostpick.settings.resolve import resolve

pytestmark = pytest.mark.quick

GENERAL = "general-2 (BSD-3-Clause)"


def test_a_model_names_what_it_is_derived_from_and_has_no_licence_of_ours() -> None:
    general = load_model("general")
    assert licence_of("", None) == "not stated" and licence_of("CC0-1.0") == "CC0-1.0"
    first = f"derived from {GENERAL}; licence of this model: not stated"
    assert licence_of("", general) == first
    assert licence_of("CC0-1.0", general).endswith("; licence of this model: CC0-1.0")


def test_all_ancestors_are_named_the_first_one_first() -> None:
    child = licensed(
        replace(load_model("general"), known_as=""), "CC-BY-4.0", load_model("general")
    )
    name = f"model {child.digest[:12]} (CC-BY-4.0)"
    told = f"derived from {GENERAL} and {name}; licence of this model: not stated"
    assert licence_of("", child) == told
    at_facility = replace(child, known_as="ribosome-3")
    assert f"{GENERAL} and ribosome-3 (CC-BY-4.0);" in licence_of("", at_facility)
    assert licence_of("", child, load_model("general")) == told  # each once
    images = licence_of("", "a checkpoint of general images", load_model("blob"))
    assert "general images (not stated) and blob (BSD-3-Clause); licence" in images


def test_another_licence_leaves_the_ancestors() -> None:
    child = licensed(load_model("blob"), "", load_model("general"))
    told = f"derived from {GENERAL}; licence of this model: "
    assert child.card.license == told + "not stated"
    assert relicensed(child, "CC0-1.0").card.license == told + "CC0-1.0"
    again = relicensed(child, "CC0-1.0")
    assert relicensed(again, "CC0-1.0") is again and again.digest != child.digest
    assert relicensed(load_model("blob"), "MIT").card.license == "MIT"


def test_a_card_of_before_loads_with_the_licence_that_it_has(tmp_path: Path) -> None:
    """Written as it was then: every card was stamped BSD-3-Clause."""
    before = PickingModel.build(BLOB.model_copy(update={"parent": "f" * 64}), {})
    before.save(tmp_path)
    data = (tmp_path / "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    kept = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["frostpick"])
    assert kept["card"]["license"] == "BSD-3-Clause"
    card, _ = read_model_file(tmp_path)
    assert card == before.card and card.license == "BSD-3-Clause"
    assert ModelCard(network=BLOB.network).license == "not stated"


def test_shipped_models_keep_theirs() -> None:
    for name in ("general-1", "general-2", "blob"):
        assert load_model(name).card.license == "BSD-3-Clause"


@pytest.mark.parametrize("kind", [TrainSettings, FewshotSettings, PruneSettings, PretrainSettings])
def test_a_licence_is_one_line_and_changes_no_result(kind: type) -> None:
    told = {"license": " CC-BY-4.0 ", "diameter": 100.0}
    assert resolve(kind, ("command line", told)).license == "CC-BY-4.0"
    assert "license" in kind.without_effect()
    for text in ("two\nlines", "x" * 201):
        with pytest.raises(
            ConfigError, match=r"command line: license = .*expected the name of a l"
        ):
            resolve(kind, ("command line", {**told, "license": text}))
