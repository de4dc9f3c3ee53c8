"""One-time codes: published vectors, windows, secrets as people type them."""

from __future__ import annotations

import base64
import os
import time
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from totp_gate.core.otp import (
    Params,
    clean_code,
    clock_offset,
    code_at,
    grouped,
    is_code,
    match_counter,
    match_step,
    new_secret,
    parse_secret,
    provisioning_uri,
    seconds_left,
    step_at,
    to_base32,
)

KEY = b"12345678901234567890"
OTHER = b"another-key-of-20-by"
SEEDS = {
    "SHA1": KEY,
    "SHA256": b"12345678901234567890123456789012",
    "SHA512": b"1234567890123456789012345678901234567890123456789012345678901234",
}
NOW = 1_700_000_000.0
STEP = int(NOW) // 30


def code(offset: int, params: Params | None = None) -> str:
    return code_at(KEY, STEP + offset, params or Params())


@pytest.mark.parametrize(
    ("counter", "right"),
    [
        (0, "755224"),
        (1, "287082"),
        (2, "359152"),
        (3, "969429"),
        (4, "338314"),
        (5, "254676"),
        (6, "287922"),
        (7, "162583"),
        (8, "399871"),
        (9, "520489"),
    ],
)
def test_codes_by_counter_are_those_of_rfc_4226_appendix_d(counter, right):
    assert code_at(KEY, counter, Params()) == right


@pytest.mark.parametrize(
    ("now", "sha1", "sha256", "sha512"),
    [
        (59, "94287082", "46119246", "90693936"),
        (1111111109, "07081804", "68084774", "25091201"),
        (1111111111, "14050471", "67062674", "99943326"),
        (1234567890, "89005924", "91819424", "93441116"),
        (2000000000, "69279037", "90698825", "38618901"),
        (20000000000, "65353130", "77737706", "47863826"),
    ],
)
def test_codes_by_time_are_those_of_rfc_6238_appendix_b(now, sha1, sha256, sha512):
    for algorithm, right in (("SHA1", sha1), ("SHA256", sha256), ("SHA512", sha512)):
        params = Params(algorithm=algorithm, digits=8)
        key = SEEDS[algorithm]

        assert code_at(key, step_at(now, params), params) == right
        assert match_step(key, right, params, now=now) == now // 30


@pytest.mark.parametrize(
    ("now", "step", "left"),
    [
        pytest.param(0, 0, 30, id="the epoch"),
        pytest.param(29.999, 0, 1, id="the last moment of a step"),
        pytest.param(30, 1, 30, id="the first moment of the next"),
        pytest.param(2**32 * 30, 2**32, 30, id="a step beyond 32 bits"),
    ],
)
def test_time_is_cut_into_steps(now, step, left):
    assert step_at(now, Params()) == step
    assert seconds_left(now, Params()) == left


def test_a_longer_period_makes_longer_steps():
    assert step_at(119, Params(period=60)) == 1
    assert seconds_left(119, Params(period=60)) == 1


@pytest.fixture
def clock_of():
    """Set the process's time zone; the old one returns after the test."""
    before = os.environ.get("TZ")

    def switch(zone: str) -> None:
        os.environ["TZ"] = zone
        time.tzset()

    yield switch
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


# Berlin's clocks go back at 2026-10-25 01:00 UTC, New York's at 2026-11-01 06:00 UTC.
FOLDS = [1792890000, 1792891800, 1793512800, 1793514600]


