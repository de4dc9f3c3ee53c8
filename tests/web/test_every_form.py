"""One table over all forms of the gate: what is not sent from its own page does nothing.

Each form is brought to where sending it would act. Then it is sent in every wrong way,
and the whole state must be what it was; then in the right way, and it must not be.
"""

import base64
import json
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from tests.applications import echo
from tests.web.forms import (
    ACCOUNT,
    CODE,
    ENROLL,
    LOGIN,
    LOGIN_COOKIE,
    RECOVERY,
    SESSION,
    Form,
    connect,
    cookie,
    form_on,
    forms_on,
    key_on,
    press,
    type_password,
)
from totp_gate.testing import ORIGIN, Installation

LOGOUT = "/_gate/logout"
HELD = "/_gate/held"
NEW = "plover-meridian-quartz-71"
SETTINGS = '[second_factor]\nenrollment = "first-login"\ntrusted_device = "30d"\n'
DAY = 86_400


@pytest.fixture
def house(tmp_path):
    made = Installation(echo, tmp_path, SETTINGS)
    yield made
    made.accounts.store.close()


def half_way(house, name):
    """Somebody who has typed the password."""
    person = house.add_user(name)
    browser = house.client()
    type_password(browser, person)
    return browser, person


def signed_in(house, name):
    person = house.add_user(name)
    return house.sign_in(person), person


def new_password(**more):
    return {"password": NEW, "password_again": NEW} | more


def login(house, name):
    person = house.add_user(name)
    browser = house.client()
    typed = {"username": name, "password": person.password}
    return browser, form_on(browser.get(LOGIN).text, LOGIN), typed


def second_factor(house, name):
    browser, person = half_way(house, name)
    typed = {"code": house.code(person), "trust_device": "yes"}
    return browser, form_on(browser.get(CODE).text, CODE), typed


def recovery(house, name):
    browser, _ = half_way(house, name)
    (code, *_) = house.accounts.recovery.renew(name, now=house.clock())
    return browser, form_on(browser.get(RECOVERY).text, RECOVERY), {"code": code}


def start_over(house, name):
    browser, _ = half_way(house, name)
    return browser, form_on(browser.get(CODE).text, LOGOUT), {}


def logout(house, name):
    browser, _ = signed_in(house, name)
    return browser, form_on(browser.get(LOGOUT).text, LOGOUT), {}


def step_up(house, name):
    browser, person = signed_in(house, name)
    house.clock.tick(30)
    form = form_on(browser.get(CODE).text, CODE)
    return browser, form, {"code": house.code(person)}


def first_enrollment(house, name):
    person = house.add_user(name, enrolled=False)
    browser = house.client()
    type_password(browser, person)
    return (browser, *to_confirm(house, person, browser.get(ENROLL)))


def to_confirm(house, person, page):
    code = house.code(replace(person, seed=key_on(page.text)))
    return form_on(page.text, ENROLL), {"code": code, "name": "Phone"}


def link_of(house, name):
    person = house.add_user(name, enrolled=False)
    secret, _ = house.accounts.enrollment.make_link(
        name, "password-and-authenticator", now=house.clock()
    )
    return person, house.client(), f"{ENROLL}/{secret}"


def link_opened(house, name):
    _, browser, link = link_of(house, name)
    return browser, form_on(browser.get(link).text, link), {}


def link_password(house, name):
    _, browser, link = link_of(house, name)
    page = press(browser, link, link)
    return browser, form_on(page.text, link), new_password()


def link_confirmed(house, name):
    person, browser, link = link_of(house, name)
    opened = form_on(press(browser, link, link).text, link)
    page = browser.post(link, data=opened.fields | new_password())
    return (browser, *to_confirm(house, person, page))


def added(house, name):
    browser, person = signed_in(house, name)
    page = press(browser, ACCOUNT, f"{ACCOUNT}/add-authenticator")
    return (browser, *to_confirm(house, person, page))


def confirm(house, name):
    browser, person = signed_in(house, name)
    house.clock.tick(30)
    page = f"{ACCOUNT}/confirm"
    typed = {"password": person.password, "code": house.code(person)}
    return browser, form_on(browser.get(page).text, page), typed


def password(house, name):
    browser, person = signed_in(house, name)
    house.clock.tick(30)
    page = f"{ACCOUNT}/password"
    typed = {"current_password": person.password, "code": house.code(person)}
    return browser, form_on(browser.get(page).text, page), new_password(**typed)


def account(action, **typed):
    """A form of the account page of somebody who has one of everything."""

    def prepare(house, name):
        browser, person = signed_in(house, name)
        page = press(browser, ACCOUNT, f"{ACCOUNT}/add-authenticator")
        connect(house, browser, page, person)
        other = house.client()
        house.clock.tick(30)
        type_password(other, person)
        code = house.code(person)
        press(other, CODE, CODE, code=code, trust_device="yes")
        press(browser, ACCOUNT, f"{ACCOUNT}/make-token", name="backup")
        shown = browser.get(ACCOUNT).text
        return browser, form_on(shown, f"{ACCOUNT}/{action}"), typed

    return prepare


