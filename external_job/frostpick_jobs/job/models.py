"""Which weights the names in a job mean: settled when it first runs, kept in its spool.

Names are those of shipped models and of a facility's (`frostpick.models.facility`). Another
version of frostpick may give a name newer weights, or no longer have the old ones; so may a
facility.
Results of two models must not be mixed, and what is done must not be done again: in one job a
name means the same weights for good, those of the copy in ``models/VERSION`` below the spool.
Other weights are had by their exact name. A model of the user's own is not copied: it is known
by its digest, and one that was changed counts as another.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from frostpick.errors import ModelError
from frostpick.models import facility
from frostpick.models.catalogue import find_card
from frostpick.models.cryomae.model import KIND, AutoencoderModel
from frostpick.models.cryomae.shipped_encoder import ENCODER_NAMES, encoder_name, load_encoder
from frostpick.models.model_file import told_digest
from frostpick.models.picking_model import PickingModel
from frostpick.models.pruner.model import SHIPPED_NAME, Pruner, load_pruner
from frostpick.models.shipped import load_model, shipped_names
from frostpick.models.versions import VERSIONS, version_of
from frostpick.runtime.atomic import remove_leftovers, write_text
from frostpick.settings.model_ref import ModelKind
from frostpick_jobs.job.output_folder import keeps_models

log = logging.getLogger(__name__)

#: Folder below the spool, and the file in it that tells version and digest of each name.
FOLDER, NAMES = "models", "names.json"
#: Version of a name that nothing was shipped for when the job first ran.
NOTHING = "none"

Kept = Mapping[str, str]
M = TypeVar("M", PickingModel, Pruner, AutoencoderModel)
Model = PickingModel | Pruner | AutoencoderModel
Elsewhere = Callable[[ModelKind, str], Model | None]


class JobModels:
    """Gives a job the models that its settings name, each found and loaded once.

    Parameters
    ----------
    spool
        The job's, claimed by its task.
    look
        Only look what a name means: nothing is written or logged.
    elsewhere
        ``(kind, text) -> model`` of a host that has models of its own, such as another job's;
        None for a text that it does not know.

    Attributes
    ----------
    used
        ``name -> {"version": ..., "digest": ...}`` of the names asked for, for the record.
    """

    def __init__(
        self, spool: Path, *, look: bool = False, elsewhere: Elsewhere | None = None
    ) -> None:
        self._folder, self._look = spool / FOLDER, look
        self._elsewhere = elsewhere or _nowhere
        self._from_before = not keeps_models(spool)
        self.used: dict[str, Kept] = {}
        self._taken: dict[tuple[ModelKind, str], Model] = {}
        if not look and self._folder.is_dir():
            remove_leftovers(self._folder)

    def picking(self, text: str) -> PickingModel:
        """Return the picking model that a text names, as `load_model`.

        Raises
        ------
        ModelError
            There is no such model; or the job's copy is damaged, and this version of
            frostpick has no such weights.
        """
        return self._take("picking", text, shipped_names(), load_model, PickingModel)

    def pruner(self, text: str) -> Pruner:
        """Return the pruner that a text names, as `load_pruner`; raises as `picking`."""
        return self._take("pruner", text, (SHIPPED_NAME,), load_pruner, Pruner)

    def encoder(self, text: str) -> AutoencoderModel:
        """Return the encoder that a text names, as `load_encoder`; raises as `picking`."""
        return self._take("encoder", text, ENCODER_NAMES, load_encoder, AutoencoderModel)

    def encoder_of(self, preset: str) -> AutoencoderModel | None:
        """Return the shipped encoder of a preset; None where none was shipped at the first run."""
        name = encoder_name(preset)
        kept = self._names().get(name)
        if kept is None and version_of(name) is None:
            kept = {"version": NOTHING, "digest": ""}
            self._note(name, kept)
        return None if kept and kept["version"] == NOTHING else self.encoder(name)

    def kind_of(self, text: str) -> ModelKind:
        """Return ``encoder`` or ``picking``: what the model that a text names is for.

        The job's own copy of a shipped name is of the name's kind, whatever is shipped now.

        Raises
        ------
        ModelError
            There is no such model, or its file cannot be used.
        """
        kept = self._kept(text)
        if kept is not None and kept["version"] != NOTHING:
            encodes = _is_called(text, ENCODER_NAMES)
            if not facility.is_reserved(text):
                encodes = find_card(str(self._folder / kept["version"]))[0].kind == KIND
        else:
            encodes = find_card(text)[0].kind == KIND
        return "encoder" if encodes else "picking"

    def _take(
        self,
        kind: ModelKind,
        text: str,
        shipped: Sequence[str],
        named: Callable[[str], M],
        made: type[M],
    ) -> M:
        taken = self._taken.get((kind, text))
        if isinstance(taken, made):
            return taken
        model = self._found(kind, text, shipped, named, made)
        self._taken[kind, text] = model
        return model

    def _found(
        self,
        kind: ModelKind,
        text: str,
        shipped: Sequence[str],
        named: Callable[[str], M],
        made: type[M],
    ) -> M:
        found = self._elsewhere(kind, text)
        if isinstance(found, made):
            return found
        load: Callable[[Path], M] = made.load
        if not (_is_called(text, shipped) or self._is_facility(text)):
            return named(text)  # no name of a model of this kind
        kept = self._kept(text)
        if kept is not None:
            model = self._copy_of(kept, named, load)
            again = ", as when this job first ran"
        else:
            version = self._version(text)
            if version is None:
                return named(text)
            model, again = named(version), ""
            kept = {"version": version, "digest": model.digest}
            if not self._look:
                model.save(self._folder / version)
        self._note(text, kept)
        if not self._look:
            log.info("%s%s%s", _told(text, kept), again, _newer(text, kept))
        return replace(model, known_as=kept["version"])

    def _is_facility(self, text: str) -> bool:
        """Tell whether a text names a facility's model, now or when this job first ran."""
        if facility.is_reserved(text) or text == NOTHING:
            return False
        return self._kept(text) is not None or facility.find(text) is not None

    def _kept(self, text: str) -> Kept | None:
        """Return what a name or a version was settled to mean in this job; None for any other."""
        names = self._names()
        return names.get(text) or {kept["version"]: kept for kept in names.values()}.get(text)

    def _version(self, text: str) -> str | None:
        """Return the version that a name means in a job that has not asked for it yet.

        A job from before models were kept in it ran with the first version, the only one then.
        """
        if self._from_before and text in VERSIONS:
            return version_of(f"{text}-1") or version_of(text)
        return facility.version_now(text)

    def _copy_of(self, kept: Kept, named: Callable[[str], M], load: Callable[[Path], M]) -> M:
        place, version = self._folder / kept["version"], kept["version"]
        try:
            model = load(place)
            if model.digest == kept["digest"]:
                return model
            why = f"{place}: digest {model.digest[:12]}, expected {kept['digest'][:12]}"
        except ModelError as error:
            why = str(error)
        if facility.version_now(version) == version:
            model = named(version)
            if model.digest == kept["digest"]:
                if not self._look:
                    log.warning("%s; this job's copy of %s is written again", why, version)
                    model.save(place)
                return model
        raise ModelError(
            f"{why}; this is the job's copy of {version}, which "
            f"{_who(version)} does not have: put the file back, or name another model, with which "
            "the job works anew"
        )

    def _names(self) -> dict[str, Kept]:
        path = self._folder / NAMES
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return {
                str(name): {"version": str(one["version"]), "digest": str(one["digest"])}
                for name, one in found.items()
            }
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(
                f"{path}: damaged ({error}); it tells which version each model of this job is: "
                "delete it, and give the model by its version, such as general-1"
            ) from error

    def _note(self, name: str, kept: Kept) -> None:
        self.used[name] = dict(kept)
        names = self._names()
        if not self._look and names.get(name) != kept:
            content = json.dumps({**names, name: dict(kept)}, indent=1, sort_keys=True)
            write_text(self._folder / NAMES, content + "\n")


