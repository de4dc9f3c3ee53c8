"""What a new password must be."""

from __future__ import annotations

import sys
import threading
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from totp_gate.core import password_rules
from totp_gate.core.password_rules import Requirements, judge

CONTEXT = ["alice", "alice@mail.example", "Tea & Co", "app.example.com"]
GOOD = "quiet-otter-42-lamp"


def refused(password: str, min_length: int = 8) -> str:
    return " ".join(
        judge(password, Requirements(min_length=min_length), context=CONTEXT)
    )


@pytest.mark.parametrize(
    "password",
    [
        pytest.param(GOOD, id="a few words"),
        pytest.param("correct horse battery", id="spaces"),
        pytest.param("aaaa bbbb cccc dd", id="no composition is asked for"),
        pytest.param("кошка на окне", id="another script"),
        pytest.param("🦦🪔🎈🥁🛶🧵🪐🍋", id="eight pictures"),
        pytest.param("👩‍👩‍👧 lamp otter", id="joined pictures"),
        pytest.param("'; DROP TABLE users--", id="signs of every kind"),
        pytest.param("password of the quiet otter", id="a common word in a phrase"),
        pytest.param("alice likes quiet lamps", id="a name in a phrase"),
        pytest.param((GOOD * 60)[:1000], id="a thousand characters"),
        pytest.param("a" * 32 + GOOD, id="weak where it begins and strong where not"),
    ],
)
def test_whatever_is_hard_to_guess_may_be_used(password):
    assert not refused(password)


@pytest.mark.parametrize(
    ("password", "min_length", "too_short"),
    [
        pytest.param("kq7Wz!p", 8, True, id="seven"),
        pytest.param("kq7Wz!pX", 8, False, id="eight"),
        pytest.param("kq7Wz!pXmv3#Fu", 15, True, id="fourteen of fifteen"),
        pytest.param("kq7Wz!pXmv3#FuB", 15, False, id="fifteen"),
        pytest.param("é" * 8, 8, False, id="accents count once"),
        pytest.param("e\u0301" * 7, 8, True, id="seven, decomposed to fourteen"),
        pytest.param("e\u0301" * 8, 8, False, id="eight, decomposed"),
        pytest.param("🦦" * 7, 8, True, id="seven pictures of four octets"),
    ],
)
def test_length_is_counted_in_characters(password, min_length, too_short):
    words = f"Use at least {min_length} characters."

    assert (words in refused(password, min_length)) is too_short


@pytest.mark.parametrize(
    ("password", "too_long"),
    [
        pytest.param((GOOD * 60)[:1024], False, id="the longest"),
        pytest.param((GOOD * 60)[:1025], True, id="one more"),
        pytest.param("e\u0301" * 700 + GOOD, False, id="longer before composition"),
        pytest.param("x" * 10_000_000, True, id="endless"),
    ],
)
def test_what_is_too_long_is_refused_with_words(password, too_long):
    assert (refused(password) == "Use at most 1024 characters.") is too_long


@pytest.mark.parametrize(
    "character", ["\x00", "\t", "\n", "\x1b", "\x7f", "\x85", "\ud800"]
)
def test_only_what_does_not_print_is_refused(character):
    assert "control characters" in refused(f"quiet-otter{character}42-lamp")


def test_common_passwords_are_refused_as_a_whole_and_in_any_case():
    common = [each for each in FREQUENCY_LISTS["passwords"] if len(each) >= 8]

    assert len(common) >= 3000
    for each in common:
        assert "most common passwords" in refused(each), each
        assert "most common passwords" in refused(each.upper()), each