@pytest.mark.parametrize(
    "zone", ["UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati"]
)
def test_no_time_zone_and_no_change_of_clocks_changes_a_code(clock_of, zone):
    params = Params(digits=8)
    clock_of(zone)

    assert match_step(KEY, "89005924", params, now=1234567890) == 41152263
    for fold in FOLDS:
        for now in (fold - 1, fold, fold + 1):
            right = code_at(KEY, now // 30, params)
            assert match_step(KEY, right, params, now=now) == now // 30
            an_hour_off = code_at(KEY, now // 30 - 120, params)
            assert match_step(KEY, an_hour_off, params, now=now) is None


@pytest.mark.parametrize(
    ("text", "digits", "is_one"),
    [
        pytest.param("012345", 6, True, id="six digits"),
        pytest.param("01234567", 8, True, id="eight digits"),
        pytest.param("01234", 6, False, id="one too few"),
        pytest.param("0123456", 6, False, id="one too many"),
        pytest.param("", 6, False, id="nothing"),
        pytest.param("012 345", 6, False, id="a space"),
        pytest.param("01234\n", 6, False, id="a line end"),
        pytest.param("-12345", 6, False, id="a sign"),
        pytest.param("1_2345", 6, False, id="an underscore"),
        pytest.param("\uff10\uff11\uff12\uff13\uff14\uff15", 6, False, id="full width"),
        pytest.param(
            "\u2070\u00b9\u00b2\u00b3\u2074\u2075", 6, False, id="superscripts"
        ),
        pytest.param(
            "\u0660\u0661\u0662\u0663\u0664\u0665", 6, False, id="arabic-indic"
        ),
        pytest.param("01234\x00", 6, False, id="a zero octet"),
        pytest.param("0x1234", 6, False, id="hexadecimal"),
    ],
)
def test_a_code_is_ascii_digits_of_the_agreed_number(text, digits, is_one):
    assert is_code(text, digits) is is_one


@pytest.mark.parametrize(
    ("typed", "cleaned"),
    [
        pytest.param(" 012 345 ", "012345", id="spaces"),
        pytest.param("012-345", "012345", id="a dash"),
        pytest.param("012\u00a0345", "012\u00a0345", id="no other space"),
        pytest.param("012\u2013345", "012\u2013345", id="no other dash"),
        pytest.param("\uff10\uff11", "\uff10\uff11", id="digits stay as they are"),
        pytest.param("012345" + " " * 26, "012345", id="up to 32 characters"),
        pytest.param("012345" + " " * 27, "", id="33 are nobody's code"),
        pytest.param(" " * 32 + "012345", "", id="not cut to the part that fits"),
    ],
)
def test_only_spaces_and_dashes_are_forgiven(typed, cleaned):
    assert clean_code(typed) == cleaned


@pytest.mark.parametrize(
    "wrong",
    ["", "12345", "1234567", "12345x", "\uff11" * 6, "\u00b9" * 6, "12345\n"],
)
def test_a_malformed_code_never_reaches_a_comparison(wrong):
    for match in (
        lambda: match_step(KEY, wrong, Params(), now=NOW),
        lambda: match_step(KEY, wrong, Params(), now=0),
        lambda: match_counter(KEY, wrong, Params(), counter=0),
        lambda: clock_offset(KEY, wrong, Params(), now=NOW),
    ):
        with pytest.raises(ValueError, match="6 digits"):
            match()


def test_the_number_of_digits_is_the_agreed_one():
    eight = code(0, Params(digits=8))

    with pytest.raises(ValueError, match="6 digits"):
        match_step(KEY, eight, Params(), now=NOW)


@pytest.mark.parametrize("drift", [0, 1, 2, 3])
def test_a_code_counts_within_the_drift_and_not_beyond(drift):
    params = Params(digits=8, drift=drift)

    accepted = [
        offset
        for offset in range(-5, 6)
        if match_step(KEY, code(offset, params), params, now=NOW) == STEP + offset
    ]

    assert accepted == list(range(-drift, drift + 1))


def test_a_code_is_refused_once_its_step_was_accepted():
    right = code(0)

    assert match_step(KEY, right, Params(), now=NOW, after=STEP - 1) == STEP
    assert match_step(KEY, right, Params(), now=NOW, after=STEP) is None


def test_an_earlier_step_is_refused_after_a_later_one():
    assert match_step(KEY, code(-1), Params(), now=NOW, after=STEP) is None
    assert match_step(KEY, code(1), Params(), now=NOW, after=STEP) == STEP + 1


def test_the_window_ends_at_the_epoch():
    assert match_step(KEY, code_at(KEY, 0, Params()), Params(), now=0) == 0


def test_the_code_of_another_secret_is_wrong():
    assert match_step(OTHER, code(0), Params(), now=NOW) is None


def test_a_code_that_is_right_twice_in_a_window_is_used_up_for_both_steps():
    assert code_at(KEY, 910737, Params()) == code_at(KEY, 910738, Params()) == "911617"

    assert match_step(KEY, "911617", Params(), now=910737 * 30) == 910738


@given(now=st.integers(0, 2**40), offset=st.integers(-9, 9), drift=st.integers(0, 3))
def test_what_is_accepted_lies_in_the_window_and_after_the_last(now, offset, drift):
    params = Params(digits=8, drift=drift)
    step = step_at(now, params)
    if step + offset < 0:
        return
    right = code_at(KEY, step + offset, params)

    found = match_step(KEY, right, params, now=now)

    assert (found is not None) is (abs(offset) <= drift)
    if found is not None:
        assert code_at(KEY, found, params) == right
        assert match_step(KEY, right, params, now=now, after=found) is None


def test_a_counter_may_have_run_ahead_as_far_as_agreed():
    params = Params(digits=8, look_ahead=3)

    found = [
        match_counter(KEY, code_at(KEY, at, params), params, counter=5)
        for at in range(3, 10)
    ]

    assert found == [None, None, 5, 6, 7, None, None]


def test_a_counter_is_spent_with_all_before_it():
    first = match_counter(KEY, "359152", Params(), counter=0)
    assert first == 2

    assert match_counter(KEY, "287082", Params(), counter=first + 1) is None
    assert match_counter(KEY, "359152", Params(), counter=first + 1) is None


def test_a_code_that_is_right_at_two_counters_does_not_leave_the_token_behind():
    assert code_at(KEY, 2386, Params()) == code_at(KEY, 2394, Params()) == "709847"

    assert match_counter(KEY, "709847", Params(), counter=2385) == 2386


@pytest.mark.parametrize(
    ("offset", "seconds"),
    [
        pytest.param(0, None, id="right codes are not looked at"),
        pytest.param(-1, None, id="nor those of the window"),
        pytest.param(-2, -60, id="one minute behind"),
        pytest.param(2, 60, id="one minute ahead"),
        pytest.param(-21, -630, id="as far as it reaches"),
        pytest.param(21, 630, id="as far as it reaches, ahead"),
        pytest.param(22, None, id="no further"),
    ],
)
def test_a_code_of_another_time_tells_how_far_the_clock_is_off(offset, seconds):
    params = Params(digits=8)

    assert clock_offset(KEY, code(offset, params), params, now=NOW) == seconds
    if seconds is not None:
        assert match_step(KEY, code(offset, params), params, now=NOW) is None


def test_the_clock_of_a_wrong_code_is_unknown_even_at_the_epoch():
    assert clock_offset(OTHER, "00000000", Params(digits=8), now=0) is None


def test_new_secrets_differ_and_have_the_recommended_size():
    secrets = {new_secret() for _ in range(1000)}

    assert len(secrets) == 1000
    assert {len(each) for each in secrets} == {20}
    assert len(to_base32(new_secret())) == 32


@pytest.mark.parametrize("size", [0, 15, 129])
def test_no_secret_is_made_that_would_be_too_short_or_too_long(size):
    with pytest.raises(ValueError, match="16 to 128 bytes"):
        new_secret(size)


BASE32 = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
HEX = KEY.hex()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(BASE32, id="base32"),
        pytest.param(BASE32.lower(), id="lower case"),
        pytest.param(grouped(BASE32), id="in fours"),
        pytest.param(f"  {BASE32[:16]}-{BASE32[16:]}\n", id="dash and line end"),
        pytest.param(f"{BASE32[:16]}\u00a0{BASE32[16:]}", id="a web page's space"),
        pytest.param(f"base32:{BASE32}", id="base32 by name"),
        pytest.param(HEX, id="hexadecimal"),
        pytest.param(HEX.upper(), id="hexadecimal in upper case"),
        pytest.param(f"hex:{HEX}", id="hexadecimal by name"),
        pytest.param(f"HEX: {grouped(HEX)}", id="hexadecimal by name, in fours"),
    ],
)
def test_a_secret_is_read_as_people_write_it(text):
    assert parse_secret(text) == KEY


