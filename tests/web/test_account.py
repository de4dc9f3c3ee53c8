"""The account page shows its owner everything, and nobody else anything."""

import re
from dataclasses import replace
from functools import partial

import pytest

from tests.applications import echo
from tests.moments import Moments
from tests.web.forms import (
    ACCOUNT,
    CODE,
    CODES,
    LOGIN,
    LOGIN_COOKIE,
    SESSION,
    codes_on,
    connect,
    cookie,
    events_of,
    follow,
    form_on,
    forms_on,
    give,
    is_in,
    key_on,
    page_of,
    press,
    remove,
    type_password,
    works,
)
from tests.web.test_bad_input import NAUGHTY
from totp_gate.core import otp
from totp_gate.testing import Installation, Person

ADD = f"{ACCOUNT}/add-authenticator"
CONFIRM = f"{ACCOUNT}/confirm"
END = f"{ACCOUNT}/end-session"
END_OTHERS = f"{ACCOUNT}/end-others"
PASSWORD = f"{ACCOUNT}/password"
REMOVE = f"{ACCOUNT}/remove-authenticator"
RENAME = f"{ACCOUNT}/rename-authenticator"
NEW = "plover-meridian-quartz-71"


@pytest.fixture
def bob(installation):
    return installation.add_user("bob")


def sessions_of(house, name="alice"):
    return house.accounts.sessions.running(name, now=house.clock())


def authenticators_of(house, name="alice"):
    return house.accounts.store.authenticators(name)


def add(house, browser, person, name="Tablet"):
    """Connect a further authenticator through the pages."""
    page = press(browser, ACCOUNT, ADD)
    assert "<svg" in page.text
    answer, device = connect(house, browser, page, person, name)
    assert (answer.status_code, page_of(answer)) == (303, ACCOUNT)
    return device


def confirm(house, browser, person, **typed):
    house.clock.tick(30)
    fields = {"password": person.password, "code": house.code(person)} | typed
    return press(browser, CONFIRM, CONFIRM, **fields)


class TestLooking:
    @pytest.mark.parametrize("page", ["", "/confirm", "/password", "/recovery-codes"])
    def test_it_needs_a_session(self, installation, alice, page):
        browser = installation.client()
        assert browser.get(ACCOUNT + page).headers["Location"] == LOGIN

        type_password(browser, alice)

        assert browser.get(ACCOUNT + page).headers["Location"] == LOGIN

    def test_it_says_where_somebody_is_signed_in(self, installation, alice, browser):
        agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
        other = installation.client()
        other.environ_base = {"HTTP_USER_AGENT": agent}
        sign_in_as(installation, alice, other, agent)

        text = browser.get(ACCOUNT).text

        assert "Firefox on Linux" in text
        assert text.count("This session") == 1
        assert re.search(r"127\.0\.0\.1, since <span class=.at.>20", text)

    def test_sessions_that_have_run_out_are_not_listed(self, installation, alice):
        installation.sign_in(alice)
        installation.clock.tick(3500)
        browser = installation.sign_in(alice)
        installation.clock.tick(100)

        text = browser.get(ACCOUNT).text

        assert len(installation.accounts.store.sessions("alice")) == 2
        assert END_OTHERS not in text
        assert text.count("last seen") == 1

    def test_it_leads_back_to_the_application(self, browser):
        text = browser.get(ACCOUNT).text

        assert re.search(r'<a [^>]*href="/">Back to app\.example\.com</a>', text)

    def test_nothing_of_it_is_cached(self, browser):
        assert browser.get(ACCOUNT).headers["Cache-Control"] == "no-store"

    def test_no_id_on_it_is_a_cookie(self, installation, alice, browser):
        installation.sign_in(alice)
        text = browser.get(ACCOUNT).text

        (other,) = [one for one in sessions_of(installation) if one.id in text]
        thief = installation.client()
        give(thief, SESSION, other.id)

        assert cookie(browser) not in text
        assert not is_in(thief)

    @pytest.mark.parametrize("text", NAUGHTY)
    def test_a_naughty_browser_is_never_markup(self, installation, alice, text):
        agent = text.encode().decode("latin-1")
        browser = installation.client()
        sign_in_as(installation, alice, browser, agent)

        page = browser.get(ACCOUNT)

        assert page.status_code == 200
        assert_harmless(page.text)

    @pytest.mark.parametrize("text", NAUGHTY)
    def test_a_naughty_name_is_never_markup(self, installation, alice, browser, text):
        (one,) = authenticators_of(installation)

        press(browser, ACCOUNT, RENAME, id=one.id, name=text)

        assert_harmless(browser.get(ACCOUNT).text)
        assert len(authenticators_of(installation)[0].name) <= 64

    def test_a_naughty_display_name_is_never_markup(self, tmp_path):
        house = Installation(echo, tmp_path)
        browser = house.sign_in(house.add_user("eve", display=NAUGHTY[0]))

        for page in (ACCOUNT, CONFIRM, PASSWORD, "/_gate/logout"):
            assert_harmless(browser.get(page).text)


