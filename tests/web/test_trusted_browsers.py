"""A trusted browser stands for the code, for a while, and never for the password."""

from dataclasses import replace
from functools import partial

import pytest

from tests.applications import echo
from tests.moments import Moments
from tests.web.forms import (
    ACCOUNT,
    CODE,
    DEVICE,
    ENROLL,
    LOGIN,
    RECOVERY,
    connect,
    cookie,
    events_of,
    form_on,
    forms_on,
    give,
    is_in,
    page_of,
    press,
    remove,
    type_password,
)
from totp_gate.core import otp
from totp_gate.model import Level
from totp_gate.testing import Installation, Person

TRUST = '[second_factor]\ntrusted_device = "30d"\n'
DAY = 86_400
NEWS = f"{ACCOUNT}/news"


@pytest.fixture(scope="module")
def moments(tmp_path_factory):
    """The browser is one that Alice trusts, and is signed in with."""
    return Moments(
        partial(Installation, echo, settings=TRUST),
        tmp_path_factory.mktemp,
        alice=lambda house: house.add_user("alice"),
        browser=lambda house, alice: trust(house, alice),
    )


@pytest.fixture
def house(installation):
    return installation


def trust(house, person, browser=None):
    """Sign in by password and code, and trust the browser."""
    house.clock.tick(30)
    browser = browser or house.client()
    type_password(browser, person)
    answer = press(browser, CODE, CODE, code=house.code(person), trust_device="yes")
    assert answer.status_code == 303
    return browser


def sign_out(browser):
    assert press(browser, "/_gate/logout", "/_gate/logout").status_code == 200


def comes_again(house, browser, person, after=60):
    """Sign out, wait, type the password; tell whether that was enough."""
    sign_out(browser)
    house.clock.tick(after)
    return type_password(browser, person).headers["Location"] == "/"


def copy_of(house, browser):
    """Another browser with the same device cookie and nothing else."""
    thief = house.client()
    give(thief, DEVICE, cookie(browser, DEVICE))
    return thief


class TestOffering:
    def test_it_is_off_by_default(self, tmp_path):
        house = Installation(echo, tmp_path)
        alice = house.add_user("alice")
        browser = house.client()
        type_password(browser, alice)

        (form,) = [
            one for one in forms_on(browser.get(CODE).text) if one.action == CODE
        ]

        assert form.checkboxes == []

    def test_a_checkbox_nobody_was_shown_trusts_nothing(self, tmp_path):
        house = Installation(echo, tmp_path)
        alice = house.add_user("alice")
        browser = trust(house, alice)

        assert not comes_again(house, browser, alice)

    @pytest.mark.parametrize(
        ("setting", "words"),
        [("30d", "30 days"), ("1d", "1 day<"), ("36h", "36 hours"), ("1h", "1 hour<")],
    )
    def test_the_checkbox_says_for_how_long(self, tmp_path, setting, words):
        house = Installation(echo, tmp_path, TRUST.replace("30d", setting))
        browser = house.client()
        type_password(browser, house.add_user("alice"))

        text = browser.get(CODE).text

        assert f"Trust this browser for {words}" in text
        assert form_on(text, CODE).checkboxes == ["trust_device"]

    def test_a_box_that_is_not_ticked_trusts_nothing(self, house, alice):
        browser = house.sign_in(alice)

        assert not comes_again(house, browser, alice)
        assert (
            "Trusted browsers" not in browser.get(ACCOUNT, follow_redirects=True).text
        )

    def test_a_recovery_code_trusts_nothing(self, house, alice, browser):
        (code, *_) = house.accounts.recovery.renew("alice", now=house.clock())
        other = house.client()
        type_password(other, alice)

        asked = press(other, RECOVERY, RECOVERY, code=code, trust_device="yes")
        assert asked.status_code == 400
        press(other, RECOVERY, RECOVERY, code=code)

        assert is_in(other)
        assert not comes_again(house, other, alice)


