"""Attempts are counted before they are judged, and nobody is counted for another."""

import pytest

from tests.accounts.crowd import at_once
from totp_gate.accounts.guessing import (
    LONGEST_WAIT,
    SWEEP_EVERY,
    Attempt,
    Guessing,
    Visitor,
    Wait,
)
from totp_gate.core import throttle
from totp_gate.errors import Overloaded
from totp_gate.model import Browser
from totp_gate.stores.sql import open_store

NOW = 1_700_000_000.0
STRANGER = Visitor(address="192.0.2.1")
OTHER = Visitor(address="198.51.100.7")
KNOWN = Visitor(address="192.0.2.1", device="f00d")


@pytest.fixture
def store():
    store = open_store("sqlite://", now=lambda: NOW)
    yield store
    store.close()


@pytest.fixture
def guessing(store):
    return Guessing(store=store, params=throttle.Guessing(), key=b"k" * 32)


def fail(
    guessing,
    times,
    *,
    kind="password",
    name="alice",
    visitor=STRANGER,
    known=True,
    now=NOW,
):
    """Begin attempts that are wrong; return what the last was answered with."""
    for _ in range(times):
        answer = guessing.begin(kind, name, visitor, known=known, now=now)
    return answer


@pytest.mark.parametrize(
    ("kind", "free"),
    [pytest.param("password", 6, id="password"), pytest.param("code", 5, id="code")],
)
def test_a_few_failures_cost_nothing(guessing, kind, free):
    assert isinstance(fail(guessing, free, kind=kind), Attempt)

    assert isinstance(fail(guessing, 1, kind=kind), Wait)


def test_a_wait_says_how_long_and_then_it_is_over(guessing):
    wait = fail(guessing, 7)
    assert (wait.seconds, wait.hard) == (4, False)

    assert isinstance(fail(guessing, 1, now=NOW + 3.9), Wait)
    assert isinstance(fail(guessing, 1, now=NOW + 4), Attempt)


def test_what_is_not_judged_is_not_counted(guessing, store):
    fail(guessing, 50)

    assert store.count("password:alice").failures == 6


def test_passwords_and_codes_are_counted_apart(guessing):
    fail(guessing, 7)

    assert isinstance(fail(guessing, 1, kind="code"), Attempt)


def test_users_are_counted_apart(guessing):
    fail(guessing, 7)

    assert isinstance(fail(guessing, 1, name="bob"), Attempt)


def test_an_address_is_counted_over_all_users(guessing):
    for n in range(30):
        assert isinstance(fail(guessing, 1, name=f"user{n}"), Attempt)

    assert isinstance(fail(guessing, 1, name="one more"), Wait)
    assert isinstance(fail(guessing, 1, name="one more", visitor=OTHER), Attempt)


def test_a_right_attempt_takes_back_itself_and_no_other(guessing, store):
    fail(guessing, 2)

    fail(guessing, 1).was_right()

    assert store.count("password:alice").failures == 2
    assert store.count("address:192.0.2.1").failures == 2


def test_an_attempt_whose_judge_breaks_down_is_taken_back(guessing, store):
    with pytest.raises(Overloaded), fail(guessing, 1):
        raise Overloaded("too much")

    assert store.count("password:alice").failures == 0


def test_an_attempt_that_is_judged_stays_counted(guessing, store):
    with fail(guessing, 1):
        pass

    assert store.count("password:alice").failures == 1


