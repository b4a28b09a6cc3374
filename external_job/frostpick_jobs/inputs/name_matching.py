"""Which micrograph a name in a file of picks means."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Sequence

from frostpick.errors import LabelError
from frostpick_jobs.formats import relion_tail
from frostpick_jobs.formats.walk import in_project

log = logging.getLogger(__name__)

_EXTENSION = re.compile(r"\.(mrcs?|tiff?|eer|png|map|rec|ser|dm[34]|em|gz|bz2|star|box)$", re.I)
_UID_PREFIX = re.compile(r"^\d{15,}_(?=.)")
_HOST_SUFFIX = re.compile(r"(?<=.)(_(patch|rigid)_aligned.*|_doseweighted)$")
_PICK_SUFFIX = re.compile(r"(?<=.)_(auto|manual|topaz|cryolo)?_?pick(s|ed)?$", re.I)

Parts = tuple[str, ...]


def match_names(names: Sequence[str], ids: Sequence[str], what: str = "picks") -> dict[str, str]:
    """Find the micrograph that each name means.

    In this order: the exact id; the file name without extension (``.mrc``, ``.tif``,
    ``.mrc.gz``...), where of several the one that shares most folders at the end of the
    path; the same without what hosts add: CryoSPARC's uid in front,
    ``_patch_aligned...`` and ``_doseweighted`` behind, RELION's job folders, and the
    ``_autopick`` of a coordinate file.

    Parameters
    ----------
    names
        As written in files of picks.
    ids
        `Micrograph.id` of the job.
    what
        What the names are of, for messages: ``picks``, ``labels`` or ``truth``.

    Returns
    -------
    dict
        Name to id. Names of no micrograph of the job are absent; the log counts them.

    Raises
    ------
    LabelError
        A name fits two micrographs equally well, two names from different folders fit
        one micrograph only by their file name, or no name fits at all.
    """
    known = set(ids)
    wanted = list(dict.fromkeys(names))
    found = {name: name for name in wanted if name in known}
    by_stem_only: dict[str, list[str]] = defaultdict(list)
    for reduce in (_plain, _without_host_parts):
        index: dict[str, list[tuple[str, Parts]]] = defaultdict(list)
        for micrograph_id in ids:
            parts = reduce(micrograph_id)
            index[parts[-1]].append((micrograph_id, parts))
        for name in wanted:
            if name in found:
                continue
            parts = reduce(name)
            candidates = index.get(parts[-1])
            if candidates:
                best, folders_agree = _nearest(name, parts, candidates)
                found[name] = best
                if not folders_agree:
                    by_stem_only[best].append(name)
    _refuse_two_folders(found, by_stem_only)
    if wanted and not found:
        raise LabelError(
            f"no micrograph name in the {what} is that of a micrograph here: the {what} have, "
            f"for example, {wanted[0]!r}, the micrographs {ids[0]!r}"
            if ids
            else f"the job has no micrographs to match the {what} to"
        )
    log.info(
        "%d of %d micrograph names in the %s belong to %d of the %d micrographs",
        len(found),
        len(wanted),
        what,
        len(set(found.values())),
        len(ids),
    )
    if by_stem_only:
        micrograph_id, guessed = next(iter(by_stem_only.items()))
        log.info(
            "%d of these by the file name alone, such as %r for %r",
            sum(map(len, by_stem_only.values())),
            guessed[0],
            micrograph_id,
        )
    return found


def _plain(name: str) -> Parts:
    """Return the folders of a path and its file name without extensions."""
    plain = in_project(name).replace("\\", "/")
    parts = [p for p in plain.split("/") if p not in ("", ".")] or [name]
    while _EXTENSION.search(parts[-1]) and not parts[-1].startswith("."):
        parts[-1] = _EXTENSION.sub("", parts[-1])
    return tuple(parts)


def _without_host_parts(name: str) -> Parts:
    stem = _plain(name)[-1]
    for pattern in (_PICK_SUFFIX, _HOST_SUFFIX, _UID_PREFIX):
        stem = pattern.sub("", stem)
    # relion_tail drops what follows the last dot: give it one to drop.
    folders = relion_tail("/".join((*_plain(name)[:-1], "x.x"))).split("/")[:-1]
    return (*folders, stem)


def _nearest(name: str, parts: Parts, candidates: Sequence[tuple[str, Parts]]) -> tuple[str, bool]:
    """Return the candidate that shares most of the end of the path, and whether folders agree."""
    shared = [_common_end(parts, other) for _, other in candidates]
    lengths = [len(other) for _, other in candidates]
    best = [n for n, count in enumerate(shared) if count == max(shared)]
    # One path may be the end of the other, or best of all they are the same.
    for fits in (
        [n for n in best if shared[n] == min(len(parts), lengths[n])],
        [n for n in best if shared[n] == len(parts) == lengths[n]],
    ):
        best = fits or best
    if len(best) > 1:
        raise LabelError(
            f"picks on {name!r} fit both {candidates[best[0]][0]!r} and "
            f"{candidates[best[1]][0]!r}; name the micrograph with its folder"
        )
    chosen, other = candidates[best[0]]
    return chosen, shared[best[0]] > 1 or min(len(parts), len(other)) == 1


def _common_end(one: Parts, other: Parts) -> int:
    count = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if a != b:
            break
        count += 1
    return count


def _refuse_two_folders(found: dict[str, str], by_stem_only: dict[str, list[str]]) -> None:
    if not by_stem_only:
        return
    names_of: dict[str, list[str]] = defaultdict(list)
    for name, micrograph_id in found.items():
        names_of[micrograph_id].append(name)
    for micrograph_id, guessed in by_stem_only.items():
        folders = {_without_host_parts(n)[-2:-1] for n in names_of[micrograph_id]} - {()}
        if len(folders) > 1:
            other = next(n for n in names_of[micrograph_id] if n != guessed[0])
            raise LabelError(
                f"picks on {guessed[0]!r} and on {other!r} both fit only {micrograph_id!r}, by "
                "file name; give one of them, or name the micrographs with their folders"
            )