def sign_in_as(house, person, browser, agent):
    """Sign in with a browser that calls itself *agent*."""
    house.clock.tick(30)
    overrides = {"HTTP_USER_AGENT": agent}
    typed = {"username": person.name, "password": person.password}
    for page, fields in ((LOGIN, typed), (CODE, {"code": house.code(person)})):
        form = form_on(browser.get(page).text, page)
        sent = form.fields | fields
        answer = browser.post(page, data=sent, environ_overrides=overrides)
    assert answer.status_code == 303


def assert_harmless(text):
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert not re.search("[\u202a-\u202e\u2028\u2029\x1b\x00]", text)


class TestSessions:
    def test_one_can_be_ended(self, installation, alice, browser):
        other = installation.sign_in(alice)
        third = installation.sign_in(alice)
        there = next(
            form for form in forms_on(browser.get(ACCOUNT).text) if form.action == END
        )

        answer = browser.post(END, data=there.fields)

        assert page_of(answer) == ACCOUNT
        assert [is_in(each) for each in (browser, other, third)].count(False) == 1
        assert is_in(browser)

    def test_all_others_can_be_ended(self, installation, alice, bob, browser):
        others = [installation.sign_in(alice) for _ in range(2)]
        stranger = installation.sign_in(bob)

        press(browser, ACCOUNT, END_OTHERS)

        assert [is_in(each) for each in others] == [False, False]
        assert is_in(browser)
        assert is_in(stranger)
        assert events_of(installation)[0] == ("session-ended", "success")

    def test_they_may_be_ended_without_a_fresh_proof(
        self, installation, alice, browser
    ):
        other = installation.sign_in(alice)
        installation.clock.tick(1200)
        assert is_in(other)

        press(browser, ACCOUNT, END_OTHERS)

        assert not is_in(other)