@pytest.mark.parametrize(
    "password",
    [
        pytest.param("alicealice", id="doubled"),
        pytest.param("AliceALICEalice", id="any case"),
        pytest.param("alice1234567", id="with digits behind"),
        pytest.param("2024-alice-01", id="with digits and dashes around"),
        pytest.param("!!alice!!!", id="with punctuation"),
        pytest.param("example, alice", id="two of them"),
        pytest.param("app.example.com", id="the host"),
        pytest.param("examplecom", id="parts of the host"),
        pytest.param("alice@mail.example", id="the address"),
        pytest.param("Tea & Co 2024", id="the name of the site"),
        pytest.param("totp_gate", id="the name of the gate"),
        pytest.param("\uff41\uff4c\uff49\uff43\uff45 2024", id="full width"),
        pytest.param("alice\u2014\u00a02024", id="other dashes and spaces"),
        pytest.param("alice\u20282024", id="a line separator"),
        pytest.param("alice" * 200, id="endless"),
    ],
)
def test_names_that_everybody_knows_are_refused(password):
    assert "your name or the name of the site" in refused(password)


@pytest.mark.parametrize(
    "password",
    [
        pytest.param("alicequietlamp", id="more than names"),
        pytest.param("bob-bob-bob-quiet", id="somebody else's name"),
        pytest.param("83920174659", id="digits alone are no name"),
        pytest.param("", id="nothing is no name"),
    ],
)
def test_what_is_more_than_names_is_not_called_one(password):
    assert "your name" not in refused(password)


def test_words_of_two_letters_and_empty_ones_refuse_nothing():
    assert not judge("kqkq-7291-kq!", Requirements(), context=["kq", "", "--"])


def test_names_that_overlap_take_no_time():
    # A pattern with alternatives would try 2^500 ways here.
    words = ["aaa", "aaaa", "aaaaa", "aaaaaa"]

    assert judge("a" * 1000 + "x", Requirements(), context=words)


def test_a_name_makes_a_password_weaker_beyond_the_rule():
    password = "zorvimaleq1x"

    assert not judge(password, Requirements(), context=["alice"])
    assert judge(password, Requirements(), context=["zorvimaleq"])


@pytest.mark.parametrize(
    ("password", "why"),
    [
        pytest.param("mypassword1", "close to a common password", id="a common one"),
        pytest.param("zxcvbnm,./12", "easy to guess", id="keys"),
        pytest.param("éééééééé", "Repeated", id="a repeated character"),
        pytest.param("lampylampylampy", "Repeated", id="a repeated word"),
        pytest.param("abcdefghij", "Runs like", id="a run"),
        pytest.param("13.01.1984", "Dates", id="a date"),
        pytest.param("7abcdefghij", "Runs like", id="a run behind a digit"),
    ],
)
def test_what_is_guessed_early_is_refused_with_the_reason(password, why):
    assert why in refused(password)


def test_look_alike_signs_do_not_cost_seconds():
    # 100 of these keep zxcvbn busy for many seconds; it must see at most 32.
    seen = []
    signs = "4@8({[<369&#!][1!|/]0$5+72%" * 30
    real = password_rules._estimate

    def watched(text, context):
        seen.append(len(text))
        return real(text, context)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(password_rules, "_estimate", watched)
        assert not refused(signs)

    assert seen == [32]


def test_a_password_may_fail_for_several_reasons():
    reasons = judge("alice\x00", Requirements(), context=CONTEXT)

    assert len(reasons) == 3


@pytest.fixture
def restless():
    """Let threads take turns far more often than usual."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("restless")
def test_people_who_choose_at_the_same_time_do_not_disturb_each_other():
    # zxcvbn keeps the words of a call in a global table.
    wrong = []

    def choose(name: str) -> None:
        answers = [
            judge(f"{name}q1", Requirements(), context=[name]) for _ in range(30)
        ]
        wrong.extend(name for answer in answers if not answer)

    names = ["zorvimaleq", "brunquatil", "keltomiruv", "daxipolwen"]
    threads = [threading.Thread(target=choose, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not wrong


@given(password=st.text(max_size=80))
def test_every_text_gets_an_answer_in_words(password):
    reasons = judge(password, Requirements(), context=CONTEXT)

    assert all(reason.endswith(".") for reason in reasons)
    if len(unicodedata.normalize("NFC", password)) < 8:
        assert reasons


@pytest.mark.parametrize("min_length", [0, 7, 65])
def test_no_length_is_asked_for_that_helps_nobody(min_length):
    with pytest.raises(ValueError, match="between 8 and 64"):
        Requirements(min_length=min_length)