@pytest.mark.parametrize("size", [16, 17, 18, 19, 20, 32, 64, 128])
def test_padding_may_be_there_or_not(size):
    key = bytes(range(size))

    assert parse_secret(base64.b32encode(key).decode()) == key
    assert parse_secret(to_base32(key)) == key
    assert "=" not in to_base32(key)


@given(key=st.binary(min_size=16, max_size=128))
def test_what_is_written_is_read_back(key):
    assert parse_secret(f"base32:{to_base32(key)}") == key
    assert parse_secret(f"hex:{key.hex()}") == key


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("", "base32", id="nothing"),
        pytest.param("=", "base32", id="padding only"),
        pytest.param("GEZDGNBVGY", "16 to 128", id="ten letters"),
        pytest.param("31" * 15, "16 to 128", id="15 bytes in hexadecimal"),
        pytest.param("hex:" + "00" * 129, "16 to 128", id="129 bytes"),
        pytest.param("A" * 100_000, "base32", id="huge"),
        pytest.param(BASE32[:-1] + "1", "base32", id="a one is no base32"),
        pytest.param(BASE32 + "A", "base32", id="a letter too many"),
        pytest.param(HEX[:-1], "base32", id="half a byte is missing"),
        pytest.param(f"hex:{BASE32}", "base32", id="not what it is called"),
        pytest.param(f"base32:{HEX}", "base32", id="not what it is called either"),
        pytest.param(f"base64:{BASE32}", "base32", id="an unknown name"),
        pytest.param(f"hex:hex:{HEX}", "base32", id="named twice"),
        pytest.param("\u017f" + BASE32[1:], "base32", id="a long s is no S"),
        pytest.param("\uff27" + BASE32[1:], "base32", id="full width"),
        pytest.param("otpauth://totp/a?secret=" + BASE32, "base32", id="an address"),
    ],
)
def test_what_is_no_secret_is_refused_without_repeating_it(text, why):
    with pytest.raises(ValueError, match=why) as refused:
        parse_secret(text)

    assert len(text) < 10 or text.strip() not in str(refused.value)


