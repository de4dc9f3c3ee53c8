"""Hashing and verifying: what is understood, what it costs, how much at once."""

from __future__ import annotations

import hashlib
import threading
import time

import argon2
import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.security import generate_password_hash

from totp_gate.core.passwords import (
    Passwords,
    Profile,
    Verdict,
    scheme,
    understands,
)
from totp_gate.errors import Overloaded
from totp_gate.waiting import call_here

CHEAP = Profile.cheap_for_tests()
PASSWORD = "quiet-otter-42-lamp"
RIGHT = Verdict(right=True, stale=False)
STALE = Verdict(right=True, stale=True)
WRONG = Verdict(right=False, stale=False)

NFC = "caf\u00e9 au lait"
NFD = "cafe\u0301 au lait"


@pytest.fixture(scope="module")
def passwords() -> Passwords:
    return Passwords(CHEAP)


def bcrypt_hash(password: bytes, prefix: bytes = b"2b") -> str:
    return bcrypt.hashpw(password, bcrypt.gensalt(4)).replace(b"2b", prefix, 1).decode()


FOREIGN = [
    pytest.param(bcrypt_hash(PASSWORD.encode()), "bcrypt", id="bcrypt"),
    pytest.param(bcrypt_hash(PASSWORD.encode(), b"2y"), "bcrypt", id="htpasswd's"),
    pytest.param(bcrypt_hash(PASSWORD.encode(), b"2a"), "bcrypt", id="old bcrypt"),
    pytest.param(
        generate_password_hash(PASSWORD, "scrypt:1024:8:1"), "scrypt", id="scrypt"
    ),
    *[
        pytest.param(
            generate_password_hash(PASSWORD, f"pbkdf2:{digest}:1000"),
            "pbkdf2",
            id=f"pbkdf2 with {digest}",
        )
        for digest in ("sha1", "sha256", "sha512")
    ],
]


def test_a_password_is_verified_against_its_own_hash_and_no_other(passwords):
    stored = passwords.hash(PASSWORD)

    assert passwords.verify(stored, PASSWORD) == RIGHT
    assert passwords.verify(passwords.hash("another one"), PASSWORD) == WRONG


def test_two_people_with_one_password_have_two_hashes(passwords):
    assert passwords.hash(PASSWORD) != passwords.hash(PASSWORD)


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param(PASSWORD[:-1], id="cut"),
        pytest.param(PASSWORD + " ", id="a space behind"),
        pytest.param(" " + PASSWORD, id="a space before"),
        pytest.param(PASSWORD.upper(), id="other case"),
        pytest.param(PASSWORD + "\x00", id="a zero octet behind"),
        pytest.param("", id="nothing"),
        pytest.param("\ud800", id="half a character"),
        pytest.param("x" * 10_000_000, id="endless"),
    ],
)
@pytest.mark.parametrize(
    "stored",
    [
        argon2.PasswordHasher(1, 8, 1).hash(PASSWORD),
        *(each.values[0] for each in FOREIGN),
    ],
    ids=["argon2id", *(each.id for each in FOREIGN)],
)
def test_the_whole_password_counts(passwords, stored, typed):
    assert passwords.verify(stored, typed) == WRONG


def test_the_longest_password_counts_to_its_last_character(passwords):
    longest = "🦦" * 1023 + "a"
    stored = passwords.hash(longest)

    assert passwords.verify(stored, longest) == RIGHT
    assert passwords.verify(stored, longest[:-1] + "b") == WRONG


@pytest.mark.parametrize(
    ("password", "fits"),
    [
        pytest.param("x" * 4096, True, id="4096 octets"),
        pytest.param("x" * 4097, False, id="4097 octets"),
        pytest.param("é" * 2049, False, id="4098 octets in fewer characters"),
        pytest.param("", False, id="nothing"),
        pytest.param("a\ud800", False, id="no text"),
        pytest.param("quiet\x00otter", False, id="a zero octet"),
    ],
)
def test_what_cannot_be_a_password_is_not_hashed(passwords, password, fits):
    if fits:
        assert passwords.verify(passwords.hash(password), password) == RIGHT
    else:
        with pytest.raises(ValueError, match="1 to 4096 octets"):
            passwords.hash(password)
        assert passwords.verify(passwords.hash("another"), password) == WRONG


