"""Lines of keys are found in any TOML, however it is written."""

from __future__ import annotations

import pytest

from totp_gate.config.durations import Duration, seconds
from totp_gate.config.lines import Lines

TEXT = '''\
# [not.a.table]
top = "a # b = [c" # idle = 3
long = """
[not.a.table]
key = "quoted \\""" still"
"""" # "[ closed by four
raw = \'\'\'
[[no]] '' \\
\'\'\'

[ first . "se cond" ] # with = sign
key = [ # a list
  "]", 2,

  { inner = 1 },
]
dotted . 'k=y' = { a = "}", b = [1] }

[[many]]
name = 1
[[many]]
[many.sub]
name = 2
[[many.deep]]
[[many.deep]]
name = 3
'''


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("top",), 2),
        (("long",), 3),
        (("raw",), 7),
        (("first", "se cond"), 11),
        (("first", "se cond", "key"), 12),
        (("first", "se cond", "key", 2, "inner"), 12),
        (("first", "se cond", "dotted", "k=y"), 17),
        (("first", "se cond", "dotted", "k=y", "a"), 17),
        (("many", 0), 19),
        (("many", 0, "name"), 20),
        (("many", 1), 21),
        (("many", 1, "sub", "name"), 23),
        (("many", 1, "deep", 1, "name"), 26),
    ],
)
def test_a_key_is_found_in_its_line(place, line):
    assert Lines(TEXT).find(place) == line
    assert Lines(TEXT.replace("\n", "\r\n")).find(place) == line


@pytest.mark.parametrize("place", [("not",), ("key",), ("first", "se cond", "no")])
def test_a_key_that_is_not_there_has_no_line(place):
    assert Lines(TEXT).find(place) is None


def test_what_an_entry_of_a_list_lacks_is_found_where_the_entry_begins():
    assert Lines(TEXT).find(("many", 1, "name")) == 21


def test_what_a_table_lacks_is_near_the_table():
    assert Lines(TEXT).near(("first", "se cond", "no")) == 11
    assert Lines(TEXT).near(("nowhere", "no")) == 0


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("0", 0),
        ("0s", 0),
        ("90s", 90),
        ("30m", 1800),
        ("12h", 43_200),
        ("30d", 2_592_000),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text, length):
    assert seconds(text) == length


@pytest.mark.parametrize("value", ["0", 0])
def test_a_duration_that_may_be_off_is_off_by_zero(value):
    assert Duration("1m", "1d", "to try it", off=True).read(value) == 0
    with pytest.raises(ValueError, match="out of bounds"):
        Duration("1m", "1d", "to try it").read(value)