def held(number):
    def prepare(house, name):
        browser, person = signed_in(house, name)
        house.clock.tick(3601)
        sent = {"Origin": ORIGIN}
        browser.post("/comment", data={"text": "long"}, headers=sent)
        house.sign_in(person, browser)
        form = [f for f in forms_on(browser.get(HELD).text) if f.action == HELD][number]
        return browser, form, {}

    return prepare


FORMS = {
    "/login": login,
    "/second-factor": second_factor,
    "/second-factor, signed in": step_up,
    "/recovery": recovery,
    "/logout, half-way in": start_over,
    "/logout": logout,
    "/enroll, first": first_enrollment,
    "/enroll, from a link": link_confirmed,
    "/enroll, one more": added,
    "/enroll/<secret>": link_opened,
    "/enroll/<secret>, password": link_password,
    "/held, send": held(0),
    "/held, drop": held(1),
    "/account/confirm": confirm,
    "/account/password": password,
    "/account/end-session": account("end-session"),
    "/account/end-others": account("end-others"),
    "/account/rename-authenticator": account("rename-authenticator", name="Mine"),
    "/account/remove-authenticator": account("remove-authenticator", sure="yes"),
    "/account/add-authenticator": account("add-authenticator"),
    "/account/new-recovery-codes": account("new-recovery-codes"),
    "/account/forget-browser": account("forget-browser"),
    "/account/make-token": account("make-token", name="another"),
    "/account/revoke-token": account("revoke-token"),
}

SHOW_ONLY = {
    "/enroll/<secret>": 'name="password"',
    "/enroll/<secret>, password": "<svg",
    "/account/add-authenticator": "<svg",
}
"""Forms that change nothing by themselves, and what they show."""


def state_of(house, browser):
    """Return everything that is written down anywhere, and who the browser is."""
    with closing(sqlite3.connect(house.folder / "gate.db")) as connection:
        dump = list(connection.iterdump())
    known = [cookie(browser, name) is not None for name in (SESSION, LOGIN_COOKIE)]
    return dump, known, echo.calls


def claims_of(token):
    text = token.partition(".")[0]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def forged(house, token, **claims):
    """A token with our signature that says something else."""
    return house.accounts.tokens.write("form", claims_of(token) | claims)


def wrong_ways(house, browser, form, typed, stranger):
    """Every way to send a form that is wrong; by name, what sends it."""
    sent = form.fields | typed
    own = form.fields["csrf_token"]
    bare = {key: value for key, value in sent.items() if key != "csrf_token"}

    def post(fields, **headers):
        return lambda: browser.post(form.action, data=fields, headers=headers)

    def with_token(token):
        return post(bare | {"csrf_token": token})

    theirs = stranger.fields["csrf_token"]
    now = int(house.clock())
    evil = "https://evil.example"
    return {
        "without token": post(bare),
        "with an empty token": with_token(""),
        "with nonsense for a token": with_token("x.y"),
        "with the token of another session": with_token(theirs),
        "with the token of another form": with_token(forged(house, own, a="/other")),
        "with a token of yesterday": with_token(forged(house, own, t=now - DAY)),
        "with a token of tomorrow": with_token(forged(house, own, t=now + DAY)),
        "with a token nobody signed": with_token(own[:-4] + "AAAA"),
        "from a foreign origin": post(sent, Origin=evil),
        "from our origin over http": post(sent, Origin=ORIGIN.replace("https", "http")),
        "from a foreign site": post(sent, **{"Sec-Fetch-Site": "cross-site"}),
        "from a sibling": post(sent, **{"Sec-Fetch-Site": "same-site"}),
    }


@pytest.mark.parametrize("name", list(FORMS))
def test_a_form_acts_only_when_sent_from_its_own_page(house, name):
    prepare = FORMS[name]
    _, stranger, _ = prepare(house, "mallory")
    browser, form, typed = prepare(house, "alice")
    before = state_of(house, browser)

    harmful = []
    for way, send in wrong_ways(house, browser, form, typed, stranger).items():
        answer = send()
        if not 400 <= answer.status_code < 500 or state_of(house, browser) != before:
            harmful.append((way, answer.status))
    assert harmful == []

    answer = send_as_link(house, browser, form, typed)
    assert state_of(house, browser) == before, f"by GET: {answer.status}"

    answer = browser.post(form.action, data=form.fields | typed)
    assert answer.status_code in {200, 303}
    if name in SHOW_ONLY:
        assert SHOW_ONLY[name] in answer.text
    else:
        assert state_of(house, browser) != before


def send_as_link(house, browser, form, typed):
    """Send a form as a link would, and by somebody without any cookie."""
    sent = form.fields | typed
    house.client().post(form.action, data=sent)
    return browser.get(form.action, query_string=sent)


def test_the_table_has_every_form_there_is(house):
    routes = house.gate._parts.routes._pages
    there = {path for path, methods in routes.items() if "POST" in methods}

    assert {name.partition(",")[0] for name in FORMS} == there


def test_a_form_is_read_as_a_browser_reads_it():
    text = '<form method="post" action="/a"><input name="x" value="&lt;1"></form>'

    assert forms_on(text) == [Form("/a", {"x": "<1"})]
