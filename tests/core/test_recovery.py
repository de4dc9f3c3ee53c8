"""Recovery codes: made, typed, kept."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from totp_gate.core.recovery import (
    ALPHABET,
    SECRET,
    RecoveryCode,
    digest,
    new_codes,
    parse,
)

CODE = RecoveryCode("0V", "1ABCDEFGHJKMNPQRSTVWXYZ")
TEXT = "0V1AB-CDEFG-HJKMN-PQRST-VWXYZ"


def test_a_set_is_ten_codes_that_differ():
    codes = new_codes()

    assert len(codes) == len({code.secret for code in codes}) == 10
    assert len({code.selector for code in codes}) == 10


def test_selectors_differ_in_the_largest_set_too():
    for _ in range(20):
        assert len({code.selector for code in new_codes(50)}) == 50


def test_a_secret_is_random_enough_for_a_plain_hash():
    # ASVS 5.0, 6.5.2 and NIST SP 800-63B-4, 4.2.1.1: from 112 bits on.
    assert SECRET * math.log2(len(set(ALPHABET))) >= 112

    seen = [code.secret for _ in range(200) for code in new_codes()]
    assert len(set(seen)) == 2000
    for place in range(SECRET):
        often = Counter(secret[place] for secret in seen)
        assert set(often) == set(ALPHABET)
        assert max(often.values()) < 2000 / 32 * 2


def test_a_code_is_shown_in_groups_of_five():
    assert CODE.text == TEXT
    for code in new_codes():
        assert [len(group) for group in code.text.split("-")] == [5] * 5


def test_a_code_does_not_show_its_secret_by_accident():
    assert CODE.secret not in repr(CODE)
    assert CODE.selector in repr(CODE)


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param(TEXT, id="as shown"),
        pytest.param(TEXT.lower(), id="in lower case"),
        pytest.param(TEXT.replace("-", ""), id="in one piece"),
        pytest.param(TEXT.replace("-", " "), id="with spaces"),
        pytest.param(f"  {TEXT}\r\n", id="with what was pasted around it"),
        pytest.param("-".join(TEXT.replace("-", "")), id="a dash after each"),
        pytest.param("OV" + TEXT[2:], id="O for 0"),
        pytest.param("oV" + TEXT[2:], id="o for 0"),
        pytest.param("0VI" + TEXT[3:], id="I for 1"),
        pytest.param("0Vl" + TEXT[3:], id="l for 1"),
    ],
)
def test_a_code_is_read_as_people_type_it(typed):
    assert parse(typed) == CODE


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param("", id="nothing"),
        pytest.param(TEXT[:-1], id="a character too few"),
        pytest.param(TEXT + "A", id="a character too many"),
        pytest.param(TEXT[:-1] + "U", id="a letter that no code has"),
        pytest.param(TEXT[:-1] + "_", id="a sign"),
        pytest.param(TEXT[:-1] + "\x00", id="a zero octet"),
        pytest.param("\uff10" + TEXT[1:], id="full width"),
        pytest.param("0V\u0131" + TEXT[3:], id="a dotless i"),
        pytest.param("123456", id="a code of the app"),
        pytest.param(TEXT + " " * 36, id="65 characters"),
        pytest.param("A" * 10_000_000, id="endless"),
    ],
)
def test_what_cannot_be_a_code_is_none(typed):
    assert parse(typed) is None


@given(st.text(max_size=70))
def test_what_is_read_is_a_code(typed):
    code = parse(typed)

    assert code is None or parse(code.text) == code


def test_every_new_code_is_read_back():
    for code in new_codes(50):
        assert parse(code.text) == code


def test_the_digest_is_that_of_the_code_and_its_owner():
    kept = digest(CODE, owner="alice")

    assert kept == digest(RecoveryCode(CODE.selector, CODE.secret), owner="alice")
    assert len(kept) == 64
    assert not set(kept) - set("0123456789abcdef")


@pytest.mark.parametrize(
    ("code", "owner"),
    [
        pytest.param(CODE, "bob", id="another owner"),
        pytest.param(CODE, "", id="no owner"),
        pytest.param(RecoveryCode("0W", CODE.secret), "alice", id="another selector"),
        pytest.param(
            RecoveryCode("0V", "2" + CODE.secret[1:]), "alice", id="another secret"
        ),
    ],
)
def test_another_code_or_owner_has_another_digest(code, owner):
    assert digest(code, owner=owner) != digest(CODE, owner="alice")


def test_the_digest_stays_the_same_over_versions():
    # People keep codes for years: this value may never change.
    assert (
        digest(CODE, owner="alice")
        == "57f5c8e3881ee4b2b4e93ce892750c54d5fad9122a07989774e0dd59f38b358d"
    )


@pytest.mark.parametrize("count", [0, -1, 51])
def test_a_set_has_a_sensible_size(count):
    with pytest.raises(ValueError, match="1 to 50"):
        new_codes(count)
