"""STAR syntax as it is found in the wild, and the round trip of our own writer."""

from __future__ import annotations

from pathlib import Path

import pytest
import starfile
from hypothesis import given, settings
from hypothesis import strategies as st

from frostpick.errors import InputError
from frostpick_jobs.formats import StarTable, read_star_blocks, write_star_blocks
from frostpick_jobs.formats.star.write import star_value

pytestmark = pytest.mark.quick


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def blocks(tmp_path, text):
    return read_star_blocks(write(tmp_path / "t.star", text))


def test_relion_file_with_two_blocks(tmp_path):
    found = blocks(
        tmp_path,
        """
# version 30001

data_optics

loop_ |
_rlnOpticsGroupName #1 |
_rlnOpticsGroup #2 |
_rlnMicrographPixelSize #3 |
opticsGroup1            1     1.200000 |

 |
# version 30001

data_micrographs

loop_ |
_rlnMicrographName #1 |
_rlnOpticsGroup #2 |
MotionCorr/job002/Movies/FoilHole_12.5_x.mrc            1 |
MotionCorr/job002/Movies/00012.mrc            1 |
 |
""".replace("|\n", "\n"),
    )
    assert list(found) == ["optics", "micrographs"]
    assert found["optics"].columns["rlnOpticsGroupName"] == ["opticsGroup1"]
    assert len(found["micrographs"]) == 2
    assert found["micrographs"].columns["rlnMicrographName"][1] == (
        "MotionCorr/job002/Movies/00012.mrc"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data_\n\nloop_\n_a #1\n_b #2\n1 2\n", {"a": ["1"], "b": ["2"]}),  # one row
        ("data_\nloop_\n_a\n_b\n1 2\n\n\n3 4\n", {"a": ["1", "3"], "b": ["2", "4"]}),  # no numbers
        ("data_\r\n\r\nloop_\r\n_a #1\r\nx.mrc\r\n", {"a": ["x.mrc"]}),
        ("\ufeffdata_\nloop_\n_a #1\n1\n", {"a": ["1"]}),
        ("data_\n_a 1\n_b  'two words' # why\n", {"a": ["1"], "b": ["two words"]}),
        ("data_x\nloop_\n_a #1\n_b #2\n", {"a": [], "b": []}),  # header only
        ('data_\nloop_\n_a #1\n_b #2\n"mic 1.mrc" 5\n', {"a": ["mic 1.mrc"], "b": ["5"]}),
        ("data_\nloop_\n_a #1\n_b #2\nit's.mrc 5 # note\n", {"a": ["it's.mrc"], "b": ["5"]}),
        ("data_\nloop_\n_a #1\n_b #2\nm#3.mrc 5#\n", {"a": ["m#3.mrc"], "b": ["5#"]}),
        ('data_\nloop_\n_a #1\n_b #2\n\'a" b\' ""\n', {"a": ['a" b'], "b": [""]}),
        ("data_\nloop_\n_a #1\n_b #2\ndata_01.mrc 5\n", {"a": ["data_01.mrc"], "b": ["5"]}),
        ("data_\nloop_\n_a #1\n_b #2\na\u00a0b.mrc 5\n", {"a": ["a\u00a0b.mrc"], "b": ["5"]}),
        ("data_\nloop_\n_a #1\n12345678901234567890\n", {"a": ["12345678901234567890"]}),
        ("# only\ndata_ # comment\n  loop_\n  _a #1\n\t1\n", {"a": ["1"]}),
        ("data_\nloop_\n_a #1\n_b #2\n1 2", {"a": ["1"], "b": ["2"]}),  # no line break at the end
    ],
)
def test_odd_syntax(tmp_path, text, expected):
    (table,) = blocks(tmp_path, text).values()
    assert table.columns == expected


def test_files_named_like_blocks(tmp_path):
    names = ["data_2020/a.mrc", "b.mrc", "data_c.tif"]
    text = "data_m\n\nloop_\n_rlnMicrographName #1\n" + "\n".join(names) + "\ndata_next.part\n"
    found = blocks(tmp_path, text)
    assert list(found) == ["m", "next.part"]
    assert found["m"].columns["rlnMicrographName"] == names


def test_bytes_that_are_no_utf8_survive(tmp_path):
    raw = b"data_\nloop_\n_rlnMicrographName #1\nmic_\xb5m.mrc\n"
    table = read_star_blocks(write(tmp_path / "a.star", raw))[""]
    write_star_blocks(tmp_path / "b.star", [table], version=None)
    assert b"\nmic_\xb5m.mrc\n" in (tmp_path / "b.star").read_bytes()


