"""The list of shipped models, and the card of any model file."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_pruner import tiny_pruner

from frostpick.errors import ModelError
from frostpick.models.catalogue import USED_BY, catalogue, find_card
from frostpick.models.shipped import TRAINED, load_model


def test_every_folder_of_weights_is_listed_with_the_digest_of_its_file() -> None:
    entries = {entry.name: entry for entry in catalogue()}
    assert set(entries) == {"blob", *(folder.name for folder in TRAINED.iterdir())}
    for name, entry in entries.items():
        assert entry.card.kind in USED_BY
        assert find_card(name) == (entry.card, entry.digest)
        if name != "blob":
            assert find_card(str(TRAINED / name)) == (entry.card, entry.digest)


def test_a_card_is_found_in_the_folder_of_the_job_that_made_it(tmp_path: Path) -> None:
    pruner, model = tiny_pruner(), load_model("blob")
    pruner.save(tmp_path / "a" / "pruner")
    model.save(tmp_path / "b" / "model")
    assert find_card(str(tmp_path / "a")) == (pruner.card, pruner.digest)
    assert find_card(str(tmp_path / "b")) == (model.card, model.digest)
    assert find_card(str(tmp_path / "b/model/model.safetensors")) == (model.card, model.digest)
    with pytest.raises(ModelError, match=r"'bolb' is neither.*general, blob, pruner, mae-"):
        find_card("bolb")
    with pytest.raises(ModelError, match=r"no such model file"):
        find_card(str(tmp_path))