class TestPassing:
    def test_it_stands_for_the_code(self, house, alice, browser):
        assert comes_again(house, browser, alice)

        assert is_in(browser)
        assert events_of(house)[0] == ("browser.passed", "success")

    def test_it_leads_on_to_where_one_came_for(self, house, alice, browser):
        sign_out(browser)
        house.clock.tick(60)
        login = browser.get("/reports?a=1").headers["Location"]
        form = form_on(browser.get(login).text, login)
        typed = {"username": "alice", "password": alice.password}

        answer = browser.post(login, data=form.fields | typed)

        assert answer.headers["Location"] == "/reports?a=1"

    def test_it_never_stands_for_the_password(self, house, alice, browser):
        sign_out(browser)
        house.clock.tick(60)

        assert not is_in(browser)
        typed = {"username": "alice", "password": "wrong"}
        assert press(browser, LOGIN, LOGIN, **typed).status_code == 401
        assert browser.get(CODE).headers["Location"] == LOGIN
        assert not is_in(browser)

    def test_the_code_was_proven_when_it_was_typed(self, house, alice, browser):
        typed_at = house.clock()
        comes_again(house, browser, alice, after=5 * DAY)

        (session,) = house.accounts.sessions.running("alice", now=house.clock())

        assert session.level is Level.SECOND_FACTOR
        assert session.second_factor_at == typed_at
        assert session.password_at == house.clock()

    def test_what_is_sensitive_asks_for_the_code(self, house, alice, browser):
        comes_again(house, browser, alice)
        house.clock.tick(600)

        answer = press(browser, ACCOUNT, f"{ACCOUNT}/add-authenticator")

        assert page_of(answer) == f"{ACCOUNT}/confirm"

    def test_it_goes_on_from_sign_in_to_sign_in(self, house, alice, browser):
        for _ in range(3):
            assert comes_again(house, browser, alice, after=DAY)

    def test_the_trust_of_one_means_nothing_for_another(self, house, alice, browser):
        bob = house.add_user("bob")
        sign_out(browser)
        house.clock.tick(60)

        answer = type_password(browser, bob)

        assert answer.headers["Location"] == CODE
        assert not is_in(browser)
        assert [one.user for one in house.accounts.store.browsers("alice")] == ["alice"]

    def test_a_cookie_from_elsewhere_means_nothing(
        self, tmp_path, house, alice, browser
    ):
        folder = tmp_path / "other"
        folder.mkdir()
        other = Installation(echo, folder, TRUST, clock=house.clock)
        carol = other.add_user("alice")
        visitor = other.client()
        give(visitor, DEVICE, cookie(browser, DEVICE))

        assert type_password(visitor, carol).headers["Location"] == CODE


class TestACopy:
    def test_it_is_dead_after_the_owners_next_sign_in(self, house, alice, browser):
        thief = copy_of(house, browser)
        assert comes_again(house, browser, alice)
        house.clock.tick(60)

        answer = type_password(thief, alice)

        assert answer.headers["Location"] == CODE
        assert not is_in(thief)
        assert house.accounts.store.browsers("alice") == []
        assert events_of(house)[:2] == [
            ("browser.replayed", "failure"),
            ("sign-in.password", "success"),
        ]

    def test_the_owner_is_asked_for_the_code_then_and_told_why(
        self, house, alice, browser
    ):
        thief = copy_of(house, browser)
        comes_again(house, browser, alice)
        house.clock.tick(60)
        type_password(thief, alice)

        assert not comes_again(house, browser, alice)

        assert (
            "a copied cookie of a trusted browser was detected"
            in browser.get(CODE).text
        )

    def test_a_thief_who_comes_first_is_found_out_by_the_owner(
        self, house, alice, browser
    ):
        thief = copy_of(house, browser)
        house.clock.tick(60)
        assert type_password(thief, alice).headers["Location"] == "/"

        assert not comes_again(house, browser, alice)

        assert ("browser.replayed", "failure") in events_of(house)
        assert not comes_again(house, thief, alice)

    def test_parallel_requests_of_one_browser_have_a_grace(self, house, alice, browser):
        tab = copy_of(house, browser)
        sign_out(browser)
        house.clock.tick(60)
        assert type_password(browser, alice).headers["Location"] == "/"

        house.clock.tick(9)
        late = type_password(tab, alice)

        assert late.headers["Location"] == "/"
        assert is_in(tab)
        assert comes_again(house, browser, alice)

    def test_the_grace_is_ten_seconds(self, house, alice, browser):
        tab = copy_of(house, browser)
        sign_out(browser)
        house.clock.tick(60)
        type_password(browser, alice)

        house.clock.tick(10)

        assert type_password(tab, alice).headers["Location"] == CODE

    def test_the_store_knows_no_cookie(self, house, browser):
        shown = cookie(browser, DEVICE)
        house.accounts.store.close()

        octets = b"".join(each.read_bytes() for each in house.folder.iterdir())

        assert shown.encode() not in octets


def change_password(house, alice, browser):
    house.clock.tick(30)
    new = "plover-meridian-quartz-71"
    answer = press(
        browser,
        f"{ACCOUNT}/password",
        f"{ACCOUNT}/password",
        current_password=alice.password,
        password=new,
        password_again=new,
        code=house.code(alice),
    )
    assert answer.status_code == 303
    return replace(alice, password=new)