class TestAuthenticators:
    def test_another_can_be_added_and_any_answers(self, installation, alice, browser):
        device = add(installation, browser, alice)

        assert works(installation, device)
        assert works(installation, alice)
        names = [one.name for one in authenticators_of(installation)]
        assert sorted(names) == ["Tablet", "test"]

    def test_adding_one_ends_other_sessions(self, installation, alice, browser):
        other = installation.sign_in(alice)

        add(installation, browser, alice)

        assert not is_in(other)
        assert is_in(browser)

    def test_a_wrong_code_adds_nothing(self, installation, alice, browser):
        page = press(browser, ACCOUNT, ADD)
        form = form_on(page.text, "/_gate/enroll")

        answer = browser.post(form.action, data=form.fields | {"code": "000000"})

        assert answer.status_code == 400
        assert len(authenticators_of(installation)) == 1

    def test_abandoning_it_adds_nothing(self, installation, browser):
        press(browser, ACCOUNT, ADD)

        assert len(authenticators_of(installation)) == 1

    @pytest.mark.parametrize("action", [ADD, REMOVE])
    def test_a_change_needs_everything_proven_lately(
        self, installation, alice, browser, action
    ):
        spare = add(installation, browser, alice)
        installation.clock.tick(600)

        answer = press(browser, ACCOUNT, action)

        assert page_of(answer) == CONFIRM
        assert works(installation, spare)

    def test_ten_minutes_are_lately(self, installation, browser):
        installation.clock.tick(599)

        assert "<svg" in press(browser, ACCOUNT, ADD).text

    def test_a_page_that_was_left_open_adds_nothing(self, installation, alice, browser):
        page = press(browser, ACCOUNT, ADD)
        installation.clock.tick(600)

        answer, _ = connect(installation, browser, page, alice)

        assert answer.status_code == 404
        assert len(authenticators_of(installation)) == 1

    def test_one_can_be_removed_and_is_dead(self, installation, alice, browser):
        device = add(installation, browser, alice)
        other = installation.sign_in(device)
        old = next(one for one in authenticators_of(installation) if one.name == "test")

        remove(browser, old.id)

        assert not works(installation, alice)
        assert works(installation, device)
        assert not is_in(other)
        assert is_in(browser)

    def test_removing_asks_once_more(self, installation, alice, browser):
        add(installation, browser, alice)
        (one, _) = authenticators_of(installation)

        asked = press(browser, ACCOUNT, REMOVE, id=one.id)

        assert "Remove this authenticator?" in asked.text
        assert one.name in asked.text
        assert len(authenticators_of(installation)) == 2

    def test_a_second_one_is_suggested_another_name(self, installation, alice, browser):
        page = press(browser, ACCOUNT, ADD)
        assert form_on(page.text, "/_gate/enroll").fields["name"] == "Phone"
        connect(installation, browser, page, alice)

        page = press(browser, ACCOUNT, ADD)

        assert form_on(page.text, "/_gate/enroll").fields["name"] == "Phone 2"

    def test_the_last_one_has_no_button_and_stays(self, installation, alice, browser):
        (last,) = authenticators_of(installation)
        spare = add(installation, browser, alice)
        page = browser.get(ACCOUNT).text
        forms = [form.fields for form in forms_on(page) if form.action == REMOVE]
        assert len(forms) == 2
        gone = next(form for form in forms if form["id"] != last.id)
        browser.post(REMOVE, data=gone | {"sure": "yes"})

        answer = browser.post(REMOVE, data=gone | {"id": last.id, "sure": "yes"})

        assert page_of(answer) == ACCOUNT
        assert "was not removed" in follow(browser, answer).text
        assert REMOVE not in browser.get(ACCOUNT).text
        assert [one.id for one in authenticators_of(installation)] == [last.id]
        assert works(installation, alice)
        assert not works(installation, spare)

    def test_one_can_get_another_name(self, installation, alice, browser):
        (one,) = authenticators_of(installation)

        press(browser, ACCOUNT, RENAME, id=one.id, name="  Alice's phone ")

        assert authenticators_of(installation)[0].name == "Alice's phone"
        assert "Alice&#39;s phone" in browser.get(ACCOUNT).text

    @pytest.mark.parametrize("name", ["", "   "])
    def test_a_name_of_nothing_changes_nothing(self, installation, browser, name):
        (one,) = authenticators_of(installation)

        press(browser, ACCOUNT, RENAME, id=one.id, name=name)

        assert authenticators_of(installation)[0].name == "test"


