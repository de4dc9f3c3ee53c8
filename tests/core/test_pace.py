"""A failure takes as long whichever hash was judged."""

from __future__ import annotations

import argon2
import bcrypt
import pytest
from werkzeug.security import generate_password_hash

from totp_gate.core.passwords import (
    LONGEST,
    Passwords,
    Profile,
    Verdict,
    cost_of,
    judge,
)
from totp_gate.core.passwords.pace import LATELY, Pace
from totp_gate.errors import Overloaded

CHEAP = Profile.cheap_for_tests()
RIGHT = "quiet-otter-42-lamp"
WRONG = "another one"
NFD = "cafe\u0301 au lait"

ARGON2 = 0.15
SECONDS = {"bcrypt:04": 0.002, "bcrypt:05": 0.4, "bcrypt:06": 9.0}


def bcrypt_hash(cost: int) -> str:
    return bcrypt.hashpw(RIGHT.encode(), bcrypt.gensalt(cost)).decode()


CHEAPER, DEARER, ENDLESS = (bcrypt_hash(cost) for cost in (4, 5, 6))
OLD = argon2.PasswordHasher(2, 8, 1).hash(RIGHT)
SCRYPT = generate_password_hash(RIGHT, "scrypt:1024:8:1")


class Time:
    """Passes when something is judged or waits, and only then."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)


@pytest.fixture
def time(monkeypatch) -> Time:
    time = Time()

    def taking(seconds, work):
        def timed(*args):
            begun = time.now
            time.now += seconds(*args)
            try:
                return work(*args)
            except ValueError:  # too long for bcrypt, which says so at once
                time.now = begun
                raise

        return timed

    def argon2_takes(_self, stored, _password):
        return ARGON2 if ",t=1," in stored else 2 * ARGON2

    def bcrypt_takes(_password, stored):
        return SECONDS[cost_of(stored.decode())]

    hasher = argon2.PasswordHasher
    monkeypatch.setattr(hasher, "verify", taking(argon2_takes, hasher.verify))
    check = taking(bcrypt_takes, bcrypt.checkpw)
    monkeypatch.setattr(judge.bcrypt, "checkpw", check)
    scrypt = taking(lambda *_: 0.06, judge.check_password_hash)
    monkeypatch.setattr(judge, "check_password_hash", scrypt)
    return time


@pytest.fixture
def passwords(time) -> Passwords:
    return Passwords(CHEAP, clock=time, sleep=time.sleep)


def took(passwords, time, stored, typed=WRONG) -> float:
    """Return how long a wrong password takes."""
    begun = time.now
    assert passwords.verify(stored, typed) == Verdict(right=False)
    return time.now - begun


@pytest.mark.parametrize(
    ("hashes", "seconds"),
    [
        pytest.param([CHEAPER, SCRYPT], ARGON2, id="all quicker than Argon2"),
        pytest.param([CHEAPER, DEARER, SCRYPT], 0.4, id="one that is slower"),
        pytest.param([OLD], 2 * ARGON2, id="old parameters"),
    ],
)
@pytest.mark.parametrize("typed", [WRONG, NFD, "x" * 73], ids=["plain", "nfd", "long"])
def test_the_first_failure_takes_as_long_as_any_other(
    passwords, time, hashes, seconds, typed
):
    passwords.measure(hashes)
    everybody = [None, passwords.hash(RIGHT), "rubbish", *hashes]

    lasted = [took(passwords, time, each, typed) for each in everybody * 2]

    spellings = 2 if typed == NFD else 1
    assert lasted == pytest.approx([spellings * seconds] * len(lasted))


def test_where_all_hashes_are_alike_nobody_waits(passwords, time):
    stored = passwords.hash(RIGHT)
    begun = time.now
    passwords.measure([stored])
    assert time.now == begun

    took(passwords, time, stored)
    took(passwords, time, None)

    assert time.slept == []


def test_a_right_password_does_not_wait(passwords, time):
    passwords.measure([CHEAPER, DEARER])
    begun = time.now

    assert passwords.verify(CHEAPER, RIGHT).right

    assert time.now - begun == pytest.approx(SECONDS["bcrypt:04"])


def test_nobody_waits_longer_than_agreed_for_what_others_cost(passwords, time):
    told = passwords.measure([ENDLESS])

    assert told["bcrypt:06"] == 9.0
    assert took(passwords, time, None) == pytest.approx(LONGEST)


def test_what_takes_too_long_is_measured_once(passwords, time):
    passwords.measure([ENDLESS])

    assert time.now < 10


def test_who_waits_has_left_the_core_to_others_and_keeps_the_place(time):
    seen = []

    def sleep(_seconds):
        try:
            seen.append(passwords.verify(None, WRONG))
        except Overloaded:
            seen.append("no place")

    passwords = Passwords(CHEAP, concurrency=1, queue=1, clock=time, sleep=sleep)
    passwords.measure([CHEAPER])
    passwords.verify(CHEAPER, WRONG)
    assert seen == [Verdict(right=False)]

    passwords = Passwords(CHEAP, concurrency=1, queue=0, clock=time, sleep=sleep)
    passwords.measure([CHEAPER])
    passwords.verify(CHEAPER, WRONG)
    assert seen[1:] == ["no place"]


@pytest.mark.parametrize(
    ("stored", "cost"),
    [
        pytest.param(CHEAPER, "bcrypt:04", id="bcrypt"),
        pytest.param(CHEAPER.replace("2b", "2y", 1), "bcrypt:04", id="htpasswd's"),
        pytest.param(SCRYPT, "scrypt:1024:8:1", id="scrypt"),
        pytest.param(
            generate_password_hash(RIGHT, "pbkdf2:sha256:9"),
            "pbkdf2:sha256:9",
            id="pbkdf2",
        ),
        pytest.param(OLD, "argon2id$v=19$m=8,t=2,p=1", id="argon2id"),
        pytest.param("rubbish", None, id="rubbish"),
    ],
)
def test_a_cost_says_what_takes_as_long(stored, cost):
    assert cost_of(stored) == cost


@pytest.mark.parametrize(
    ("stored", "stale"),
    [
        pytest.param(argon2.PasswordHasher(1, 8, 1).hash(RIGHT), False, id="current"),
        pytest.param(OLD, True, id="old parameters"),
        pytest.param(CHEAPER, True, id="foreign"),
        pytest.param("rubbish", True, id="rubbish"),
    ],
)
def test_what_would_be_hashed_otherwise_today_is_stale(passwords, stored, stale):
    assert passwords.is_stale(stored) is stale


class TestPace:
    def test_a_failure_scatters_as_what_it_waits_for_does(self):
        pace = Pace()
        for tenths in range(4):
            pace.note("argon2id", tenths / 10)
        pace.note("bcrypt", 5.0)

        drawn = {pace.due("bcrypt") for _ in range(400)}

        assert drawn == {0.0, 0.1, 0.2, 0.3}

    def test_the_dearest_of_the_others_counts(self):
        pace = Pace()
        for cost, seconds in (("a", 0.1), ("b", 0.3), ("c", 1.0)):
            pace.note(cost, seconds)

        assert [pace.due(cost) for cost in "abcd"] == [1.0, 1.0, 0.3, 1.0]

    def test_only_what_was_lately_counts(self):
        pace = Pace()
        for seconds in [1.0, *[0.1] * LATELY]:
            pace.note("a", seconds)

        assert {pace.due("b") for _ in range(400)} == {0.1}
        assert pace.usual() == {"a": 0.1}

    def test_it_remembers_no_more_than_a_few_costs(self):
        pace = Pace()
        for number in range(1000):
            pace.note(f"scrypt:{number}", 1.0)

        assert len(pace.usual()) == 16
