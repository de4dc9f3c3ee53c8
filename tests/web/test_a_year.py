"""A year in which somebody who knows the password guesses codes, beside its owner."""

from fractions import Fraction

import pytest

from tests.applications import echo
from tests.web.forms import (
    CODE,
    DEVICE,
    LOGIN,
    cookie,
    form_on,
    give,
    is_in,
    type_password,
)
from totp_gate.accounts.guessing import Visitor, Wait
from totp_gate.accounts.signin import Wrong
from totp_gate.model import Authenticator, LoginState
from totp_gate.testing import Installation

DAY = 86_400


@pytest.fixture
def house(tmp_path):
    made = Installation(echo, tmp_path)
    yield made
    made.accounts.store.close()


class Thief:
    """Knows the password, has any number of addresses, and waits as long as it takes.

    Attributes:
        judged: codes that were looked at.
        stopped: when waiting did not help any more, Unix seconds.
    """

    def __init__(self, house, person):
        self.house = house
        self.person = person
        self.next_try = house.clock()
        self.tries = 0
        self.judged = 0
        self.stopped = None

    def try_until(self, end):
        """Guess whenever it is allowed, until the clock shows *end*."""
        clock = self.house.clock
        while self.stopped is None and self.next_try < end:
            clock.now = max(clock.now, self.next_try)
            answer = self._try()
            if isinstance(answer, Wait) and answer.hard:
                self.stopped = clock()
            elif isinstance(answer, Wait):
                self.next_try = clock() + answer.seconds
            else:
                assert isinstance(answer, Wrong)
                self.judged += 1
        clock.now = end

    def _try(self):
        signin, now = self.house.accounts.signin, self.house.clock()
        self.tries += 1
        visitor = Visitor(address=f"10.{self.tries >> 8 & 255}.{self.tries & 255}.1")
        state = signin.prove_password(
            self.person.name, self.person.password, visitor, binding="x", now=now
        )
        if isinstance(state, Wait):
            return state
        assert isinstance(state, LoginState)
        user = signin.user_of(state, now=now)
        right = {self.house.code(self.person, steps=step) for step in (-1, 0, 1)}
        wrong = next(
            code
            for code in ("000000", *map(str, range(111111, 111115)))
            if code not in right
        )
        return signin.prove_code(user, wrong, visitor, now=now)


def signs_in(house, person, device):
    """Sign the owner in with the parts the pages use, in a browser that is known."""
    accounts, now = house.accounts, house.clock()
    visitor = Visitor(address="192.0.2.1", device=device)
    state = accounts.signin.prove_password(
        person.name, person.password, visitor, binding="y", now=now
    )
    assert isinstance(state, LoginState)
    user = accounts.signin.user_of(state, now=now)
    proven = accounts.signin.prove_code(user, house.code(person), visitor, now=now)
    assert isinstance(proven, Authenticator)
    accounts.signin.begin_session(state, user, visitor, host="app.example.com", now=now)
    accounts.sessions.tidy(now=now)


def restart(house, browser):
    """Close the gate and open it again; return the browser, known as before."""
    house.restart()
    again = house.client()
    give(again, DEVICE, cookie(browser, DEVICE))
    return again


def test_whoever_knows_the_password_has_a_hundred_codes_in_a_year(house):
    alice = house.add_user("alice")
    browser = house.sign_in(alice)
    begun = house.clock()
    (known,) = house.accounts.store.browsers("alice")
    thief = Thief(house, alice)
    for day in range(1, 366):
        thief.try_until(begun + day * DAY)
        if day % 150 == 0:  # what browsers are known by is good for half a year
            browser = house.sign_in(alice, browser)
            (known,) = house.accounts.store.browsers("alice")
        else:
            signs_in(house, alice, known.id)
        if day in (2, 200):
            browser = restart(house, browser)

    assert thief.judged == 100
    assert 3 * DAY < thief.stopped - begun < 5 * DAY
    params = house.accounts.factors.params
    at_a_time = Fraction(2 * params.drift + 1, 10**params.digits)
    chance = 1 - (1 - at_a_time) ** thief.judged
    assert chance <= Fraction(3, 10_000)

    stranger = house.client()
    type_password(stranger, alice)
    form = form_on(stranger.get(CODE).text, CODE)
    house.clock.tick(60)
    data = form.fields | {"code": house.code(alice)}
    shut = stranger.post(CODE, data=data)
    assert shut.status_code == 429
    assert "waiting does not help" in shut.text
    assert is_in(house.sign_in(alice, browser))


def test_whoever_knows_only_the_name_has_a_hundred_passwords_in_a_year(house):
    alice = house.add_user("alice")
    browser = house.sign_in(alice)
    begun, judged = house.clock(), 0
    guesser = house.client()
    for day in range(30):
        for _ in range(6):
            house.clock.tick(4 * 3600)
            form = form_on(guesser.get(LOGIN).text, LOGIN)
            data = form.fields | {"username": "alice", "password": "a guess"}
            judged += guesser.post(LOGIN, data=data).status_code == 401
        assert is_in(house.sign_in(alice, browser))
        if day == 10:
            browser, guesser = restart(house, browser), house.client()

    assert house.clock() - begun > 30 * DAY
    assert judged == 100
