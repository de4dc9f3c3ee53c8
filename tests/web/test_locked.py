"""Somebody guesses all the time: who gets in, and what the guesser learns."""

import json
import re
import sqlite3
from functools import partial

import pytest

from tests.applications import echo
from tests.moments import Moments
from tests.web.forms import (
    CODE,
    LOGIN,
    RECOVERY,
    connect,
    events_of,
    form_on,
    is_in,
    press,
    type_password,
)
from totp_gate.app.furnishing import pages_of
from totp_gate.core import otp
from totp_gate.errors import StoreUnavailable
from totp_gate.telemetry.audit import Occasion
from totp_gate.telemetry.inventory import MOST_ALIKE
from totp_gate.testing import Installation, Person
from totp_gate.web.trouble import Trouble

SECRETS = re.compile(r'(name="csrf_token" value=")[^"]+|[0-9a-f]{12}')
JSON = {"Accept": "application/json"}
ADDRESSES = 1000
WRONG = "not the password"
RIGHT = "correct horse battery"
NOBODY = "clara"  # as long as alice: the length of an answer would tell the two apart


def look(answer, name=""):
    """Return all that a stranger can see of an answer, but tokens and ids."""
    text = SECRETS.sub(r"\1", answer.text)
    if name:
        text = text.replace(f'value="{name}"', 'value="NAME"')
    headers = [(key, value) for key, value in answer.headers if key != "Set-Cookie"]
    return answer.status_code, text, headers, answer.headers.getlist("Set-Cookie")


class Guesser:
    """Somebody with one form, and as many addresses as they like."""

    def __init__(self, house):
        self.browser = house.client()
        self.number = 0
        self.open_form()

    def open_form(self):
        self.form = form_on(self.browser.get(LOGIN).text, LOGIN).fields

    def guess(self, name, password=WRONG, **sent):
        """Try a password from an address of its own; return what can be seen."""
        high, low = divmod(self.number, 250)
        self.number += 1
        answer = self.browser.post(
            LOGIN,
            data=self.form | {"username": name, "password": password},
            environ_base={"REMOTE_ADDR": f"10.1.{high}.{low}"},
            **sent,
        )
        return look(answer, name)


@pytest.fixture(scope="module")
def moments(tmp_path_factory):
    """A gate whose audit can be read; at the end strangers have no more guesses."""
    return Moments(
        partial(Installation, echo, settings='[audit]\nfile = "audit.log"\n'),
        tmp_path_factory.mktemp,
        alice=lambda house: house.add_user("alice"),
        browser=lambda house, alice: house.sign_in(alice),
        stopped=lambda house, **_: stop(house, "alice", NOBODY),
    )


@pytest.fixture
def stopped(beginning):
    """What was seen while they guessed, by name. Took days: no session is left."""
    return beginning["stopped"]


@pytest.fixture
def lines(installation):
    """Read the audit."""
    audit = installation.folder / "audit.log"
    return lambda: [json.loads(line) for line in audit.read_text().splitlines()]