class TestOneThatCounts:
    """HOTP: hardware keys with a button, and apps that count."""

    @pytest.fixture
    def page(self, browser):
        return press(browser, ACCOUNT, ADD, kind="hotp")

    def code(self, house, seed, counter):
        return otp.code_at(seed, counter, house.accounts.factors.params)

    def connect(self, house, browser, page, counter=0):
        seed = key_on(page.text)
        form = form_on(page.text, "/_gate/enroll")
        typed = {"code": self.code(house, seed, counter), "name": "Key"}
        return browser.post(form.action, data=form.fields | typed), seed

    def sign_in(self, house, person, code):
        visitor = house.client()
        type_password(visitor, person)
        return press(visitor, CODE, CODE, code=code).status_code

    def test_the_page_says_so(self, page):
        assert "Counter-based" in page.text
        assert "otpauth://hotp/" in page.text
        assert "counter=0" in page.text
        assert "seconds" not in page.text

    def test_the_account_page_offers_both(self, browser):
        kinds = [
            form.fields.get("kind")
            for form in forms_on(browser.get(ACCOUNT).text)
            if form.action == ADD
        ]

        assert kinds == [None, "hotp"]

    def test_it_signs_in_and_a_used_code_does_not(
        self, installation, alice, browser, page
    ):
        answer, seed = self.connect(installation, browser, page)
        assert page_of(answer) == ACCOUNT

        used = self.code(installation, seed, 0)
        skipped = self.code(installation, seed, 3)
        earlier = self.code(installation, seed, 2)

        assert self.sign_in(installation, alice, used) == 401
        assert self.sign_in(installation, alice, skipped) == 303
        assert self.sign_in(installation, alice, skipped) == 401
        assert self.sign_in(installation, alice, earlier) == 401

    def test_a_wrong_code_says_nothing_of_clocks(self, browser, page):
        form = form_on(page.text, "/_gate/enroll")

        answer = browser.post(form.action, data=form.fields | {"code": "000000"})

        assert answer.status_code == 400
        assert "make the next one" in answer.text
        assert "clock" not in answer.text

    @pytest.mark.parametrize("where", [CONFIRM, PASSWORD])
    def test_who_has_nothing_else_is_asked_for_the_next_code(
        self, installation, browser, page, where
    ):
        self.connect(installation, browser, page)
        old = next(one for one in authenticators_of(installation) if one.kind == "totp")
        remove(browser, old.id)

        assert "Next code from your authenticator" in browser.get(where).text

    def test_an_unknown_kind_is_one_by_time(self, browser):
        assert "otpauth://totp/" in press(browser, ACCOUNT, ADD, kind="webauthn").text


class TestNotes:
    """What the page says after each form."""

    def said(self, browser, answer):
        found = re.search(
            r'id="notice" role="(\w+)">([^<]*)<', follow(browser, answer).text
        )
        return found.groups() if found else None

    @pytest.mark.parametrize(
        ("action", "typed", "role", "words"),
        [
            pytest.param(RENAME, {"name": "Mine"}, "status", "new name", id="renamed"),
            pytest.param(RENAME, {"name": "  "}, "alert", "needs a name", id="no name"),
            pytest.param(END_OTHERS, {}, "status", "have ended", id="sessions"),
        ],
    )
    def test_each_says_what_it_did(
        self, installation, alice, browser, action, typed, role, words
    ):
        installation.sign_in(alice)

        kind, text = self.said(browser, press(browser, ACCOUNT, action, **typed))

        assert kind == role
        assert words in text

    def test_adding_and_removing_say_so(self, installation, alice, browser):
        page = press(browser, ACCOUNT, ADD)
        answer, _ = connect(installation, browser, page, alice, "Tablet")
        assert "is connected" in self.said(browser, answer)[1]
        new = next(
            one for one in authenticators_of(installation) if one.name == "Tablet"
        )

        assert "is removed" in self.said(browser, remove(browser, new.id))[1]

    def test_a_new_password_says_so(self, installation, alice, browser):
        answer = change(installation, browser, alice)

        assert "password is changed" in self.said(browser, answer)[1]

    def test_confirming_leads_back_to_what_was_wanted(
        self, installation, alice, browser
    ):
        installation.clock.tick(1200)
        asked = press(browser, ACCOUNT, ADD)
        installation.clock.tick(30)
        typed = {"password": alice.password, "code": installation.code(alice)}
        form = form_on(follow(browser, asked).text, CONFIRM)

        answer = browser.post(CONFIRM, data=form.fields | typed)

        assert answer.headers["Location"].endswith("#authenticators")
        assert "press the button again" in self.said(browser, answer)[1]

    def test_no_other_place_is_led_back_to(self, installation, alice, browser):
        answer = confirm(installation, browser, alice, section='"><script>alert(1)')

        assert "#" not in answer.headers["Location"]

    def test_it_is_silent_a_minute_later_and_in_another_account(
        self, installation, alice, bob, browser
    ):
        answer = press(browser, ACCOUNT, RENAME, name="Mine")
        assert self.said(installation.sign_in(bob), answer) is None

        installation.clock.tick(30)

        assert self.said(browser, answer) is None

    def test_nobody_can_make_one_up(self, browser):
        text = browser.get(f"{ACCOUNT}?told=password").text

        assert "is changed" not in text