def _is_called(text: str, names: Sequence[str]) -> bool:
    """Tell one of the names, with or without a version."""
    name, _, number = text.rpartition("-")
    return text in names or (name in names and number.isdecimal())


def _told(text: str, kept: Kept) -> str:
    which = f"model {text}" if text == kept["version"] else f"{text} is {kept['version']}"
    return f"{which} (sha256 {kept['digest'][:12]})"


def _who(version: str) -> str:
    return "this version of frostpick" if facility.is_reserved(version) else "the facility"


def _newer(text: str, kept: Kept) -> str:
    """Return what a user is told whose job does not have the newest weights; empty else."""
    if facility.is_reserved(text):
        newest = version_of(text)
        if text not in VERSIONS or newest is None or newest == kept["version"]:
            return ""
        return f"; the newest is {newest}: give that name to work with it"
    try:
        found = facility.find(text)
        if found is None:
            return "; the facility has no such model now"
        if found.version != kept["version"]:
            return f"; the newest is {found.version}: give that name to work with it"
        if told_digest(found.place) == kept["digest"]:
            return ""
        return f"; the facility's is another now: give its path to work with it, {found.place}"
    except (ModelError, OSError) as error:  # the job has its copy and needs no other
        return f"; {error}"


def _nowhere(kind: ModelKind, text: str) -> Model | None:
    return None
