"""Whether starfile, which we did not write, reads a STAR file as our own reader does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import starfile

from frostpick_jobs.formats import StarTable, read_star_blocks

#: pandas' numbers may differ from Python's in the last bit.
LAST_BIT = 4e-16


def assert_readers_agree(path: Path) -> dict[str, StarTable]:
    """Compare blocks, labels, rows and every value of a file; return what our reader found."""
    ours = read_star_blocks(path)
    theirs = starfile.read(path, always_dict=True)
    assert list(theirs) == list(ours), path
    for name, table in ours.items():
        block: Any = theirs[name]
        assert isinstance(block, pd.DataFrame) == table.loop
        columns = block.to_dict("list") if table.loop else {k: [v] for k, v in block.items()}
        assert tuple(columns) == table.labels == tuple(table.columns), (path, name)
        for label, values in columns.items():
            same_values(f"{path}, data_{name}, {label}", table.columns[label], values)
    return ours


def same_values(where: str, texts: list[str], values: list[Any]) -> None:
    """Compare the text of a column with what starfile made of it: text, numbers or truths."""
    assert len(texts) == len(values), where
    if all(isinstance(value, (bool, str)) for value in values):
        assert texts == [str(value) for value in values], where
    else:
        numbers = np.array([float(text) for text in texts])
        np.testing.assert_allclose(np.array(values, np.float64), numbers, LAST_BIT, err_msg=where)