def add_authenticator(house, alice, browser):
    page = press(browser, ACCOUNT, f"{ACCOUNT}/add-authenticator")
    answer, _ = connect(house, browser, page, alice)
    assert answer.status_code == 303
    return alice


def remove_authenticator(house, alice, browser):
    add_authenticator(house, alice, browser)
    sign_out(browser)
    trust(house, alice, browser)
    (spare,) = [
        one
        for one in house.accounts.store.authenticators("alice")
        if one.name == "Phone"
    ]
    remove(browser, spare.id)
    assert len(house.accounts.store.authenticators("alice")) == 1
    return alice


def enroll_by_link(house, alice, browser):
    secret, _ = house.accounts.enrollment.make_link(
        "alice", "authenticator", now=house.clock()
    )
    visitor, link = house.client(), f"{ENROLL}/{secret}"
    page = press(visitor, link, link)
    answer, _ = connect(house, visitor, page, alice)
    assert answer.status_code == 303
    return alice


def disable(house, alice, browser):
    store = house.accounts.store
    store.change_user("alice", disabled=True)
    store.change_user("alice", disabled=False)
    return alice


def forget(house, alice, browser):
    (series,) = house.accounts.browsers.trusted("alice", now=house.clock())
    press(browser, ACCOUNT, f"{ACCOUNT}/forget-browser", id=series.id)
    return alice


def switch_off(house, alice, browser):
    path = house.path
    path.write_text(path.read_text().replace('"30d"', '"0"'))
    house.restart()
    browser.application = house.gate
    return alice


def shorten(house, alice, browser):
    path = house.path
    path.write_text(path.read_text().replace('"30d"', '"1h"'))
    house.restart()
    browser.application = house.gate
    house.clock.tick(3600)
    return alice


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(change_password, id="another password"),
        pytest.param(add_authenticator, id="an authenticator more"),
        pytest.param(remove_authenticator, id="an authenticator less"),
        pytest.param(enroll_by_link, id="an authenticator by a link"),
        pytest.param(disable, id="user disabled"),
        pytest.param(forget, id="forgotten on the account page"),
        pytest.param(switch_off, id="switched off in the settings"),
        pytest.param(shorten, id="shortened in the settings"),
        pytest.param(lambda h, a, b: h.clock.tick(30 * DAY) or a, id="expired"),
    ],
)
def test_the_trust_ends(house, alice, browser, end):
    known = end(house, alice, browser)
    house.clock.tick(60)

    visitor = copy_of(house, browser)
    answer = type_password(visitor, known)

    assert answer.headers["Location"] == CODE
    assert house.accounts.browsers.trusted("alice", now=house.clock()) == []


@pytest.mark.parametrize(
    "after",
    [pytest.param(60, id="soon"), pytest.param(30 * DAY - 1, id="to the last second")],
)
def test_the_trust_lasts(house, alice, browser, after):
    assert comes_again(house, browser, alice, after=after)


@pytest.mark.parametrize("changed", ["password_hash", "totp_secret", "nothing"])
def test_the_trust_of_a_user_of_the_file_ends_with_what_stands_there(tmp_path, changed):
    house = Installation(echo, tmp_path, TRUST)
    hashed = house.accounts.passwords.hash("correct horse battery")
    seeds = {"old": otp.new_secret(), "new": otp.new_secret()}
    lines = f'{TRUST}[[users]]\nname = "alice"\npassword_hash = "{hashed}"\n'
    start = house.path.read_text().partition("[second_factor]")[0]

    def open_with(text, seed):
        line = f'totp_secret = "{otp.to_base32(seeds[seed])}"\n'
        house.path.write_text(start + text + line)
        house.restart()
        return Person("alice", "correct horse battery", seeds[seed])

    browser = trust(house, open_with(lines, "old"))
    other = house.accounts.passwords.hash("correct horse battery")
    text = lines.replace(hashed, other) if changed == "password_hash" else lines
    alice = open_with(text, "new" if changed == "totp_secret" else "old")
    browser = copy_of(house, browser)
    browser.application = house.gate
    house.clock.tick(60)

    answer = type_password(browser, alice)

    assert answer.headers["Location"] == ("/" if changed == "nothing" else CODE)