def test_accents_count_alike_however_the_keyboard_sends_them(passwords):
    for chosen in (NFC, NFD):
        stored = passwords.hash(chosen)
        assert passwords.verify(stored, NFC) == RIGHT
        assert passwords.verify(stored, NFD) == RIGHT


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda text: bcrypt_hash(text.encode()), id="bcrypt"),
        pytest.param(
            lambda t: generate_password_hash(t, "scrypt:1024:8:1"), id="scrypt"
        ),
        pytest.param(argon2.PasswordHasher(1, 8, 1).hash, id="another's argon2id"),
    ],
)
def test_a_hash_of_what_was_typed_without_normalisation_is_understood(passwords, make):
    assert passwords.verify(make(NFD), NFD) == STALE
    assert passwords.verify(make(NFD), NFC) == WRONG


def test_a_password_that_only_fits_when_normalised_is_right_either_way(passwords):
    stored = passwords.hash("\u00e9" * 2048)

    assert passwords.verify(stored, "e\u0301" * 2048) == RIGHT


def test_a_password_that_grows_when_normalised_is_not_hashed_in_its_raw_form(passwords):
    growing = "\U0001d15e" * 1000  # 4000 octets, 8000 in NFC

    with pytest.raises(ValueError, match="4096 octets"):
        passwords.hash(growing)


@pytest.mark.parametrize(("stored", "kind"), FOREIGN)
def test_foreign_hashes_are_verified_and_replaced(passwords, stored, kind):
    assert scheme(stored) == kind
    assert passwords.verify(stored, PASSWORD) == STALE
    assert passwords.verify(stored, "another") == WRONG


def test_a_hash_with_other_parameters_is_stale_and_only_when_the_password_is_right():
    old, new = Passwords(CHEAP), Passwords(Profile(memory_kib=19456, time=2))
    stored = old.hash(PASSWORD)

    assert old.verify(stored, PASSWORD) == RIGHT
    assert new.verify(stored, PASSWORD) == STALE
    assert new.verify(stored, "another") == WRONG


def test_bcrypt_never_sees_more_than_its_72_octets(passwords):
    stored = bcrypt_hash(b"x" * 72)

    assert passwords.verify(stored, "x" * 72) == STALE
    assert passwords.verify(stored, "x" * 73) == WRONG


GOOD_ARGON2 = "$argon2id$v=19$m=65536,t=3,p=1$c2FsdHNhbHRzYWx0c2FsdA$" + "A" * 43
GOOD_BCRYPT = "$2b$12$" + "a" * 53
GOOD_SCRYPT = "scrypt:32768:8:1$salt$" + "0" * 128
GOOD_PBKDF2 = "pbkdf2:sha256:1000000$salt$" + "0" * 64