class TestConfirming:
    def test_it_gives_a_new_id_and_the_old_cookie_is_dead(
        self, installation, alice, browser
    ):
        old = cookie(browser)

        answer = confirm(installation, browser, alice)

        assert page_of(answer) == ACCOUNT
        assert cookie(browser) != old
        assert is_in(browser)
        thief = installation.client()
        give(thief, SESSION, old)
        assert not is_in(thief)
        assert len(sessions_of(installation)) == 1

    def test_it_is_a_fresh_proof(self, installation, alice, browser):
        installation.clock.tick(1200)
        assert page_of(press(browser, ACCOUNT, ADD)) == CONFIRM

        confirm(installation, browser, alice)

        assert "<svg" in press(browser, ACCOUNT, ADD).text

    def test_it_does_not_prolong_the_session(self, installation, alice, browser):
        (before,) = sessions_of(installation)
        confirm(installation, browser, alice)

        (after,) = sessions_of(installation)

        assert after.created == before.created

    @pytest.mark.parametrize(
        "typed",
        [
            pytest.param({"password": "wrong"}, id="password"),
            pytest.param({"code": "000000"}, id="code"),
        ],
    )
    def test_what_is_wrong_proves_nothing(self, installation, alice, browser, typed):
        installation.clock.tick(1200)
        old = cookie(browser)

        answer = confirm(installation, browser, alice, **typed)

        assert answer.status_code == 401
        assert "did not match" in answer.text
        assert cookie(browser) == old
        assert page_of(press(browser, ACCOUNT, ADD)) == CONFIRM

    def test_a_code_is_spent_by_it(self, installation, alice, browser):
        confirm(installation, browser, alice)
        other = installation.client()
        type_password(other, alice)

        answer = press(other, CODE, CODE, code=installation.code(alice))

        assert answer.status_code == 401

    def test_whoever_holds_a_session_cannot_guess_there(
        self, installation, alice, browser
    ):
        wrong = {"password": "wrong", "code": "000000"}
        for _ in range(12):
            answer = press(browser, CONFIRM, CONFIRM, **wrong)
            if answer.status_code == 429:
                break

        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) > 0


def change(house, browser, person, **typed):
    house.clock.tick(30)
    fields = {
        "current_password": person.password,
        "password": NEW,
        "password_again": NEW,
        "code": house.code(person),
    }
    return press(browser, PASSWORD, PASSWORD, **fields | typed)


