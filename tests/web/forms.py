"""Forms as a browser sees them, and people who fill them in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from urllib.parse import urlsplit

from werkzeug.test import TestResponse

from totp_gate.core import otp
from totp_gate.testing import Client, Installation, Person

HOST = "app.example.com"
SESSION = "__Host-totp_gate"
LOGIN_COOKIE = "__Host-totp_gate_login"
DEVICE = "__Host-totp_gate_device"
ACCOUNT = "/_gate/account"
CODES = "/_gate/account/recovery-codes"
CODE = "/_gate/second-factor"
ENROLL = "/_gate/enroll"
LOGIN = "/_gate/login"
RECOVERY = "/_gate/recovery"


@dataclass
class Form:
    """One form of a page, as it would be sent if nobody typed anything."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    checkboxes: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.forms = []
        self._select = None

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        if tag == "form":
            self.forms.append(Form(known["action"]))
        elif tag == "select":
            self._select = known["name"]
        elif tag == "option" and (
            "selected" in known or self._select not in self.forms[-1].fields
        ):
            self.forms[-1].fields[self._select] = known["value"]
        elif tag == "input" and self.forms and "name" in known:
            if known.get("type") == "checkbox":
                self.forms[-1].checkboxes.append(known["name"])
            else:
                self.forms[-1].fields[known["name"]] = known.get("value") or ""


def forms_on(text: str) -> list[Form]:
    """Return the forms of a page, in order."""
    reader = _Reader()
    reader.feed(text)
    return reader.forms


def form_on(text: str, action: str, **fields: str) -> Form:
    """Return the first form that posts to *action* and carries *fields*."""
    for form in forms_on(text):
        if form.action == action and fields.items() <= form.fields.items():
            return form
    raise AssertionError(f"no form posts to {action} with {fields}")


def press(
    browser: Client, page: str, action: str, *, id: str = "", **typed: str
) -> TestResponse:
    """Open *page*, find the form to *action* (about *id*), fill it in, send it."""
    about = {"id": id} if id else {}
    form = form_on(browser.get(page).text, action, **about)
    return browser.post(form.action, data=form.fields | typed)


def type_password(browser: Client, person: Person) -> TestResponse:
    """Do the first step of signing in."""
    typed = {"username": person.name, "password": person.password}
    return press(browser, LOGIN, LOGIN, **typed)


def cookie(browser: Client, name: str = SESSION) -> str | None:
    """Return the value of a cookie, None: there is none."""
    found = browser.get_cookie(name, domain=HOST)
    return None if found is None else found.value


def give(browser: Client, name: str, value: str) -> None:
    """Put a cookie into a browser."""
    browser.set_cookie(name, value, domain=HOST)


def key_on(text: str) -> bytes:
    """Return the seed an enrollment page shows."""
    key = re.search(r'<code class="key">([^<]+)<', text)[1]
    return otp.parse_secret(key)


def codes_on(text: str) -> list[str]:
    """Return the recovery codes a page shows."""
    return [unescape(code) for code in re.findall(r"<li><code>([^<]+)</code>", text)]


def connect(
    house: Installation,
    browser: Client,
    page: TestResponse,
    person: Person,
    name: str = "Phone",
) -> tuple[TestResponse, Person]:
    """Confirm what an enrollment page shows; return the answer and the new device."""
    device = Person(person.name, person.password, key_on(page.text))
    form = next(one for one in forms_on(page.text) if "enrollment" in one.fields)
    typed = {"code": house.code(device), "name": name}
    return browser.post(form.action, data=form.fields | typed), device


def works(house: Installation, person: Person) -> bool:
    """Tell whether *person* can sign in with the device they hold, in a new browser."""
    house.clock.tick(30)
    browser = house.client()
    type_password(browser, person)
    form = form_on(browser.get(CODE).text, CODE)
    answer = browser.post(CODE, data=form.fields | {"code": house.code(person)})
    return answer.status_code == 303


def remove(browser: Client, id: str) -> TestResponse:
    """Remove an authenticator on the account page, and say so once more when asked."""
    page = f"{ACCOUNT}/remove-authenticator"
    form = form_on(press(browser, ACCOUNT, page, id=id).text, page)
    return browser.post(page, data=form.fields)


def page_of(answer: TestResponse) -> str:
    """Return the page an answer leads to, without what it says there."""
    return urlsplit(answer.headers["Location"]).path


def follow(browser: Client, answer: TestResponse) -> TestResponse:
    """Go where an answer leads, as a browser does: what stands behind # stays with it."""
    return browser.get(answer.headers["Location"].partition("#")[0])


def is_in(browser: Client) -> bool:
    """Tell whether the browser passes the gate."""
    return browser.get("/").status_code == 200


def events_of(house: Installation, user: str = "alice") -> list[tuple[str, str]]:
    """Return names and outcomes of the events of *user*, newest first."""
    found = house.accounts.store.events(user)
    return [(one.event, one.outcome) for one in found]