def test_from_a_thousand_addresses_nobody_learns_who_exists_nor_keeps_her_out(
    installation, alice, browser
):
    guesser = Guesser(installation)
    seen = {"alice": [], NOBODY: []}
    for number in range(ADDRESSES // 2):
        for name, looks in seen.items():
            looks.append(guesser.guess(name))
        installation.clock.tick(1.5)
        if number % 200 == 100:  # while both have to wait
            assert looks[-1][0] == 429
            press(browser, "/_gate/logout", "/_gate/logout")
            assert is_in(installation.sign_in(alice, browser))

    assert guesser.number == ADDRESSES
    statuses = [each[0] for each in seen["alice"]]
    assert statuses[:6] == [401] * 6
    assert 12 <= statuses.count(401) <= 15
    assert seen["alice"] == seen[NOBODY]

    turned_away = type_password(installation.client(), alice)
    assert turned_away.status_code == 429
    assert int(turned_away.headers["Retry-After"]) > 60
    press(browser, "/_gate/logout", "/_gate/logout")
    assert not is_in(browser)
    assert is_in(installation.sign_in(alice, browser))


STOP = 100


def stop(house, *names):
    """Guess at *names* in turn until there is no end to the waits; what was seen."""
    seen = {name: [] for name in names}
    guesser = Guesser(house)
    for _ in range(STOP):
        house.clock.tick(900)
        guesser.open_form()
        for name, looks in seen.items():
            looks.append(guesser.guess(name))
    assert all(look[0] == 401 for looks in seen.values() for look in looks)
    return seen


class TestTheEnd:
    """Strangers have guessed a hundred times in a row."""

    @pytest.mark.parametrize("accept", [{}, {"headers": JSON}], ids=["page", "JSON"])
    def test_it_comes_alike_whoever_has_the_name_and_whatever_is_typed(
        self, installation, stopped, accept
    ):
        assert stopped["alice"] == stopped[NOBODY]

        installation.clock.tick(40 * 86_400)
        installation.restart()
        guesser = Guesser(installation)
        ends = [
            guesser.guess(name, password, **accept)
            for name in ("alice", NOBODY)
            for password in (RIGHT, WRONG, "")
        ]

        assert ends == [ends[0]] * 6
        status, text, headers, _ = ends[0]
        assert status == 429
        assert "waiting does not help" in text
        assert "ask the administrator" in text
        assert "Try again in" not in text
        assert "Retry-After" not in dict(headers)

    def test_a_known_browser_stays_in_and_forgives_strangers_nothing(
        self, installation, alice, browser, stopped
    ):
        assert is_in(installation.sign_in(alice, browser))

        assert Guesser(installation).guess("alice", RIGHT)[0] == 429

    def test_a_password_that_its_owner_changes_in_one_opens_the_account(
        self, installation, alice, browser, stopped
    ):
        installation.sign_in(alice, browser)
        new = "something else entirely"
        installation.clock.tick(30)
        page = "/_gate/account/password"
        changed = press(
            browser,
            page,
            page,
            current_password=alice.password,
            password=new,
            password_again=new,
            code=installation.code(alice),
        )
        assert changed.status_code == 303

        again = Person("alice", new, alice.seed)
        assert is_in(installation.sign_in(again))

    def test_and_the_browser_stays_known_whatever_strangers_do_then(
        self, installation, alice, browser, stopped
    ):
        self.test_a_password_that_its_owner_changes_in_one_opens_the_account(
            installation, alice, browser, stopped
        )
        stop(installation, "alice")

        again = Person("alice", "something else entirely", alice.seed)
        assert is_in(installation.sign_in(again, browser))

    def test_unlocking_opens_it(self, installation, alice, stopped):
        assert installation.accounts.guessing.unlock("alice")

        assert is_in(installation.sign_in(alice))

    def test_it_is_told_once_at_the_moment_it_is_reached(
        self, installation, lines, stopped
    ):
        for name in ("alice", NOBODY):
            Guesser(installation).guess(name)

        said = [
            (line["outcome"], line.get("user"), line["detail"])
            for line in lines()
            if line["event"] == "account-locked"
        ]
        assert said == [
            ("failure", "alice", "password"),
            ("failure", None, "password"),
        ]
        assert events_of(installation).count(("account-locked", "failure")) == 1


class TestTheEndOfCodes:
    """Whoever knows the password has typed a hundred wrong codes in a row."""

    @pytest.fixture(scope="class")
    @classmethod
    def moments(cls, tmp_path_factory):
        return Moments(
            partial(Installation, echo),
            tmp_path_factory.mktemp,
            alice=lambda house: house.add_user("alice"),
            browser=lambda house, alice: house.sign_in(alice),
            guessed=lambda house, alice, browser: cls.guess(house, alice),
        )

    @pytest.fixture(autouse=True)
    def guessed(self, beginning):
        return beginning["guessed"]

    @staticmethod
    def guess(house, person):
        for number in range(STOP):
            house.clock.tick(3600)
            thief, place = half_way(house, person, number)
            form = form_on(thief.get(CODE).text, CODE)
            typed = form.fields | {"code": "000000"}
            wrong = thief.post(CODE, data=typed, environ_base=place)
            assert wrong.status_code == 401

    def test_it_is_told_and_the_owner_reads_it(self, installation, alice, browser):
        assert events_of(installation).count(("account-locked", "failure")) == 1

        thief, place = half_way(installation, alice, STOP)
        form = form_on(thief.get(CODE).text, CODE)
        code = {"code": installation.code(alice)}
        shut = thief.post(CODE, data=form.fields | code, environ_base=place)
        assert shut.status_code == 429
        assert "waiting does not help" in shut.text

        type_password(browser, alice)
        assert "closed to new browsers" in browser.get(CODE).text

    def test_whoever_lost_everything_begins_anew(self, installation, alice):
        accounts = installation.accounts
        assert accounts.guessing.stopped() == ["alice"]

        accounts.store.remove_authenticators("alice")
        secret, _ = accounts.enrollment.make_link(
            "alice", "authenticator", now=installation.clock()
        )
        new = installation.client()
        page = f"/_gate/enroll/{secret}"
        shown = new.post(page, data=form_on(new.get(page).text, page).fields)
        _, again = connect(installation, new, shown, alice)

        assert is_in(installation.sign_in(again))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        pytest.param(99, "99 seconds", id="seconds"),
        pytest.param(7200, "about 120 minutes", id="two hours"),
        pytest.param(7201, "about 3 hours", id="more than two hours"),
        pytest.param(86_400, "about 24 hours", id="a day"),
    ],
)
def test_a_wait_is_told_in_numbers_people_use(installation, seconds, said):
    trouble = Trouble(pages_of(installation.accounts.config))
    environ = {"HTTP_ACCEPT": "text/html", "REQUEST_METHOD": "GET"}

    answer = trouble.answer(environ, 429, retry_after=seconds)

    assert f"Try again in {said}." in answer.get_data(as_text=True)


