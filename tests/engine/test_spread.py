"""A few of many: every place counted by hand."""

from frostpick.runtime.evenly_spread import evenly_spread


def test_middles_starts_and_ends_of_ten_items():
    assert evenly_spread("abcdefghij", 2) == ["c", "h"]  # of abcde and fghij
    assert evenly_spread("abcdefghij", 3, "starts") == ["a", "d", "g"]  # 0, 3.3, 6.7
    assert evenly_spread("abcdefghij", 4, "ends") == ["a", "d", "g", "j"]
    assert evenly_spread("abcdef", 3, "ends") == ["a", "c", "f"]  # 2.5 is rounded to even


def test_all_where_there_are_no_more():
    for at in ("middles", "starts", "ends"):
        assert evenly_spread([1, 2], 2, at) == evenly_spread([1, 2], 5, at) == [1, 2]
        assert evenly_spread([], 3, at) == []