@pytest.mark.parametrize("good", [GOOD_ARGON2, GOOD_BCRYPT, GOOD_SCRYPT, GOOD_PBKDF2])
def test_usual_hashes_are_understood(good):
    assert understands(good)


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param("", id="nothing"),
        pytest.param("quiet-otter", id="a password in the clear"),
        pytest.param("!" + GOOD_BCRYPT, id="locked as in /etc/shadow"),
        pytest.param("$1$abcdefgh$abcdefghijklmnopqrstuv", id="md5-crypt"),
        pytest.param("{SHA}fEqNCco3Yq9h5ZUglD3CZJT4lBs=", id="htpasswd's SHA-1"),
        pytest.param(GOOD_ARGON2.replace("argon2id", "argon2i"), id="argon2i"),
        pytest.param(GOOD_ARGON2.replace("m=65536", "m=1048577"), id="over 1 GiB"),
        pytest.param(GOOD_ARGON2.replace("m=65536", "m=99999999"), id="95 GiB"),
        pytest.param(GOOD_ARGON2.replace("t=3", "t=999"), id="a thousand passes"),
        pytest.param(GOOD_ARGON2.replace("p=1", "p=255"), id="too many lanes"),
        pytest.param(GOOD_ARGON2.replace("m=65536", "m=-1"), id="negative memory"),
        pytest.param(GOOD_ARGON2.replace("3", "\u0663"), id="digits of another script"),
        pytest.param(GOOD_ARGON2[:-30], id="cut"),
        pytest.param(GOOD_ARGON2 + "\n", id="a line end"),
        pytest.param(GOOD_ARGON2 + "é", id="not ASCII"),
        pytest.param(GOOD_BCRYPT.replace("12", "31"), id="bcrypt for years"),
        pytest.param(GOOD_BCRYPT.replace("12", "16"), id="bcrypt for seconds"),
        pytest.param(GOOD_BCRYPT.replace("12", "03"), id="bcrypt below its own floor"),
        pytest.param(GOOD_BCRYPT.replace("2b", "2x"), id="the broken bcrypt"),
        pytest.param(GOOD_BCRYPT[:-1], id="bcrypt, cut"),
        pytest.param(GOOD_SCRYPT.replace("32768", "32767"), id="n is no power of two"),
        pytest.param(GOOD_SCRYPT.replace("32768", "67108864"), id="scrypt in 64 GiB"),
        pytest.param(GOOD_SCRYPT.replace("32768", "524288"), id="scrypt in 512 MiB"),
        pytest.param(GOOD_SCRYPT.replace("8:1", "8:999"), id="scrypt for minutes"),
        pytest.param(GOOD_SCRYPT.replace("8:1", "0:1"), id="scrypt of nothing"),
        pytest.param(GOOD_SCRYPT.replace(":32768:8:1", ""), id="without parameters"),
        pytest.param(GOOD_SCRYPT[:-1], id="scrypt, cut"),
        pytest.param(GOOD_PBKDF2.replace("1000000", "99999999"), id="a minute"),
        pytest.param(GOOD_PBKDF2.replace("1000000", "0"), id="no round"),
        pytest.param(GOOD_PBKDF2.replace("sha256", "md5"), id="md5"),
        pytest.param(GOOD_PBKDF2.replace("sha256", "sha512"), id="of another digest"),
        pytest.param("plain$salt$" + "0" * 64, id="Werkzeug's plain"),
        pytest.param("$" * 100_000, id="endless"),
    ],
)
def test_what_is_no_hash_or_absurdly_costly_is_not_understood(passwords, stored):
    assert not understands(stored)
    assert passwords.verify(stored, PASSWORD) == WRONG
    assert passwords.verify(stored, stored) == WRONG


@given(stored=st.text(max_size=100), typed=st.text(max_size=20))
@settings(max_examples=50)
def test_no_stored_text_makes_an_error(stored, typed):
    assert Passwords(CHEAP).verify(stored, typed) == WRONG


# What is spent on a failure must not tell what is stored.