class TestNewBrowserOfHers:
    """What Alice can do in a browser she never signed in with, while others guess."""

    @pytest.fixture(autouse=True)
    def locked(self, installation, alice):
        guesser = Guesser(installation)
        while guesser.guess("alice")[0] != 429:
            pass

    def test_it_is_told_how_long_to_wait_and_that_is_true(self, installation, alice):
        new = installation.client()
        answer = type_password(new, alice)
        assert answer.status_code == 429

        installation.clock.tick(int(answer.headers["Retry-After"]))

        assert type_password(new, alice).status_code == 303

    def test_unlocking_lets_it_in_at_once(self, installation, alice):
        assert installation.accounts.guessing.unlock("alice")

        assert is_in(installation.sign_in(alice))

    def test_a_link_with_a_new_password_lets_it_in_whoever_guesses(self, installation):
        new = installation.client()
        secret, _ = installation.accounts.enrollment.make_link(
            "alice", "password-and-authenticator", now=installation.clock()
        )
        page = f"/_gate/enroll/{secret}"
        asked = new.post(page, data=form_on(new.get(page).text, page).fields)
        password = "something else entirely"
        typed = {"password": password, "password_again": password}
        form = form_on(asked.text, page)
        shown = new.post(page, data=form.fields | typed)
        connect(installation, new, shown, Person("alice", password))

        assert is_in(new)


@pytest.mark.parametrize(
    ("rest", "accept"),
    [
        pytest.param(0, {}, id="at once"),
        pytest.param(0, {"headers": JSON}, id="at once, as JSON"),
        pytest.param(3, {}, id="while it waits"),
        pytest.param(86_400, {}, id="a day later"),
        pytest.param(40 * 86_400, {}, id="weeks later"),
    ],
)
def test_before_at_and_after_the_lock_a_name_tells_nothing(
    installation, alice, accept, rest
):
    installation.add_user("david", disabled=True)
    guesser = Guesser(installation)
    seen = {name: [] for name in ("alice", NOBODY, "david")}
    for name, looks in seen.items():
        looks += [guesser.guess(name, **accept) for _ in range(8)]
    installation.clock.tick(rest)
    installation.restart()  # a new process tidies up with its first attempt
    guesser = Guesser(installation)
    for name, looks in seen.items():
        looks += [guesser.guess(name, **accept) for _ in range(8)]

    assert {each[0] for each in seen["alice"]} == {401, 429}
    assert seen[NOBODY] == seen["david"] == seen["alice"]