class TestThePassword:
    def test_it_is_another_one_then(self, installation, alice, browser):
        answer = change(installation, browser, alice)

        assert page_of(answer) == ACCOUNT
        assert works(installation, replace(alice, password=NEW))
        dead = type_password(installation.client(), alice)
        assert dead.status_code == 401

    def test_other_sessions_end_and_this_one_gets_a_new_id(
        self, installation, alice, browser
    ):
        other = installation.sign_in(alice)
        old = cookie(browser)

        change(installation, browser, alice)

        assert not is_in(other)
        assert is_in(browser)
        thief = installation.client()
        give(thief, SESSION, old)
        assert not is_in(thief)

    def test_whoever_was_half_way_in_starts_over(self, installation, alice, browser):
        thief = installation.client()
        type_password(thief, alice)

        change(installation, browser, alice)

        assert thief.get(CODE).headers["Location"] == LOGIN

    @pytest.mark.parametrize(
        ("typed", "status", "words"),
        [
            pytest.param(
                {"current_password": "wrong"}, 400, "did not match", id="current one"
            ),
            pytest.param({"code": "000000"}, 400, "did not match", id="code"),
            pytest.param(
                {"password_again": NEW + "x"}, 400, "not the same", id="typed twice"
            ),
            pytest.param(
                {"password": "short", "password_again": "short"},
                400,
                "at least 8",
                id="too short",
            ),
            pytest.param(
                {"password": "password123", "password_again": "password123"},
                400,
                "",
                id="common",
            ),
        ],
    )
    def test_what_is_wrong_changes_nothing(
        self, installation, alice, browser, typed, status, words
    ):
        other = installation.sign_in(alice)

        answer = change(installation, browser, alice, **typed)

        assert answer.status_code == status
        assert 'role="alert"' in answer.text
        assert words in answer.text
        assert NEW not in answer.text
        assert is_in(other)
        assert works(installation, alice)

    @pytest.mark.parametrize(
        ("typed", "fields"),
        [
            pytest.param(
                {"password": "short", "password_again": "short"},
                {"password"},
                id="poor",
            ),
            pytest.param(
                {"password_again": NEW + "x"}, {"password_again"}, id="typed twice"
            ),
            pytest.param(
                {"code": "000000"},
                {"current_password", "password", "password_again", "code"},
                id="not told which",
            ),
        ],
    )
    def test_the_field_that_is_wrong_is_marked(
        self, installation, alice, browser, typed, fields
    ):
        text = change(installation, browser, alice, **typed).text

        marked = re.findall(r'name="(\w+)"[^>]* aria-invalid="true"', text)
        assert set(marked) == fields
        assert text.count(" autofocus") == 1

    def test_a_poor_password_costs_no_code(self, installation, alice, browser):
        poor = {"password": "short", "password_again": "short"}
        change(installation, browser, alice, **poor)
        installation.clock.tick(-30)

        assert change(installation, browser, alice).status_code == 303

    @pytest.mark.parametrize(
        "poor",
        [
            pytest.param("BobBrown2024", id="display name"),
            pytest.param("bb@corp.example1", id="address"),
        ],
    )
    def test_what_others_know_of_one_is_no_password(self, installation, poor):
        known = {"display": "Bob Brown", "email": "bb@corp.example"}
        bob = installation.add_user("robert", **known)
        browser = installation.sign_in(bob)

        typed = {"password": poor, "password_again": poor}
        answer = change(installation, browser, bob, **typed)

        assert answer.status_code == 400
        assert "made of your name" in answer.text

    def test_a_user_of_the_settings_file_is_told_whom_to_ask(self, tmp_path):
        house, browser, alice = user_of_the_file(tmp_path)

        shown = browser.get(PASSWORD)
        token = house.gate._parts.routes._desk.forms.make(
            "/account/password", sessions_of(house)[0].id, now=house.clock()
        )
        fields = dict.fromkeys(("password", "password_again"), NEW)
        sent = fields | {"current_password": alice.password, "code": "123456"}
        answer = browser.post(PASSWORD, data=sent | {"csrf_token": token})

        for page in (shown, answer):
            assert page.status_code == 403
            assert "set in the settings of this server" in page.text
            assert f'href="{ACCOUNT}"' in page.text


def user_of_the_file(folder):
    """Alice with password and seed in gate.toml, signed in."""
    house = Installation(echo, folder)
    seed = otp.new_secret()
    hashed = house.accounts.passwords.hash("correct horse battery")
    with house.path.open("a") as file:
        file.write(f'[[users]]\nname = "alice"\npassword_hash = "{hashed}"\n')
        file.write(f'totp_secret = "{otp.to_base32(seed)}"\n')
    house.restart()
    alice = Person("alice", "correct horse battery", seed)
    return house, house.sign_in(alice), alice


def test_a_user_of_the_settings_file_sees_where_the_authenticator_is(tmp_path):
    _, browser, _ = user_of_the_file(tmp_path)

    text = browser.get(ACCOUNT).text

    assert "in the settings" in text
    assert REMOVE not in text
    assert RENAME not in text


