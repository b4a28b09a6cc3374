"""Compare two folders of a case, file by file."""

from __future__ import annotations

import difflib
import io
import json
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from comparing.masks import masked

#: Most lines shown of a difference, and their length.
LINES, LENGTH = 4, 160


@dataclass(frozen=True)
class Difference:
    """A file that differs, with its name in the case's folder, and how."""

    file: str
    how: str


def compare(before: Path, now: Path) -> tuple[int, list[Difference]]:
    """Return the number of files, of both folders together, and what differs."""
    names = sorted(_files(before) | _files(now))
    found = []
    for name in names:
        first, second = before / name, now / name
        if not _there(second):
            found.append(Difference(name, "is gone"))
        elif not _there(first):
            found.append(Difference(name, "is new"))
        elif first.is_symlink() or second.is_symlink():
            if _target(first) != _target(second):
                found.append(Difference(name, f"{_target(first)} -> {_target(second)}"))
        elif first.is_dir() or second.is_dir():  # an empty folder
            if first.is_dir() != second.is_dir():
                found.append(Difference(name, "is a folder in one only"))
        else:
            how = compare_contents(name, first.read_bytes(), second.read_bytes())
            if how:
                found.append(Difference(name, how))
    return len(names), found


def compare_contents(name: str, before: bytes, now: bytes) -> str:
    """Say how the contents of a file differ; empty where they are equal but for masked text."""
    if before == now:
        return ""
    try:
        first, second = dict(_parts(name, before)), dict(_parts(name, now))
    except (zipfile.BadZipFile, struct.error, ValueError):
        return "is damaged"
    if list(first) != list(second):
        return f"holds {', '.join(second)}; before {', '.join(first)}"
    told = []
    for part, content in first.items():
        how = _how(part, content, second[part])
        if how:
            told.append(how if part == name else f"{part[len(name) + 1 :]}: {how}")
    return "\n".join(told)


def _parts(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Give the members of an archive in order, or the file itself.

    Of a training's state the header and the tensors: the library that writes it puts the
    entries of its metadata in any order. A model has one entry, and is compared as it is.
    Of CryoSPARC's table of one model all but its uid, the first 8 bytes behind the header:
    the client draws it at random.
    """
    if name.endswith("/training.safetensors"):
        (length,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + length])
        header["__metadata__"] = dict(sorted(header.get("__metadata__", {}).items()))
        yield f"{name}/header", json.dumps(header, indent=1).encode()
        yield f"{name}/tensors", content[8 + length :]
    elif name.endswith("/model.cs"):
        header, mark, rows = content.partition(b"\n")
        yield name, header + mark + rows[8:]
    elif name.endswith(".npz"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.infolist():
                data = archive.read(member)
                if member.filename == "about.npy":  # JSON, behind a line that tells its length
                    data = data.partition(b"\n")[2]
                yield f"{name}/{member.filename}", data
    else:
        yield name, content


def _how(name: str, before: bytes, now: bytes) -> str:
    try:
        first, second = before.decode("utf-8"), now.decode("utf-8")
    except UnicodeDecodeError:
        return "" if before == now else _bytes(before, now)
    first, second = masked(name, first), masked(name, second)
    if first == second:
        return ""
    lines = difflib.unified_diff(first.splitlines(), second.splitlines(), lineterm="", n=0)
    shown = [_cut(line) for line in lines if not line.startswith(("---", "+++", "@@"))]
    more = [f"({len(shown) - LINES} more lines)"] if len(shown) > LINES else []
    return "\n".join([*shown[:LINES], *more]) or "differs in its line ends"


def _bytes(before: bytes, now: bytes) -> str:
    at = next((n for n, (a, b) in enumerate(zip(before, now, strict=False)) if a != b), None)
    where = "one is the beginning of the other" if at is None else f"from byte {at}"
    return f"{len(before)} and {len(now)} bytes, differ {where}" if at is not None else where


def _cut(line: str) -> str:
    return line if len(line) <= LENGTH else line[:LENGTH] + "..."


def _files(folder: Path) -> set[str]:
    """Return the names of all files and links, and of folders that hold nothing."""
    found = set()
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_dir() or not any(path.iterdir()):
            found.add(path.relative_to(folder).as_posix())
    return found


def _there(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _target(path: Path) -> str:
    return str(path.readlink()) if path.is_symlink() else "a file"
