"""The key file and what is derived from it."""

import pytest

from totp_gate.core.keys import KeyRing, new_line

SHORT = "k0000001 2026-01-01 " + "QUJD"
ZEROS = "k0000001 2026-01-01 " + "A" * 43


def test_the_first_key_is_the_newest():
    first, second = new_line("2026-02-01"), new_line("2026-01-01")

    ring = KeyRing.parse(f"# keys\n\n{first}\n{second}\n")

    assert [key.made for key in ring.keys] == ["2026-02-01", "2026-01-01"]
    assert ring.newest.id == first.split()[0]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        pytest.param("", "there is no key in it", id="empty"),
        pytest.param("# only words\n", "no key", id="comment only"),
        pytest.param("k0000001 abc\n", "line 1", id="two words"),
        pytest.param("\n" + SHORT, "line 2", id="too short"),
        pytest.param(ZEROS, "not random", id="all zeros"),
        pytest.param(ZEROS[:-1] + "!", "not base64", id="not base64"),
        pytest.param("K!# 2026-01-01 " + "A" * 43, "id date key", id="odd id"),
    ],
)
def test_a_bad_key_file_is_refused_without_showing_a_key(text, word):
    with pytest.raises(ValueError, match=word) as refused:
        KeyRing.parse(text)

    assert "A" * 20 not in str(refused.value)


def test_two_keys_with_one_id_are_refused():
    line = new_line("2026-01-01")

    with pytest.raises(ValueError, match="same id"):
        KeyRing.parse(f"{line}\n{line}\n")


def test_each_purpose_has_a_key_of_its_own():
    key = KeyRing.parse(new_line("2026-01-01")).newest

    assert key.derive("signing") != key.derive("sealing")
    assert len(key.derive("signing")) == 32


def test_a_key_does_not_show_itself():
    ring = KeyRing.parse(new_line("2026-01-01"))

    assert "secret" not in repr(ring)
