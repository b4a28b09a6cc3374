"""A file is there whole, or as it was."""

import pytest

from frostpick.runtime.atomic import atomic_write, write_text


def test_nothing_changes_when_the_writer_fails(tmp_path) -> None:
    file = tmp_path / "a.txt"
    write_text(file, "old")
    with pytest.raises(KeyboardInterrupt), atomic_write(file, "w") as handle:
        handle.write("half")
        raise KeyboardInterrupt
    assert file.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_nothing_of_that_name_until_it_is_whole(tmp_path) -> None:
    file = tmp_path / "sub" / "a.bin"
    with atomic_write(file) as handle:
        handle.write(b"12")
        assert not file.exists()
    assert file.read_bytes() == b"12"
