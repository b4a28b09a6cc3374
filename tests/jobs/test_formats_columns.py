"""Columns that are set or appended in a particles STAR file: all else stays byte for byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from frostpick.errors import InputError
from frostpick.types import Decisions
from frostpick_jobs.formats.star.columns import score_columns, write_with_columns

pytestmark = pytest.mark.quick

BEFORE = """# a comment first
data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
"a group" 1

data_particles

loop_
_rlnImageName #1
_rlnAutopickFigureOfMerit #2
_rlnOther #3
000001@"x.mrcs"   0.5   'a b'  # said by hand

000002@y\u00e9.mrcs\t-7 c\t
# between rows
data_2020/3.mrcs 1 "q'"
"""
AFTER = """# a comment first
data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
"a group" 1

data_particles

loop_
_rlnImageName #1
_rlnAutopickFigureOfMerit #2
_rlnOther #3
_rlnParticleSelectZScore #4
000001@"x.mrcs"   1.500000   'a b'     0.250000  # said by hand

000002@y\u00e9.mrcs\t-2.000000 c     0.500000\t
# between rows
data_2020/3.mrcs -999.000000 "q'"   999.000000
"""


def decisions(count: int) -> Decisions:
    nan = np.nan
    return Decisions(
        row=np.arange(count),
        keep=np.ones(count, np.bool_),
        score=np.array([1.5, -2.0, nan])[:count],
        probability=np.full(count, 0.5),
        spread=np.array([0.25, 0.5, nan])[:count],
        reason=np.zeros(count, np.int8),
    )


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_other_byte_stays(tmp_path: Path, newline: str) -> None:
    source = tmp_path / "in.star"
    source.write_bytes(BEFORE.replace("\n", newline).encode())
    write_with_columns(source, tmp_path / "out.star", score_columns(decisions(3)))
    written = (tmp_path / "out.star").read_bytes().decode()
    assert written.replace("\r\n", "\n") == AFTER
    assert written.count("\r") in (0, written.count("\n"))


def test_a_file_that_changed_meanwhile_is_told(tmp_path: Path) -> None:
    source = tmp_path / "in.star"
    source.write_text(BEFORE)
    with pytest.raises(InputError, match=r"3 particles, expected the 2"):
        write_with_columns(source, tmp_path / "out.star", score_columns(decisions(2)))
    source.write_text(BEFORE.replace("-7 c", "-7"))
    with pytest.raises(InputError, match=r"2 values in a table of 3 columns.*was changed"):
        write_with_columns(source, tmp_path / "out.star", score_columns(decisions(3)))
    assert not (tmp_path / "out.star").exists()
