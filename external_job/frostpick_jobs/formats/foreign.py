"""Files of other kinds that are given where text is expected: each is called by its name."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

from frostpick.errors import InputError
from frostpick.images.content import is_special

_TEXT = "expected text: STAR, CSV, .box or Topaz's text"
_UTF16 = "text in UTF-16, as some Windows programs save it; save it as UTF-8"
#: How a file starts, and what it is then.
_STARTS: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(start, re.S | re.I), kind)
    for start, kind in (
        (
            rb"\x93NUMPY",
            "a data set of CryoSPARC (.cs), or another file of numpy, is not read; run the task on "
            "the CryoSPARC job, or write the data set as STAR with csparc2star.py of pyem",
        ),
        (
            rb"\x95CSDAT|created: '?\d{4}-\d\d-\d\d",
            "a data set of CryoSPARC (.cs, .csg) is not read; run the task on the CryoSPARC job, "
            "or write the data set as STAR with csparc2star.py of pyem",
        ),
        (rb"\xff\xfe|\xfe\xff", _UTF16),
        (rb"\x1f\x8b", f"compressed with gzip; {_TEXT}: unpack it with gunzip"),
        (rb"BZh[1-9]1AY&SY", f"compressed with bzip2; {_TEXT}: unpack it with bunzip2"),
        (rb"PK\x03\x04", f"a zip archive or a spreadsheet; {_TEXT}: unpack it, or save it as CSV"),
        (rb"\x89HDF", f"an HDF5 file; {_TEXT}: export it from the program that wrote it"),
        (rb"%PDF-", f"a PDF; {_TEXT}"),
        (rb'\{\s*"', f"a JSON file; {_TEXT}: export it from the program that wrote it"),
        (rb"\s*<(!doctype|html)", f"a web page, not the file it was to bring; {_TEXT}"),
        (rb"version https://git-lfs", "a pointer of Git LFS, not the file; run git lfs pull"),
    )
)


def refuse_other_formats(path: Path) -> None:
    """Raise `InputError` for a file that its first bytes show to be no table of text.

    Raises
    ------
    InputError
        Naming the kind of file and the way out; also for a pipe, a socket or a device.
    OSError
        The file cannot be opened.
    """
    with open_text(path):
        pass


def open_text(path: Path) -> BinaryIO:
    """Open what is to be a table of text, at its beginning; raises as `refuse_other_formats`."""
    if is_special(path):  # to open a pipe would wait for whoever writes into it
        raise InputError(f"{path}: a pipe, a socket or a device; expected a file")
    handle = open(path, "rb")
    start = handle.peek(32)[:32]
    for pattern, kind in _STARTS:
        if pattern.match(start):
            handle.close()
            raise InputError(f"{path}: {kind}")
    return handle


def is_cryolo_box(labels: Collection[str]) -> bool:
    """Tell the labels of crYOLO's ``.cbox`` file."""
    return "cbox_format_version" in labels or {"EstWidth", "EstHeight"} <= set(labels)


#: What to do with such a file.
CRYOLO_BOX = (
    "a .cbox file of crYOLO, which is not read (its corners and estimated sizes need crYOLO's own "
    "rules); give what crYOLO writes beside it in its folder STAR or EMAN (.box)"
)