class TestEvents:
    def test_they_are_listed_in_words(self, installation, alice, browser):
        add(installation, browser, alice)

        text = browser.get(ACCOUNT).text

        assert "An authenticator was connected" in text
        assert "Signed in" in text
        assert not re.search(r"\b(?:sign-in|enrollment|proof)\.?\w*: ", text)

    def test_a_sign_in_is_one_line(self, installation, alice, browser):
        stranger = installation.client()
        type_password(stranger, alice)

        text = browser.get(ACCOUNT).text

        assert text.count("Signed in<") == 1
        assert text.count("The right password was typed") == 1

    def test_those_of_others_are_not(self, installation, alice, browser, bob):
        add(installation, installation.sign_in(bob), bob, "Bobs")

        assert "connected" not in browser.get(ACCOUNT).text

    @pytest.mark.parametrize(
        ("happens", "words"),
        [
            pytest.param(
                lambda house, alice, browser: change(house, browser, alice),
                "your password was changed",
                id="password",
            ),
            pytest.param(
                lambda house, alice, browser: add(house, browser, alice),
                "an authenticator was connected",
                id="authenticator",
            ),
            pytest.param(
                lambda house, alice, browser: press(
                    browser, ACCOUNT, f"{ACCOUNT}/new-recovery-codes"
                ),
                "new recovery codes were made",
                id="recovery codes",
            ),
            pytest.param(
                lambda house, alice, browser: wrong_codes(house, alice, 2),
                "a wrong code was typed 2 times after the right password",
                id="guesses",
            ),
        ],
    )
    def test_the_next_sign_in_tells_of_it(
        self, installation, alice, browser, happens, words
    ):
        happens(installation, alice, browser)
        known = installation.accounts.store.user("alice")
        changed = installation.accounts.passwords.verify(known.password_hash, NEW)
        person = replace(alice, password=NEW) if changed.right else alice

        installation.clock.tick(30)
        later = installation.client()
        type_password(later, person)
        before = later.get(CODE).text
        press(later, CODE, CODE, code=installation.code(person))
        after = later.get(ACCOUNT).text

        assert "Since your last sign-in: " in before
        assert words in before
        assert words in after

    def test_it_is_told_once(self, installation, alice, browser):
        add(installation, browser, alice)
        installation.sign_in(alice)

        assert "Since you" not in installation.sign_in(alice).get(ACCOUNT).text

    def test_a_quiet_account_has_no_news(self, installation, alice, browser):
        assert "Since you" not in installation.sign_in(alice).get(ACCOUNT).text


def wrong_codes(house, person, times):
    browser = house.client()
    type_password(browser, person)
    for _ in range(times):
        press(browser, CODE, CODE, code="000000")


ABOUT = {
    END: lambda store: store.sessions("bob"),
    REMOVE: lambda store: store.authenticators("bob"),
    RENAME: lambda store: store.authenticators("bob"),
    f"{ACCOUNT}/forget-browser": lambda store: store.browsers("bob"),
    f"{ACCOUNT}/revoke-token": lambda store: store.tokens("bob"),
}