def test_a_text_that_could_be_either_is_refused_until_it_is_named():
    either = "ABCDEF234567ABCDEF234567ABCDEF234567ABCD"

    with pytest.raises(ValueError, match="put base32: or hex:"):
        parse_secret(either)
    assert parse_secret(f"hex:{either}") == bytes.fromhex(either)
    assert parse_secret(f"base32:{either}") == base64.b32decode(either)


def test_a_text_with_one_reading_of_fitting_size_is_not_ambiguous():
    short_in_hex = "ABCDEF234567ABCDEF23456A"
    assert len(short_in_hex) == 24
    text = short_in_hex + "AA"

    assert len(parse_secret(text)) == 16


def test_a_secret_for_typing_comes_in_fours():
    assert grouped("ABCDEFGHIJ") == "ABCD EFGH IJ"


@pytest.mark.parametrize("step", [-1, 2**63])
def test_no_code_is_made_for_a_step_that_is_none(step):
    with pytest.raises(ValueError, match="step"):
        code_at(KEY, step, Params())


def test_no_code_is_made_from_a_short_key():
    with pytest.raises(ValueError, match="16 bytes"):
        code_at(b"fifteen bytes..", 1, Params())


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        ({"algorithm": "MD5"}, "SHA1, SHA256 or SHA512"),
        ({"algorithm": "sha1"}, "SHA1, SHA256 or SHA512"),
        ({"digits": 5}, "digits must be between 6 and 8"),
        ({"digits": 9}, "digits must be between 6 and 8"),
        ({"period": 14}, "period must be between 15 and 120"),
        ({"period": 121}, "period must be between 15 and 120"),
        ({"drift": -1}, "drift must be between 0 and 3"),
        ({"drift": 4}, "drift must be between 0 and 3"),
        ({"look_ahead": 0}, "look_ahead must be between 1 and 50"),
    ],
)
def test_parameters_out_of_range_are_refused_with_the_range(wrong, remedy):
    with pytest.raises(ValueError, match=remedy):
        Params(**wrong)


def test_an_app_is_told_only_what_it_would_not_assume():
    uri = provisioning_uri(KEY, Params(), issuer="Example", account="alice")

    assert uri == f"otpauth://totp/Example:alice?secret={BASE32}&issuer=Example"


def test_an_app_is_told_all_that_differs():
    params = Params(algorithm="SHA512", digits=8, period=60)
    uri = provisioning_uri(KEY, params, issuer="Example", account="alice")

    assert parse_qs(urlsplit(uri).query) == {
        "secret": [BASE32],
        "issuer": ["Example"],
        "algorithm": ["SHA512"],
        "digits": ["8"],
        "period": ["60"],
    }


def test_a_token_by_counter_starts_where_it_is_told():
    uri = provisioning_uri(
        KEY, Params(), issuer="Example", account="alice", kind="hotp", counter=7
    )

    assert uri.startswith("otpauth://hotp/Example:alice?")
    assert parse_qs(urlsplit(uri).query)["counter"] == ["7"]


@pytest.mark.parametrize(
    ("issuer", "shown"),
    [
        pytest.param("Example", "Example", id="plain"),
        pytest.param("Büro & Co?", "Büro & Co?", id="signs of an address"),
        pytest.param("site:8443", "site-8443", id="a colon"),
        pytest.param("a/../b", "a-..-b", id="slashes"),
        pytest.param(" two\n lines\x00 ", "two lines", id="line ends and controls"),
        pytest.param("a\u202eb\ud800", "ab", id="direction marks, half characters"),
        pytest.param("x" * 500, "x" * 64, id="endless"),
    ],
)
def test_no_name_breaks_the_address(issuer, shown):
    uri = provisioning_uri(KEY, Params(), issuer=issuer, account=f"{issuer} me")
    parts = urlsplit(uri)
    site, colon, account = unquote(parts.path[1:]).partition(":")

    assert (site, colon) == (shown, ":")
    assert ":" not in account
    assert "/" not in parts.path[1:]
    assert parse_qs(parts.query)["issuer"] == [shown]
    assert parse_qs(parts.query)["secret"] == [BASE32]


@pytest.mark.parametrize(("issuer", "account"), [("", "alice"), ("Example", " \x00")])
def test_an_address_without_names_is_not_made(issuer, account):
    with pytest.raises(ValueError, match="printable"):
        provisioning_uri(KEY, Params(), issuer=issuer, account=account)
