"""What strangers can do without end is one line a minute, however often they do it."""

import json

import pytest

from tests.applications import echo
from tests.web.forms import DEVICE, LOGIN, SESSION, form_on
from totp_gate.telemetry.seldom import MOST, SAY_AGAIN
from totp_gate.testing import Client, Installation

SETTINGS = """
[audit]
file = "audit.log"
[[rules]]
name = "nobody"
paths = ["/no/*"]
policy = "deny"
"""
FORM = {"username": "a", "password": "b", "csrf_token": "x"}
LONG_FORM = {
    "data": b"x" * 200_000,
    "content_type": "application/x-www-form-urlencoded",
}


@pytest.fixture
def house(tmp_path):
    made = Installation(echo, tmp_path, SETTINGS)
    yield made
    made.accounts.store.close()


@pytest.fixture
def lines(house):
    """Return the lines of the audit."""

    def lines():
        text = (house.folder / "audit.log").read_text()
        return [json.loads(line) for line in text.splitlines()]

    return lines


def ask(house, path, address="203.0.113.9", **more):
    browser = Client(house.gate, use_cookies=False)
    return browser.open(path, environ_base={"REMOTE_ADDR": address}, **more)


@pytest.mark.parametrize(
    ("event", "path", "more"),
    [
        pytest.param("form-refused", LOGIN, {"method": "POST", "data": FORM}),
        pytest.param("request-refused", LOGIN, {"method": "POST", **LONG_FORM}),
        pytest.param("refused", "/no/such", {}),
        pytest.param("forward.untrusted", "/_gate/auth/forward", {}),
        pytest.param("session.forged", "/", {"headers": {"Cookie": f"{SESSION}=x.y"}}),
        pytest.param("browser.forged", "/", {"headers": {"Cookie": f"{DEVICE}=x.y"}}),
        pytest.param("token.refused", "/", {"headers": {"Gate-Token": "tg_x"}}),
        pytest.param("link.refused", "/_gate/enroll/none", {}),
        pytest.param("identity.forged", "/", {"headers": {"Remote-User": "root"}}),
        pytest.param("hand-off.given", "/_gate/hand-off?ask=x", {}),
    ],
)
def test_a_flood_is_one_line_and_a_number(house, lines, event, path, more):
    for _ in range(100):
        ask(house, path, **more)
    told = lines()
    house.clock.tick(SAY_AGAIN)
    ask(house, path, **more)

    assert [(one["event"], one.get("count")) for one in told] == [(event, None)]
    assert [(one["event"], one.get("count")) for one in lines()[1:]] == [(event, 100)]


def test_the_figures_count_what_has_no_line(house):
    for _ in range(9):
        ask(house, "/no/such")

    figures = house.accounts.meter.text(house.clock()).decode()
    assert '\ngate_events_total{event="refused"} 9.0\n' in figures


def test_of_ever_new_addresses_few_have_a_line(house, lines):
    for n in range(2 * MOST):
        ask(house, "/no/such", f"10.0.0.{n}")

    assert len(lines()) == MOST


def test_each_reason_has_its_line(house, lines):
    for path, form in ((LOGIN, FORM), ("/_gate/logout", {"csrf_token": "x"})):
        for _ in range(3):
            ask(house, path, method="POST", data=form)

    assert [one["detail"] for one in lines()] == ["/login", "/logout"]


def test_every_refusal_of_somebody_signed_in_has_its_line(house, lines):
    browser = house.sign_in(house.add_user("alice"))
    for _ in range(3):
        browser.get("/no/such")

    assert [one["user"] for one in lines() if one["event"] == "refused"] == [
        "alice"
    ] * 3


def test_every_judged_password_has_its_line_and_knocking_has_one(house, lines):
    house.add_user("alice")
    browser = house.client()
    form = form_on(browser.get(LOGIN).text, LOGIN).fields
    answers = [
        browser.post(LOGIN, data=form | {"username": "alice", "password": "wrong one"})
        for _ in range(20)
    ]

    judged = [answer for answer in answers if answer.status_code == 401]
    outcomes = [one["outcome"] for one in lines()]
    assert 0 < len(judged) < len(answers)
    assert outcomes == ["failure"] * len(judged) + ["locked"]
