"""The list of shipped models, and the card of any model file."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
from tiny_pruner import tiny_pruner

from frostpick.errors import ModelError
from frostpick.models import versions
from frostpick.models.catalogue import USED_BY, catalogue, find_card
from frostpick.models.cryomae.shipped_encoder import load_encoder, shipped_encoder
from frostpick.models.picking_model import PickingModel
from frostpick.models.pruner.model import load_pruner
from frostpick.models.shipped import load_model, shipped
from frostpick.models.versions import VERSIONS, WEIGHTS, version_of

#: SHA-256 of the files that were shipped: a version never changes.
SHIPPED_FILES = {
    "general-1": "3c440898ee91fafa831e41306cd015116d7edb31f5bf05bbb85938b426f5a399",
    "general-2": "d827dd8080e9db4ba861501f3c076186ada49fe7fdb5973e690e195002d32e35",
    "pruner-1": "8871ab27e2dad342af217e8da5b31998481299125caac307a65b70181ec27479",
    "mae-tiny-1": "833f4cb3ad80940f982bd1b386d7774a4ef0e571f7d8dfa3a95576b498345d80",
}


def test_every_folder_of_weights_is_listed_with_the_digest_of_its_file() -> None:
    entries = {entry.name: entry for entry in catalogue()}
    assert set(entries) == {"blob", *(folder.name for folder in WEIGHTS.iterdir())}
    for name, entry in entries.items():
        assert entry.card.kind in USED_BY
        assert find_card(name) == (entry.card, entry.digest)
        if name != "blob":
            assert find_card(str(WEIGHTS / name)) == (entry.card, entry.digest)


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


def test_the_rows_of_the_versions_are_the_folders_numbered_from_one() -> None:
    rows = {name: row for name, row in VERSIONS.items() if name != "blob"}
    folders = sorted(folder.name for folder in WEIGHTS.iterdir())
    assert sorted(one for row in rows.values() for one in row) == folders
    for name, row in rows.items():
        assert row == tuple(f"{name}-{number + 1}" for number in range(len(row)))


@pytest.mark.parametrize("version", SHIPPED_FILES)
def test_a_version_never_changes(version: str) -> None:
    content = (WEIGHTS / version / "model.safetensors").read_bytes()
    assert hashlib.sha256(content).hexdigest() == SHIPPED_FILES[version]


def test_the_first_general_is_the_one_that_the_first_pruner_asks() -> None:
    digest = "31d9dab4c329ce1b730c989aafd73b2eda02ddff78d041c85650314364618bd9"
    assert load_model("general-1").digest == digest
    picker = load_pruner("pruner-1").card.picker
    assert picker is not None and picker.digest == digest


def test_a_name_means_the_newest_and_a_version_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One folder and one row more, as for new weights."""
    for folder in WEIGHTS.iterdir():
        shutil.copytree(folder, tmp_path / folder.name)
    second = load_model("blob")
    second.save(tmp_path / "general-9")
    monkeypatch.setattr(versions, "WEIGHTS", tmp_path)
    monkeypatch.setitem(VERSIONS, "general", ("general-1", "general-9"))  # type: ignore[arg-type]
    assert version_of("general") == "general-9" and version_of("general-1") == "general-1"
    assert load_model("general").digest == second.digest == load_model("general-9").digest
    first = PickingModel.load(WEIGHTS / "general-1")
    assert load_model("general-1").digest == first.digest != second.digest
    listed = {entry.name: entry.newest_of for entry in catalogue() if "general" in entry.name}
    assert listed == {"general-9": "general", "general-1": None}
    assert list(listed) == ["general-9", "general-1"]
    assert find_card("general")[1] == second.digest
    with pytest.raises(ModelError, match=r"no general-2 comes .*general are: general-1, general-9"):
        load_model("general-2")


def test_versions_of_other_kinds_and_those_that_are_not_there(tmp_path: Path) -> None:
    encoder = shipped_encoder("tiny")
    assert encoder is not None and shipped_encoder("base") is None
    assert load_encoder("mae-tiny").digest == encoder.digest == load_encoder("mae-tiny-1").digest
    assert load_pruner("pruner").digest == load_pruner("pruner-1").digest
    for name in ("general", "pruner", "mae-tiny"):
        with pytest.raises(ModelError, match=rf"no {name}-999 .*{name} are: {name}-1"):
            find_card(f"{name}-999")
    with pytest.raises(ModelError, match=r"versions of pruner are: pruner-1"):
        load_pruner("pruner-999")
    with pytest.raises(ModelError, match=r"versions of mae-tiny are: mae-tiny-1"):
        load_encoder("mae-tiny-999")
    with pytest.raises(ModelError, match=r"encoder 'nothing' is neither.*mae-tiny"):
        load_encoder("nothing")
    with pytest.raises(ModelError, match=r"exact versions: general-1"):
        load_model("generel")
    assert version_of("mae-base") is None and version_of("") is None and shipped("pruner") is None
    # a file or folder of the user's may have the name of a version that does not exist
    load_model("blob").save(tmp_path / "general-999")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert load_model("general-999").digest == load_model("blob").digest
