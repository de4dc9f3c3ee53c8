# ruff: noqa: RUF001  (letters that look like others are the point)
"""Names that can be told apart are accepted, others are not."""

from __future__ import annotations

import pytest

from totp_gate.core.names import refusal, skeleton
from totp_gate.model import canonical_name


@pytest.mark.parametrize(
    "name",
    ["alice", "alice.smith+x@example.com", "o'neil", "jörg", "алиса", "αλίκη", "爱丽丝",
     "アリス", "أليس", "alice2", "acme\\alice", "a b", "i̇x"],
)  # fmt: skip
def test_a_name_of_one_script_is_accepted(name):
    assert refusal(canonical_name(name)) == ""


@pytest.mark.parametrize(
    ("name", "word"),
    [
        pytest.param("", "is empty", id="nothing"),
        pytest.param("a" * 129, "too long", id="too long"),
        pytest.param("a\nb", "cannot be seen", id="a line break"),
        pytest.param("a\x00b", "cannot be seen", id="a zero"),
        pytest.param("a\u200bb", "cannot be seen", id="a zero width"),
        pytest.param("a\u202eb", "cannot be seen", id="a direction"),
        pytest.param("a\u2028b", "cannot be seen", id="a line separator"),
        pytest.param("a\ue000b", "cannot be seen", id="a private character"),
        pytest.param("a:b", "colon", id="a colon"),
        pytest.param("a  b", "two spaces", id="two spaces"),
        pytest.param("?a", "begins with ?", id="how names nobody has are counted"),
        pytest.param("аlice", "Cyrillic and Latin", id="a Cyrillic a"),
        pytest.param("aliϲe", "Greek and Latin", id="a Greek c"),
        pytest.param("сοса", "Cyrillic and Greek", id="a Greek o"),
    ],
)
def test_a_name_that_deceives_is_refused(name, word):
    assert word in refusal(name)


@pytest.mark.parametrize(("name", "other"), [("асе", "ace"), ("ɡina", "gina")])
def test_names_that_look_alike_have_one_skeleton(name, other):
    assert skeleton(name) == skeleton(other)


def test_names_that_differ_have_two_skeletons():
    assert skeleton("алиса") != skeleton("алина")