class TestTheAccountPage:
    def test_it_lists_them(self, house, alice, browser):
        text = browser.get(ACCOUNT).text

        assert "Trusted browsers" in text
        assert form_on(text, f"{ACCOUNT}/forget-browser").fields["id"]

    def test_it_does_not_list_browsers_that_are_only_known(self, house, alice):
        browser = house.sign_in(alice)

        assert len(house.accounts.store.browsers("alice")) == 1
        assert "Trusted browsers" not in browser.get(ACCOUNT).text


def guess(house, browser, times, name="alice"):
    """Type wrong passwords; return the last status."""
    for _ in range(times):
        typed = {"username": name, "password": "wrong"}
        answer = press(browser, LOGIN, LOGIN, **typed)
    return answer.status_code


class TestStrangers:
    """A stranger may not lock out a browser the owner has signed in with."""

    @pytest.fixture
    def known(self, house, alice):
        browser = house.sign_in(alice)
        sign_out(browser)
        return browser

    @pytest.fixture
    def exhausted(self, house, known):
        assert guess(house, house.client(), 7) == 429

    def test_a_known_browser_keeps_its_way_in(self, house, alice, known, exhausted):
        assert type_password(house.client(), alice).status_code == 429

        house.sign_in(alice, known)

        assert is_in(known)

    def test_so_it_does_where_the_codes_are_exhausted(self, house, alice, known):
        stranger = house.client()
        type_password(stranger, alice)
        for _ in range(6):
            answer = press(stranger, CODE, CODE, code="000000")
            if answer.status_code == 429:
                break
        assert answer.status_code == 429

        house.sign_in(alice, known)

        assert is_in(known)

    def test_it_is_known_for_its_own_user_only(self, house, alice, known):
        house.add_user("bob")
        assert guess(house, house.client(), 7, name="bob") == 429

        assert guess(house, known, 1, name="bob") == 429

    def test_its_own_failures_close_its_own_way_and_no_other(self, house, alice, known):
        assert guess(house, known, 12) == 429

        fresh = house.client()
        house.sign_in(alice, fresh)
        assert is_in(fresh)

    def test_its_own_failures_count_nothing_against_the_account(
        self, house, alice, known
    ):
        guess(house, known, 10)

        assert house.accounts.store.count("password:alice").failures == 0

    def test_the_cookie_of_an_ended_series_is_nobody(self, house, alice, known):
        (series,) = house.accounts.store.browsers("alice")
        house.accounts.store.forget_browser("alice", series.id)
        assert guess(house, house.client(), 7) == 429

        assert type_password(known, alice).status_code == 429

    def test_after_the_last_failure_it_is_a_stranger_again(self, house, alice, known):
        (series,) = house.accounts.store.browsers("alice")
        for _ in range(100):
            house.clock.tick(DAY // 50)
            house.accounts.store.begin_attempt(
                [f"device:{series.id}"], now=house.clock(), judge=lambda count: None
            )

        house.sign_in(alice, known)

        assert is_in(known)


class TestNews:
    """Whoever is asked for no code sees no code page, where news would stand."""

    @pytest.fixture
    def guessed(self, house, alice, browser):
        """A stranger knows the password and has typed a wrong code."""
        sign_out(browser)
        thief = house.client()
        type_password(thief, alice)
        press(thief, CODE, CODE, code="000000")
        house.clock.tick(60)
        return browser

    def enter(self, alice, browser, place):
        login = f"{LOGIN}?next={place}"
        form = form_on(browser.get(login).text, login)
        typed = {"username": alice.name, "password": alice.password}
        return browser.post(login, data=form.fields | typed)

    @pytest.mark.parametrize("place", ["/deep", "/_gate/done"])
    def test_they_come_before_what_one_came_for(self, alice, guessed, place):
        answer = self.enter(alice, guessed, place)
        assert answer.headers["Location"] == f"{NEWS}?next={place}"

        page = guessed.get(answer.headers["Location"])

        assert "a wrong code was typed once after the right password" in page.text
        assert f'href="{place}">Continue' in page.text
        assert f'href="{ACCOUNT}"' in page.text
        assert is_in(guessed)

    def test_the_trust_goes_on(self, house, alice, guessed):
        self.enter(alice, guessed, "/deep")

        assert comes_again(house, guessed, alice)

    def test_there_are_none_of_a_quiet_account(self, house, alice, browser):
        sign_out(browser)

        assert self.enter(alice, browser, "/deep").headers["Location"] == "/deep"
        assert browser.get(f"{NEWS}?next=/deep").headers["Location"] == "/deep"

    def test_they_are_nobody_elses(self, house, guessed):
        assert guessed.get(NEWS).headers["Location"] == LOGIN
