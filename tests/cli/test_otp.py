"""``otp``: secrets and codes, by the published vectors."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Terminal
from totp_gate.core import otp

# RFC 6238 appendix B and RFC 4226 appendix D: the ASCII secret of each.
SHA1 = "hex:" + b"12345678901234567890".hex() + "\n"
SHA256 = "hex:" + b"12345678901234567890123456789012".hex() + "\n"
SHA512 = "hex:" + (b"1234567890" * 6 + b"1234").hex() + "\n"


@pytest.mark.parametrize(
    ("words", "secret", "code"),
    [
        pytest.param(["--time", "59"], SHA1, "94287082", id="SHA1 at 59 s"),
        pytest.param(["--time", "20000000000"], SHA1, "65353130", id="SHA1 in 2603"),
        pytest.param(
            ["--time", "1111111109", "--algorithm", "sha256"],
            SHA256,
            "68084774",
            id="SHA256 in 2005",
        ),
        pytest.param(
            ["--time", "1234567890", "--algorithm", "SHA512"],
            SHA512,
            "93441116",
            id="SHA512 in 2009",
        ),
        pytest.param(["--counter", "0", "--digits", "6"], SHA1, "755224", id="HOTP 0"),
        pytest.param(["--counter", "9", "--digits", "6"], SHA1, "520489", id="HOTP 9"),
    ],
)
def test_codes_are_those_of_the_standards(
    empty: Terminal, words: list[str], secret: str, code: str
):
    assert empty.do("otp", "code", "--digits", "8", *words, input=secret) == code + "\n"


def test_a_code_comes_with_the_seconds_it_lasts(empty: Terminal):
    empty.clock.now = 59.0
    told = empty.json("otp", "code", "--digits", "8", input=SHA1)

    assert told == {"code": "94287082", "seconds_left": 1}


@pytest.mark.parametrize(
    ("now", "code", "words"),
    [
        pytest.param(59, 0, "right", id="in time"),
        pytest.param(89, 0, "30 s behind", id="a step late"),
        pytest.param(29, 0, "30 s ahead", id="a step early"),
        pytest.param(119, 1, "60 s behind; set the clock", id="two steps late"),
        pytest.param(659, 1, "600 s behind; set the clock", id="ten minutes late"),
        pytest.param(10**6, 1, "no code of this secret", id="of another time"),
    ],
)
def test_a_wrong_clock_is_told(empty: Terminal, now: int, code: int, words: str):
    words_of = ["otp", "verify", "94287082", "--digits", "8", "--time", str(now)]
    result = empty.run(*words_of, input=SHA1)

    assert result.exit_code == code
    assert words in result.output


@pytest.mark.parametrize(
    ("counter", "code"), [(0, 0), (1, 1)], ids=["there", "passed already"]
)
def test_codes_by_counter_are_verified(empty: Terminal, counter: int, code: int):
    words = ["otp", "verify", "755224", "--counter", str(counter)]

    assert empty.run(*words, input=SHA1).exit_code == code


def test_programs_learn_whether_a_code_was_right(empty: Terminal):
    words = ["otp", "verify", "755224", "--counter", "1", "--json"]
    result = empty.run(*words, input=SHA1)

    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"right": False, "counter": None}


def test_a_new_secret_is_one_that_the_gate_reads(empty: Terminal):
    plain, as_hex = empty.do("otp", "secret"), empty.do("otp", "secret", "--hex")
    both = empty.json("otp", "secret", "--bytes", "32")

    assert len(otp.parse_secret(plain)) == len(otp.parse_secret(as_hex)) == 20
    assert otp.parse_secret(both["base32"]).hex() == both["hex"]
    assert plain != empty.do("otp", "secret")


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(b"short", id="too short"),
        pytest.param(b"!" * 32, id="no secret"),
        pytest.param(b"\xff" * 32, id="no text"),
        pytest.param(b"\n", id="an empty line"),
        pytest.param(b"A" * 100_000, id="endless"),
    ],
)
def test_a_secret_that_is_none_is_not_repeated(empty: Terminal, secret: bytes):
    result = empty.run("otp", "code", input=secret)

    assert result.exit_code == 2
    assert secret.decode("latin-1").strip()[:5] not in result.output or secret == b"\n"