@pytest.mark.parametrize("accept", [{}, {"headers": JSON}], ids=["page", "JSON"])
def test_while_a_name_waits_the_right_password_is_as_good_as_a_wrong_one(
    installation, alice, accept
):
    guesser = Guesser(installation)
    for name in ("alice", NOBODY) * 7:
        guesser.guess(name)

    seen = [
        guesser.guess(name, password, **accept)
        for name in ("alice", NOBODY)
        for password in (RIGHT, WRONG, "")
    ]

    assert seen[0][0] == 429
    assert seen == [seen[0]] * 6
    assert installation.accounts.store.count("password:alice").failures == 6


def test_while_a_name_waits_nothing_is_written_whoever_has_it(installation, alice):
    meter = installation.accounts.meter
    state = sqlite3.connect(installation.folder / "gate.db")

    def used():
        text = meter.text(installation.clock()).decode()
        changed = state.execute("PRAGMA data_version").fetchone()
        return re.findall(r"gate_store_seconds_count\{.+?\} (\d+)", text), changed

    def cost(name):
        (operations, before), answer = used(), guesser.guess(name)
        more, after = used()
        assert (answer[0], after) == (429, before)
        return [int(b) - int(a) for a, b in zip(operations, more, strict=True)]

    guesser = Guesser(installation)
    for name in ("alice", NOBODY) * 6:
        guesser.guess(name)

    assert cost("alice") == cost(NOBODY)
    state.close()


def test_the_audit_names_whom_the_guesses_are_about_if_there_is_one(
    installation, alice, lines
):
    guesser = Guesser(installation)
    for name in ("ALICE", "hunter2") * 7:
        guesser.guess(name)

    said = [(line["outcome"], line.get("user")) for line in lines()]

    assert said == [("failure", "alice"), ("failure", None)] * 6 + [
        ("locked", "alice"),
        ("locked", None),
    ]
    store = installation.accounts.store
    kept = [*store.events(), *store.events("")]
    assert {one.user for one in kept} == {"alice", ""}


def test_no_number_of_guesses_hides_what_happened_to_the_account(
    installation, alice, browser
):
    events = [("password-changed", "success"), ("recovery-renewed", "success")]
    for event, outcome in events:
        occasion = Occasion(now=installation.clock())
        installation.accounts.audit.event(occasion, event, outcome, user="alice")
    guesser = Guesser(installation)
    for number in range(20):  # three events each
        installation.clock.tick(3600)
        guesser.open_form()
        assert guesser.guess("alice")[0] == 401
        installation.clock.tick(3600)
        thief, place = half_way(installation, alice, number)
        form = form_on(thief.get(CODE).text, CODE)
        thief.post(CODE, data=form.fields | {"code": "000000"}, environ_base=place)

    kept = events_of(installation)

    assert kept.count(("sign-in.password", "failure")) == MOST_ALIKE
    assert kept.count(("sign-in.code", "failure")) == MOST_ALIKE
    assert {*events, ("sign-in.code", "success")} <= {*kept}


def half_way(house, person, number):
    """Prove the password, somewhere else each time."""
    browser = house.client()
    form = form_on(browser.get(LOGIN).text, LOGIN)
    typed = {"username": person.name, "password": person.password}
    place = {"REMOTE_ADDR": f"10.2.0.{number}"}
    answer = browser.post(LOGIN, data=form.fields | typed, environ_base=place)
    assert answer.status_code == 303
    return browser, place


def by_counter(house):
    """Add somebody whose authenticator makes codes by counter."""
    person = house.add_user("henry", enrolled=False)
    accounts = house.accounts
    factor = accounts.factors.draw(kind="hotp")
    ready = accounts.factors.sealed(factor, "henry", name="x", last=-1, now=1.0)
    accounts.store.add_authenticator(ready, only=True)
    return person, otp.code_at(factor.seed, 0, accounts.factors.params)