def test_empty_files_and_repeated_blocks(tmp_path):
    assert blocks(tmp_path, "") == {}
    assert blocks(tmp_path, "\n# nothing\n") == {}
    twice = blocks(tmp_path, "data_a\n_x 1\ndata_a\n_x 2\n")
    assert [t.columns["x"] for t in twice.values()] == [["1"], ["2"]]
    assert list(twice) == ["a", "a (2)"]
    mixed = blocks(tmp_path, "data_a\n_x 1\nloop_\n_y #1\n5\n6\n")
    assert mixed["a"].columns == {"x": ["1"]} and mixed["a (2)"].columns == {"y": ["5", "6"]}


def test_only_wanted_columns(tmp_path):
    path = write(tmp_path / "t.star", "data_\nloop_\n_a #1\n_b #2\n_c #3\n1 2 3\n4 5 6\n")
    assert read_star_blocks(path, ["c", "no"])[""].columns == {"c": ["3", "6"]}
    assert read_star_blocks(path, ["a", "c"])[""].columns == {"a": ["1", "4"], "c": ["3", "6"]}
    assert read_star_blocks(path, ["no"])[""].columns == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data_\nloop_\n_a #1\n_b #2\n1 2\n3\n", "line 6: 1 values in a table of 2 columns"),
        ("data_\nloop_\n_a #1\n1 2\n", "line 4: 2 values in a table of 1"),
        ("1 2 3\n", "line 1: found '1 2 3' before any block"),
        ("data_\nhello there\n", "line 2: found 'hello there', expected '_label value'"),
        ("data_\n_a 1 2\n", "line 2: label _a with 2 values"),
    ],
)
def test_what_is_not_star(tmp_path, text, message):
    with pytest.raises(InputError, match=r"t\.star") as error:
        blocks(tmp_path, text)
    assert message in str(error.value)


def test_a_missing_file():
    with pytest.raises(InputError, match=r"nowhere\.star cannot be read"):
        read_star_blocks(Path("nowhere.star"))


def test_values_as_text():
    assert [star_value(v) for v in (1, 2.5, True, "a.mrc", "a b", "", "#1", "data_1", "it's")] == [
        "1", "2.500000", "1", "a.mrc", '"a b"', '""', '"#1"', '"data_1"', "it's",
    ]  # fmt: skip
    assert star_value('say "no" now') == "'say \"no\" now'"
    for bad in ("a\nb", "a\x1fb", "x\" y' z"):
        with pytest.raises(InputError):
            star_value(bad)


def test_unequal_columns_are_refused(tmp_path):
    with pytest.raises(ValueError):
        write_star_blocks(tmp_path / "a.star", [StarTable("", {"a": [1], "b": [1, 2]})])
    assert list(tmp_path.iterdir()) == []


def test_nodes_file_with_both_type_columns(tmp_path):
    path = tmp_path / "RELION_OUTPUT_NODES.star"
    columns = {
        "rlnPipeLineNodeName": ["External/job004/autopick.star"],
        "rlnPipeLineNodeType": [2],
        "rlnPipeLineNodeTypeLabel": ["MicrographCoordsGroup.star.relion"],
    }
    write_star_blocks(path, [StarTable("output_nodes", columns)])
    assert path.read_text() == (
        "\n# version 30001\n\ndata_output_nodes\n\nloop_\n"
        "_rlnPipeLineNodeName #1\n_rlnPipeLineNodeType #2\n_rlnPipeLineNodeTypeLabel #3\n"
        "External/job004/autopick.star 2 MicrographCoordsGroup.star.relion\n\n"
    )
    assert starfile.read(path).shape == (1, 3)  # another reader agrees
    write_star_blocks(path, [StarTable("general", {"rlnCounter": [3]}, loop=False)], 50001)
    assert path.read_text() == "\n# version 50001\n\ndata_general\n\n_rlnCounter 3\n\n"


text_value = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"]) | st.just("\t"), max_size=12
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(text_value, text_value, st.integers()), max_size=6), st.booleans())
def test_round_trip_of_any_text(tmp_path_factory, rows, loop):
    path = tmp_path_factory.mktemp("star") / "t.star"
    rows = rows[:1] if not loop else rows
    if not rows and not loop:
        return
    columns = {n: [r[k] for r in rows] for k, n in enumerate(("rlnMicrographName", "b", "c"))}
    try:
        write_star_blocks(path, [StarTable("x", columns, loop=loop)])
    except InputError:
        assert any('"' in v and "'" in v for r in rows for v in r[:2])
        return
    expected = {n: [str(v) for v in values] for n, values in columns.items()}
    assert read_star_blocks(path)["x"].columns == expected
