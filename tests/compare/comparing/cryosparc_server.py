"""The loopback server of ``tests/peers`` with a project, and its state as files."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "peers"))

EMAIL, PASSWORD = "picker@example.com", "secret"
#: Of a job: what the server itself makes up (ids, times) is left out.
LOOKED_AT = ("uid", "title", "description", "status", "build_errors", "has_warning", "has_error")


@contextlib.contextmanager
def serving(
    state: Path, micrographs: list[tuple[str, list[tuple[float, float]]]], name: str
) -> Iterator[tuple[Any, str]]:
    """Serve a project whose micrographs have manual picks; yield the store and the address.

    The port follows from the case's name: addresses are in logs and names of folders.
    """
    from csemu.seed import seed_project
    from csemu.serve import running
    from csemu.store import Options, Store

    store = Store(state, Options(email=EMAIL, password=PASSWORD))
    seed_project(store, micrographs)
    with running(store, 39100 + zlib.crc32(name.encode()) % 800) as url:
        yield store, url


def export(store: Any, folder: Path) -> None:
    """Write what a user sees of the jobs: status, wiring, outputs, event log, pictures.

    The files of the jobs lie in the state folder already; the server's own notes there,
    full of random ids and times, are replaced by these.
    """
    folder.mkdir(parents=True)
    for (project, uid), job in sorted(store.jobs.items()):
        text = json.loads(job.model_dump_json(by_alias=True))
        shown = {name: text.get(name) for name in LOOKED_AT}
        spec = text["spec"]
        shown["inputs"] = spec["inputs"]
        shown["outputs"] = {
            name: {**output, "image": _digest(store, output.get("image"))}
            for name, output in spec["outputs"].items()
        }
        shown["errors"] = [error["message"] for error in text.get("errors_run") or []]
        shown["tiles"] = [
            _digest(store, tile["fileid"]) for tile in text.get("ui_tile_images") or []
        ]
        shown["events"] = _events(store, store.events.get((project, uid), []))
        told = json.dumps(shown, indent=1, sort_keys=True)
        (folder / f"{project}-{uid}.json").write_text(told + "\n", encoding="utf-8")


def clean(state: Path) -> None:
    """Remove the server's own notes."""
    for name in ("project.json", "workspaces.json", "job.json"):
        for path in state.rglob(name):
            path.unlink()
    shutil.rmtree(state / "_db")


def _events(store: Any, events: list[Any]) -> list[dict[str, Any]]:
    """Return an event log, texts as lines; what the client sent in two parts is one."""
    shown: list[dict[str, Any]] = []
    for event in events:
        text = json.loads(event.model_dump_json(by_alias=True))
        kept = {name: text[name] for name in ("type", "flags", "meta") if name in text}
        kept["text"] = str(text.get("text") or "").splitlines()
        images = text.get("imgfiles") or []
        kept["images"] = [[one.get("filename"), _digest(store, one["fileid"])] for one in images]
        last = shown[-1] if shown else {}
        if last.get("type") == kept["type"] and not images and not last["images"]:
            last["text"] += kept["text"]
        else:
            shown.append(kept)
    return shown


def _digest(store: Any, asset: str | None) -> str | None:
    """Return a digest of a picture's bytes."""
    if not asset:
        return None
    return hashlib.sha256((store.db / "gridfs" / asset).read_bytes()).hexdigest()