@pytest.mark.parametrize(
    ("clear", "left"),
    [
        pytest.param(
            lambda guessing: guessing.succeeded("alice", STRANGER),
            (0, 0),
            id="a complete sign-in forgives both",
        ),
        pytest.param(
            lambda guessing: guessing.password_succeeded("alice", STRANGER),
            (0, 3),
            id="a password alone forgives passwords",
        ),
        pytest.param(
            lambda guessing: guessing.succeeded("alice", KNOWN),
            (2, 3),
            id="a complete sign-in of a known browser forgives strangers nothing",
        ),
        pytest.param(
            lambda guessing: guessing.password_succeeded("alice", KNOWN),
            (2, 3),
            id="nor does its password alone",
        ),
        pytest.param(
            lambda guessing: guessing.unlock("alice"),
            (0, 0),
            id="unlocking forgives both",
        ),
        pytest.param(
            lambda guessing: guessing.unlock("bob"),
            (2, 3),
            id="unlocking somebody else",
        ),
    ],
)
def test_what_is_forgiven(guessing, store, clear, left):
    fail(guessing, 2)
    fail(guessing, 3, kind="code")

    clear(guessing)

    kinds = ("password", "code")
    assert tuple(store.count(f"{kind}:alice").failures for kind in kinds) == left
    assert store.count("address:192.0.2.1").failures == 5


def test_unlocking_says_whether_there_was_anything(guessing):
    assert not guessing.unlock("alice")
    fail(guessing, 1)

    assert guessing.unlock("alice")


def test_codes_end_for_good_after_the_hundredth(guessing):
    now = NOW
    for _ in range(100):
        now += 3600
        assert isinstance(
            fail(guessing, 1, kind="code", now=now, visitor=OTHER), Attempt
        )

    wait = fail(guessing, 1, kind="code", now=now + 365 * 86_400)

    assert wait == Wait(LONGEST_WAIT, hard=True)
    assert guessing.waits("alice", now=now) == {"code": Wait(LONGEST_WAIT, hard=True)}


def test_a_long_rest_saves_up_no_failures_for_an_address(guessing):
    fail(guessing, 1, name="somebody")
    month = 30 * 86_400

    tried = [fail(guessing, 1, name=f"user{n}", now=NOW + month) for n in range(40)]

    assert sum(isinstance(one, Attempt) for one in tried) == 30


@pytest.mark.parametrize("forget_after", [86_400, 40 * 86_400])
def test_an_address_that_fails_now_and_then_saves_up_nothing(store, forget_after):
    params = throttle.Guessing(forget_after=forget_after)
    guessing = Guessing(store=store, params=params, key=b"k" * 32)
    for day in range(30):
        fail(guessing, 1, name=f"user{day}", now=NOW + day * 80_000)

    at_last = NOW + 30 * 80_000
    tried = [fail(guessing, 1, name=f"u{n}", now=at_last) for n in range(40)]

    assert sum(isinstance(one, Attempt) for one in tried) == 30


@pytest.mark.parametrize("known", [True, False], ids=["a user", "nobody"])
def test_where_it_never_ends_a_name_is_forgotten_after_a_day_whoever_has_it(
    store, known
):
    params = throttle.Guessing(password=throttle.Backoff(free=5, first=4))
    guessing = Guessing(store=store, params=params, key=b"k" * 32)
    fail(guessing, 6, known=known)

    almost = fail(guessing, 2, known=known, now=NOW + 86_399, visitor=OTHER)
    later = [
        fail(guessing, 1, known=known, now=NOW + 3 * 86_400, visitor=OTHER)
        for _ in range(7)
    ]

    assert isinstance(almost, Wait)
    assert [isinstance(one, Attempt) for one in later] == [True] * 6 + [False]


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        pytest.param("code", True, id="codes"),
        pytest.param("password", True, id="passwords of a user"),
        pytest.param("password", False, id="passwords of nobody"),
    ],
)
def test_what_ends_for_good_is_never_forgotten(store, kind, known):
    for year in range(3):  # a new process tidies up with its first attempt
        guessing = Guessing(store=store, params=throttle.Guessing(), key=b"k" * 32)
        fail(guessing, 1, kind=kind, known=known, now=NOW + year * 365 * 86_400)

    counted = store.counts(f"{kind}:", at_least=1)
    assert [each.failures for each in counted] == [3]