class TestTwoUsers:
    """Whatever Alice sends about what is Bob's does nothing, and shows nothing."""

    @pytest.fixture(scope="class")
    @classmethod
    def moments(cls, tmp_path_factory):
        trust = '[second_factor]\ntrusted_device = "30d"\n'
        return Moments(
            partial(Installation, echo, settings=trust),
            tmp_path_factory.mktemp,
            people=cls.with_everything,
        )

    @pytest.fixture
    def house(self, installation):
        return installation

    @pytest.fixture
    def people(self, beginning):
        """The browsers of Alice and Bob, both signed in, by name."""
        return beginning["people"]

    @staticmethod
    def with_everything(house):
        """Let there be Alice and Bob, each with one of everything."""
        browsers = {}
        for name in ("alice", "bob"):
            person = house.add_user(name)
            house.clock.tick(30)
            other, here = house.client(), house.client()
            type_password(other, person)
            code = house.code(person)
            press(other, CODE, CODE, code=code, trust_device="yes")
            add(house, other, person, f"Spare of {name}")
            house.clock.tick(30)
            house.sign_in(person, here)
            other = house.client()
            house.clock.tick(30)
            type_password(other, person)
            code = house.code(person)
            press(other, CODE, CODE, code=code, trust_device="yes")
            typed = {"name": f"Token of {name}"}
            press(here, ACCOUNT, f"{ACCOUNT}/make-token", **typed)
            house.accounts.recovery.renew(name, now=house.clock())
            browsers[name] = here
        return browsers

    @pytest.mark.parametrize("action", list(ABOUT))
    def test_an_id_of_another_does_nothing(self, house, people, action):
        theirs = ABOUT[action](house.accounts.store)
        assert theirs
        before = all_of("bob", house)
        own = form_on(people["alice"].get(ACCOUNT).text, action)

        for one in theirs:
            typed = {"id": one.id, "name": "mine now"}
            sent = {key: typed.get(key, value) for key, value in own.fields.items()}
            assert sent["id"] == one.id
            if action == REMOVE:
                sent["sure"] = "yes"
            answer = people["alice"].post(action, data=sent)
            assert page_of(answer) == ACCOUNT

        assert all_of("bob", house) == before
        assert is_in(people["bob"])

    @pytest.mark.parametrize("action", list(ABOUT))
    def test_an_id_of_ones_own_does_something(self, house, people, action):
        before = all_of("bob", house)
        page = people["bob"].get(ACCOUNT).text
        own = form_on(page, action)
        typed = {"name": "another"} if "name" in own.fields else {}
        if action == REMOVE:
            typed = {"sure": "yes"}

        people["bob"].post(action, data=own.fields | typed)

        assert all_of("bob", house) != before

    @pytest.mark.parametrize(
        "action", [END_OTHERS, f"{ACCOUNT}/new-recovery-codes", CONFIRM, PASSWORD]
    )
    def test_what_is_about_everything_is_about_ones_own(self, house, people, action):
        before = all_of("bob", house)
        form = form_on(form_page(people["alice"], action), action)
        typed = {"user": "bob", "username": "bob", "id": "bob"}

        people["alice"].post(action, data=form.fields | typed)

        assert all_of("bob", house) == before

    def test_no_page_shows_anything_of_another(self, house, people):
        store = house.accounts.store
        text = "".join(
            people["alice"].get(page).text for page in (ACCOUNT, CONFIRM, PASSWORD)
        )

        for find in ABOUT.values():
            for one in find(store):
                assert one.id not in text
        assert not re.search(r"(?<![\w-])bob(?![\w-])", text)

    def test_what_was_made_for_another_cannot_be_read(self, house, people):
        press(people["bob"], ACCOUNT, f"{ACCOUNT}/new-recovery-codes")
        give(people["alice"], LOGIN_COOKIE, cookie(people["bob"], LOGIN_COOKIE))

        assert codes_on(people["alice"].get(CODES).text) == []

    def test_what_another_is_connecting_cannot_be_confirmed(self, house, people):
        page = press(people["bob"], ACCOUNT, ADD)
        own = form_on(press(people["alice"], ACCOUNT, ADD).text, "/_gate/enroll")
        form = form_on(page.text, "/_gate/enroll")
        before = all_of("bob", house), all_of("alice", house)

        device = Person("bob", "", key_on(page.text))
        sent = own.fields | {
            "enrollment": form.fields["enrollment"],
            "code": house.code(device),
        }
        answer = people["alice"].post("/_gate/enroll", data=sent)

        assert answer.status_code == 404
        assert (all_of("bob", house), all_of("alice", house)) == before


def test_what_one_began_another_cannot_finish_in_the_same_browser(tmp_path):
    settings = '[second_factor]\nenrollment = "first-login"\n'
    house = Installation(echo, tmp_path, settings)
    bob, carol = (house.add_user(name, enrolled=False) for name in ("bob", "carol"))
    browser = house.client()
    type_password(browser, bob)
    page = browser.get("/_gate/enroll")
    type_password(browser, carol)

    answer, _ = connect(house, browser, page, bob)

    assert answer.status_code == 404
    assert authenticators_of(house, "bob") == []
    assert not is_in(browser)


def form_page(browser, action):
    page = action if action in (CONFIRM, PASSWORD) else ACCOUNT
    return browser.get(page).text


def all_of(name, house):
    """Return everything the store has of a user, but when it was last used."""
    store = house.accounts.store
    return (
        store.user(name),
        [(one.id, one.created) for one in store.sessions(name)],
        [(one.id, one.name, one.last) for one in store.authenticators(name)],
        store.browsers(name),
        store.tokens(name),
        store.recovery_left(name),
    )