@pytest.mark.parametrize("kind", ["totp", "hotp", "recovery"])
@pytest.mark.parametrize("accept", [{}, {"headers": JSON}], ids=["page", "JSON"])
def test_while_codes_wait_a_right_one_is_as_good_as_a_wrong_one(
    installation, alice, kind, accept
):
    person, right = alice, installation.code(alice)
    if kind == "hotp":
        person, right = by_counter(installation)
    elif kind == "recovery":
        renew = installation.accounts.recovery.renew
        right = renew("alice", now=installation.clock())[0]
    page = RECOVERY if kind == "recovery" else CODE
    # Recovery codes and codes of authenticators share one count, whichever was wrong.
    for number in range(5):
        browser, place = half_way(installation, person, number)
        form = form_on(browser.get(CODE).text, CODE)
        data = form.fields | {"code": "000000"}
        assert browser.post(CODE, data=data, environ_base=place).status_code == 401

    seen = []
    for number, code in enumerate((right, "000000", "", right), 5):
        browser, place = half_way(installation, person, number)
        form = form_on(browser.get(page).text, page)
        data = form.fields | {"code": code}
        seen.append(look(browser.post(page, data=data, environ_base=place, **accept)))

    assert seen[0][0] == 429
    assert seen == [seen[0]] * 4
    name = f"code:{person.name}"
    assert installation.accounts.store.count(name).failures == 5


@pytest.mark.parametrize("page", [CODE, RECOVERY])
def test_the_pages_after_the_password_say_nothing_of_a_name(installation, alice, page):
    guesser = Guesser(installation)
    seen = []
    for name in ("alice", NOBODY):
        guesser.guess(name)
        shown = guesser.browser.get(page)
        sent = guesser.browser.post(page, data={"code": "000000", "csrf_token": "x"})
        seen.append((look(shown), look(sent)))

    assert seen[0][0][0] == seen[0][1][0] == 303
    assert seen[0] == seen[1]


def test_any_number_of_people_may_sign_in_from_one_address(installation, alice):
    for _ in range(35):
        assert is_in(installation.sign_in(alice))

    assert installation.accounts.store.counts("", at_least=1) == []


class TestBrokenMachinery:
    """What cannot be judged is no guess: nothing stays counted."""

    def counted(self, house):
        return house.accounts.store.count("code:alice").failures

    @pytest.fixture
    def unreadable(self, installation, alice):
        """The secret of Alice's authenticator cannot be opened any more."""
        store = installation.accounts.store
        (factor,) = store.authenticators("alice")
        assert store.replace_sealed(factor.id, factor.sealed, factor.sealed[:-4])

    def test_a_secret_that_cannot_be_opened_counts_no_code(
        self, installation, alice, unreadable
    ):
        browser, _ = half_way(installation, alice, 1)

        for _ in range(7):
            answer = press(browser, CODE, CODE, code="123456")
            assert answer.status_code == 503

        assert self.counted(installation) == 0

    def test_nor_does_it_for_whoever_is_signed_in(
        self, installation, alice, browser, unreadable
    ):
        place = f"{CODE}?next=/_gate/done"

        for _ in range(7):
            answer = press(browser, place, place, code="123456")
            assert answer.status_code == 503

        store = installation.accounts.store
        assert [one.key for one in store.counts("", at_least=1)] == []

    def test_a_state_that_cannot_spend_counts_no_recovery_code(
        self, installation, alice, monkeypatch
    ):
        def broken(*_, **__):
            raise StoreUnavailable("the state is busy")

        browser, _ = half_way(installation, alice, 1)
        monkeypatch.setattr(installation.accounts.store, "spend_recovery", broken)
        code = "00000-00000-00000-00000-00000"

        assert press(browser, RECOVERY, RECOVERY, code=code).status_code == 503

        assert self.counted(installation) == 0