@pytest.mark.parametrize("known", [True, False], ids=["a user", "nobody"])
def test_passwords_end_for_good_after_the_hundredth_whoever_has_the_name(
    guessing, known
):
    now, attempts = NOW, []
    for _ in range(100):
        now += 900
        attempts.append(fail(guessing, 1, known=known, now=now))
    assert [each.last for each in attempts] == [False] * 99 + [True]

    wait = fail(guessing, 1, known=known, now=now + 365 * 86_400, visitor=OTHER)

    assert wait == Wait(LONGEST_WAIT, hard=True)
    assert isinstance(fail(guessing, 1, visitor=KNOWN, now=now), Attempt)
    assert guessing.stopped() == (["alice"] if known else [])


def test_the_last_attempt_that_was_right_is_not_the_last(guessing):
    now = NOW
    for _ in range(99):
        now += 3600
        fail(guessing, 1, kind="code", now=now)

    for _ in range(2):
        now += 3600
        attempt = fail(guessing, 1, kind="code", now=now)
        assert attempt.last
        attempt.was_right()

    assert guessing.stopped() == []


def test_a_clock_that_was_set_back_keeps_nobody_waiting_for_it(guessing):
    fail(guessing, 7)
    earlier = NOW - 30 * 86_400

    assert isinstance(fail(guessing, 1, now=earlier, visitor=OTHER), Attempt)
    assert fail(guessing, 1, now=earlier, visitor=OTHER) == Wait(8)


class TestKnownBrowsers:
    def test_strangers_do_not_close_its_way(self, guessing):
        fail(guessing, 7)

        assert isinstance(fail(guessing, 1, visitor=KNOWN), Attempt)
        assert isinstance(fail(guessing, 1, kind="code", visitor=KNOWN), Attempt)

    def test_its_failures_count_against_itself_alone(self, guessing, store):
        fail(guessing, 3, visitor=KNOWN)

        assert store.count("device:f00d").failures == 3
        assert store.count("password:alice").failures == 0
        assert store.count("address:192.0.2.1").failures == 0

    def test_it_waits_when_it_fails(self, guessing):
        assert isinstance(fail(guessing, 11, visitor=KNOWN), Attempt)

        assert fail(guessing, 1, visitor=KNOWN) == Wait(4)
        assert isinstance(fail(guessing, 1), Attempt)

    def test_a_complete_sign_in_forgives_it(self, guessing, store):
        fail(guessing, 5, visitor=KNOWN)

        guessing.succeeded("alice", KNOWN)

        assert store.count("device:f00d").failures == 0

    def test_after_the_hundredth_it_is_a_stranger(self, guessing, store):
        now = NOW
        for _ in range(100):
            now += 900
            assert isinstance(fail(guessing, 1, visitor=KNOWN, now=now), Attempt)
        assert store.count("password:alice").failures == 0

        attempt = fail(guessing, 1, visitor=KNOWN, now=now)

        assert isinstance(attempt, Attempt)
        assert store.count("password:alice").failures == 1
        attempt.was_right()
        assert store.count("password:alice").failures == 0
        assert store.count("device:f00d").failures == 100

    def test_and_as_one_it_forgives_strangers_and_itself(self, guessing, store):
        now = NOW
        for _ in range(100):
            now += 900
            fail(guessing, 1, visitor=KNOWN, now=now)
        fail(guessing, 3, visitor=KNOWN, now=now)

        guessing.succeeded("alice", KNOWN)

        assert store.counts("password:", at_least=1) == []
        assert store.counts("device:", at_least=1) == []