@pytest.fixture
def spent(passwords, monkeypatch) -> list[str]:
    """Hashes that Argon2 was made to verify against, in order."""
    seen: list[str] = []
    verify = argon2.PasswordHasher.verify

    def counted(self, stored, password):
        seen.append(stored)
        return verify(self, stored, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", counted)
    return seen


@pytest.mark.parametrize(
    ("stored", "typed"),
    [
        pytest.param(None, PASSWORD, id="an unknown user"),
        pytest.param("rubbish", PASSWORD, id="a hash nobody understands"),
        pytest.param(
            "$argon2id$v=19$m=7,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$" + "A" * 43,
            PASSWORD,
            id="a hash with impossible parameters",
        ),
        pytest.param(bcrypt_hash(b"x" * 72), "x" * 73, id="too long for bcrypt"),
    ],
)
def test_a_failure_without_a_usable_hash_costs_a_verification(
    passwords, spent, stored, typed
):
    assert passwords.verify(stored, typed) == WRONG

    assert argon2.extract_parameters(spent[-1]).memory_cost == CHEAP.memory_kib


@pytest.mark.parametrize("typed", [NFC, NFD])
def test_a_known_and_an_unknown_user_cost_the_same(passwords, spent, typed):
    stored = passwords.hash("another")

    passwords.verify(stored, typed)
    known = len(spent)
    spent.clear()
    passwords.verify(None, typed)

    assert len(spent) == known


def test_a_wrong_password_is_not_verified_twice(passwords, spent):
    passwords.verify(passwords.hash("another"), PASSWORD)

    assert len(spent) == 1


def test_the_dummy_is_as_costly_as_a_new_hash(spent):
    profile = Profile(memory_kib=19456, time=2)

    Passwords(profile).verify(None, PASSWORD)

    parameters = argon2.extract_parameters(spent[0])
    assert (parameters.memory_cost, parameters.time_cost) == (19456, 2)


# How much at once.


class Desk:
    """Does the work when it is allowed to; counts who is there."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.lock = threading.Lock()
        self.inside = 0
        self.most = 0

    def __call__(self, work):
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.open.wait(10)
        try:
            return work()
        finally:
            with self.lock:
                self.inside -= 1


def eventually(condition) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it never came to that")


def crowd(passwords: Passwords, size: int) -> tuple[list[threading.Thread], list]:
    answers: list[Verdict | Overloaded] = []

    def one() -> None:
        try:
            answers.append(passwords.verify(None, PASSWORD))
        except Overloaded as error:
            answers.append(error)

    threads = [threading.Thread(target=one) for _ in range(size)]
    for thread in threads:
        thread.start()
    return threads, answers


def test_no_more_than_agreed_run_or_wait_and_the_rest_is_told_when_to_return():
    desk = Desk()
    passwords = Passwords(CHEAP, concurrency=2, queue=3, run=desk)
    desk.open.clear()

    threads, answers = crowd(passwords, 12)
    eventually(lambda: len(answers) == 7)
    assert all(isinstance(answer, Overloaded) for answer in answers)
    assert all(answer.retry_after > 0 for answer in answers)
    desk.open.set()
    for thread in threads:
        thread.join()

    assert answers[7:] == [WRONG] * 5
    assert desk.most == 2


def test_nobody_waits_longer_than_agreed():
    desk = Desk()
    passwords = Passwords(CHEAP, concurrency=1, queue=5, wait=0.05, run=desk)
    desk.open.clear()

    threads, answers = crowd(passwords, 2)
    eventually(lambda: len(answers) == 1)
    assert isinstance(answers[0], Overloaded)
    desk.open.set()
    for thread in threads:
        thread.join()

    assert answers[1] == WRONG


def test_hashing_counts_as_well():
    desk = Desk()
    passwords = Passwords(CHEAP, concurrency=1, queue=0, run=desk)
    desk.open.clear()

    threads, _ = crowd(passwords, 1)
    eventually(lambda: desk.inside == 1)
    with pytest.raises(Overloaded):
        passwords.hash(PASSWORD)
    desk.open.set()
    threads[0].join()


def test_a_place_becomes_free_whatever_happens():
    def broken(_work):
        raise RuntimeError("the pool is gone")

    passwords = Passwords(CHEAP, concurrency=1, queue=0)
    passwords._run = broken
    for _ in range(3):
        with pytest.raises(RuntimeError):
            passwords.verify(None, PASSWORD)
    passwords._run = call_here

    assert passwords.verify(passwords.hash(PASSWORD), PASSWORD) == RIGHT


def test_what_cannot_be_a_password_takes_no_place():
    desk = Desk()
    passwords = Passwords(CHEAP, run=desk)
    desk.most = 0

    passwords.verify(None, "x" * 5000)

    assert desk.most == 0


def test_no_memory_is_no_wrong_password(passwords, monkeypatch):
    def exhausted(*_args):
        raise argon2.exceptions.VerificationError("Memory allocation error")

    stored = passwords.hash(PASSWORD)
    monkeypatch.setattr(argon2.PasswordHasher, "verify", exhausted)

    with pytest.raises(Overloaded):
        passwords.verify(stored, PASSWORD)
    with pytest.raises(Overloaded):
        passwords.verify(None, PASSWORD)


@pytest.mark.parametrize("wrong", [{"concurrency": 0}, {"queue": -1}, {"wait": -1.0}])
def test_a_bound_that_lets_nobody_in_is_refused(wrong):
    with pytest.raises(ValueError, match="at a time"):
        Passwords(CHEAP, **wrong)


# Parameters.


def test_the_default_is_what_is_written_into_new_hashes():
    stored = Passwords(Profile()).hash(PASSWORD)

    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=1$")


@pytest.mark.parametrize(
    "weak",
    [
        pytest.param({"memory_kib": 19455}, id="memory"),
        pytest.param({"time": 1}, id="passes"),
        pytest.param({"parallelism": 0}, id="lanes"),
        pytest.param({"memory_kib": 2**20 + 1}, id="more than would be verified"),
        pytest.param(
            {"memory_kib": 2**20, "time": 5}, id="longer than would be verified"
        ),
    ],
)
def test_no_profile_is_below_the_floor_or_above_what_is_verified(weak):
    with pytest.raises(ValueError, match="must be"):
        Profile(**weak)


@pytest.mark.parametrize(
    "profile",
    [
        Profile(memory_kib=19456, time=2),
        Profile(memory_kib=2**20, time=4, parallelism=16),
        Profile(memory_kib=65536, time=32),
    ],
)
def test_every_profile_makes_hashes_that_are_understood(profile):
    stored = (
        f"$argon2id$v=19$m={profile.memory_kib},t={profile.time},p={profile.parallelism}"
        f"$c2FsdHNhbHRzYWx0c2FsdA${'A' * 43}"
    )

    assert scheme(stored) == "argon2id"


def test_a_published_scrypt_hash_is_verified(passwords):
    # RFC 7914 section 12: scrypt("pleaseletmein", "SodiumChloride", 16384, 8, 1).
    digest = (
        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
        "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
    )

    verdict = passwords.verify(
        f"scrypt:16384:8:1$SodiumChloride${digest}", "pleaseletmein"
    )
    assert verdict == STALE


def test_a_published_pbkdf2_hash_is_verified(passwords):
    # RFC 6070: PBKDF2-HMAC-SHA1("password", "salt", 4096), 20 octets.
    digest = "4b007901b765489abead49d926f721d065a429c1"
    assert hashlib.pbkdf2_hmac("sha1", b"password", b"salt", 4096).hex() == digest

    assert passwords.verify(f"pbkdf2:sha1:4096$salt${digest}", "password") == STALE


def test_a_published_bcrypt_hash_is_verified(passwords):
    # Openwall's crypt_blowfish test vectors.
    stored = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"

    assert passwords.verify(stored, "U*U") == STALE


def test_where_there_is_no_room_nothing_else_is_begun():
    free, full = threading.Event(), threading.Event()

    def slow(work):
        full.set()
        free.wait(5)
        return work()

    passwords = Passwords(CHEAP, concurrency=1, queue=0)
    passwords.check_room()
    passwords._run = slow
    thread = threading.Thread(target=passwords.verify, args=(None, "x"))
    thread.start()
    full.wait(5)

    with pytest.raises(Overloaded):
        passwords.check_room()
    free.set()
    thread.join()
    passwords.check_room()