class TestUnknownNames:
    def test_they_wait_like_known_ones(self, guessing):
        assert isinstance(fail(guessing, 6, name="nobody", known=False), Attempt)

        assert fail(guessing, 1, name="nobody", known=False) == Wait(4)

    def test_no_count_shows_them(self, guessing, store):
        fail(guessing, 1, name="hunter2", known=False)

        keys = [one.key for one in store.counts("", at_least=1)]

        assert len(keys) == 2
        assert not any("hunter2" in key for key in keys)

    def test_few_are_kept_of_names_and_of_addresses(self, store):
        params = throttle.Guessing(most_strangers=10)
        guessing = Guessing(store=store, params=params, key=b"k" * 32)
        for n in range(600):
            visitor = Visitor(address=f"10.0.{n // 250}.{n % 250}")
            fail(guessing, 1, name=f"nobody{n}", known=False, visitor=visitor)

        for prefix in ("password:?", "address:"):
            assert len(store.counts(prefix, at_least=1)) <= 10 + SWEEP_EVERY

    @pytest.mark.parametrize("known", [True, False], ids=["a user", "nobody"])
    def test_tidying_up_has_its_turn_whoever_is_tried(self, store, known):
        params = throttle.Guessing(most_strangers=10)
        guessing = Guessing(store=store, params=params, key=b"k" * 32)
        for n in range(SWEEP_EVERY + 1):
            visitor = Visitor(address=f"10.0.{n // 250}.{n % 250}")
            fail(guessing, 1, name=f"user{n}", known=known, visitor=visitor)

        assert len(store.counts("address:", at_least=1)) == 10

    def test_they_are_not_listed_as_locked(self, guessing):
        fail(guessing, 7, name="nobody", known=False)
        fail(guessing, 7, name="alice", visitor=OTHER)

        assert guessing.locked(now=NOW) == ["alice"]
        assert guessing.locked(now=NOW + 4) == []


def test_who_has_to_wait_is_told_per_step(guessing):
    assert guessing.waits("alice", now=NOW) == {}
    fail(guessing, 7)

    assert guessing.waits("alice", now=NOW) == {"password": Wait(4)}


class TestWhatAnAdministratorSeesOfKnownBrowsers:
    @pytest.fixture(autouse=True)
    def known(self, store):
        for series, user in (("f00d", "alice"), ("beef", "bob")):
            store.add_browser(
                Browser(
                    id=series,
                    user=user,
                    current="x",
                    rotated=NOW,
                    created=NOW,
                    expires=NOW + 86_400,
                )
            )

    def test_who_waits_in_one_is_listed_with_the_wait(self, guessing):
        fail(guessing, 12, visitor=KNOWN)

        assert guessing.locked(now=NOW) == ["alice"]
        assert guessing.waits("alice", now=NOW) == {"browser": Wait(4)}
        assert guessing.waits("bob", now=NOW) == {}

    def test_one_at_its_end_waits_as_a_stranger_does(self, guessing):
        now = NOW
        for _ in range(100):
            now += 900
            fail(guessing, 1, visitor=KNOWN, now=now)

        assert guessing.locked(now=now) == []
        assert guessing.waits("alice", now=now) == {}

    def test_unlocking_forgives_it_too_and_nobody_elses(self, guessing, store):
        fail(guessing, 12, visitor=KNOWN)
        fail(guessing, 12, name="bob", visitor=Visitor(device="beef"))

        assert guessing.unlock("alice")

        assert guessing.locked(now=NOW) == ["bob"]
        assert store.count("device:f00d").failures == 0
        assert not guessing.unlock("alice")


def test_of_many_at_once_no_more_are_judged_than_the_budget_allows(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'gate.db'}", now=lambda: NOW)
    guessing = Guessing(store=store, params=throttle.Guessing(), key=b"k" * 32)

    answers = at_once([lambda: fail(guessing, 1, kind="code")] * 20)
    store.close()

    assert sum(isinstance(one, Attempt) for one in answers) == 5


def test_of_many_at_once_one_is_the_last(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'gate.db'}", now=lambda: NOW)
    params = throttle.Guessing(code=throttle.Backoff(free=8, hard=9))
    guessing = Guessing(store=store, params=params, key=b"k" * 32)

    answers = at_once([lambda: fail(guessing, 1, kind="code")] * 20)
    store.close()

    attempts = [one for one in answers if isinstance(one, Attempt)]
    assert sorted(one.last for one in attempts) == [False] * 8 + [True]
