"""What somebody made up is told to the audit, without what they chose, and seldom."""

import base64
import json

import pytest

from tests.applications import echo
from tests.web.forms import DEVICE, LOGIN, SESSION, cookie
from totp_gate.telemetry.seldom import MOST, SAY_AGAIN
from totp_gate.testing import Client, Installation

MADE_UP = {
    "no signature": "abc",
    "an empty one": "abc.",
    "a random one": "QUJD" * 8 + "." + "A" * 43,
    "too long": "x" * 4000 + ".y",
}
PUBLIC = '[[rules]]\nname = "all"\npaths = ["/public"]\npolicy = "public"\n'


@pytest.fixture
def house(tmp_path):
    settings = '[audit]\nfile = "audit.log"\n' + PUBLIC
    made = Installation(echo, tmp_path, settings)
    yield made
    made.accounts.store.close()


def told(house, event):
    """The lines of *event*, without what differs from request to request."""
    lines = (house.folder / "audit.log").read_text().splitlines()
    found = [json.loads(line) for line in lines if f'"{event}"' in line]
    return [
        {name: text for name, text in line.items() if name not in {"time", "request"}}
        for line in found
    ]


def ask(house, path="/", address="203.0.113.9", **headers):
    browser = Client(house.gate, use_cookies=False)
    return browser.get(path, headers=headers, environ_base={"REMOTE_ADDR": address})


def refused(event, address="203.0.113.9"):
    return {"event": event, "outcome": "failure", "address": address}


def forged(address="203.0.113.9"):
    return refused("session.forged", address)


class TestCookies:
    @pytest.mark.parametrize("path", ["/", "/public", LOGIN, "/_gate/account"])
    @pytest.mark.parametrize("value", MADE_UP.values(), ids=MADE_UP.keys())
    def test_one_that_is_made_up_is_told_wherever_it_is_shown(self, house, path, value):
        honest = ask(house, path, "203.0.113.8").status_code

        answer = ask(house, path, Cookie=f"{SESSION}={value}")

        assert answer.status_code == honest
        assert told(house, "session.forged") == [forged()]

    def test_nothing_of_it_stands_in_the_line(self, house):
        ask(house, Cookie=f"{SESSION}=hunter2.secret")

        text = (house.folder / "audit.log").read_text()
        assert "hunter2" not in text
        assert "secret" not in text

    def test_one_octet_less_is_a_wrong_signature(self, house):
        alice = house.sign_in(house.add_user("alice"))

        ask(house, Cookie=f"{SESSION}={cookie(alice)[:-1]}")

        assert told(house, "session.forged") == [forged()]

    def test_a_session_that_is_over_or_unknown_is_none(self, house):
        alice = house.sign_in(house.add_user("alice"))
        old = cookie(alice)
        house.accounts.store.end_sessions("alice")
        for path in ("/", "/public", LOGIN, "/_gate/account"):
            ask(house, path, Cookie=f"{SESSION}={old}")
            ask(house, path, Cookie="other=1")

        assert told(house, "session.forged") == []

    def test_a_live_session_is_not_looked_at(self, house, monkeypatch):
        alice = house.sign_in(house.add_user("alice"))
        forgeries = house.gate._judgement.forgeries
        monkeypatch.setattr(forgeries, "look_at_cookies", None)

        assert [alice.get("/").status_code for _ in range(2)] == [200, 200]

    def test_a_flood_is_told_once_a_minute_and_of_few_addresses(self, house):
        for n in range(3 * MOST):
            for _ in range(2):
                ask(house, address=f"10.0.{n // 250}.{n % 250}", Cookie=f"{SESSION}=x")
        assert len(told(house, "session.forged")) == MOST

        house.clock.tick(SAY_AGAIN)
        ask(house, Cookie=f"{SESSION}=x")

        assert told(house, "session.forged")[MOST:] == [forged()]

    def test_one_network_of_ipv6_is_one_address(self, house):
        for n in range(1, 9):
            ask(house, address=f"2001:db8::{n}", Cookie=f"{SESSION}=x")

        assert told(house, "session.forged") == [forged("2001:db8::1")]


class TestBrowsers:
    @pytest.mark.parametrize("path", ["/", "/public", LOGIN])
    @pytest.mark.parametrize("value", MADE_UP.values(), ids=MADE_UP.keys())
    def test_a_cookie_that_is_made_up_is_told(self, house, path, value):
        ask(house, path, Cookie=f"{DEVICE}={value}")

        assert told(house, "browser.forged") == [refused("browser.forged")]
        assert value not in (house.folder / "audit.log").read_text()

    def test_one_of_ours_is_not_whoever_shows_it(self, house):
        alice = house.sign_in(house.add_user("alice"))
        known = cookie(alice, DEVICE)
        ask(house, Cookie=f"{DEVICE}={known}")
        (series,) = house.accounts.store.browsers("alice")
        house.accounts.store.forget_browser("alice", series.id)
        ask(house, Cookie=f"{DEVICE}={known}")

        assert told(house, "browser.forged") == []

    def test_a_session_is_no_browser(self, house):
        alice = house.sign_in(house.add_user("alice"))

        ask(house, Cookie=f"{DEVICE}={cookie(alice)}")

        assert told(house, "browser.forged") == [refused("browser.forged")]


TOKEN = "tg_" + "A" * 43
BASIC = "Basic " + base64.b64encode(f"x:{TOKEN}".encode()).decode()


class TestTokens:
    @pytest.mark.parametrize("path", ["/", "/public"])
    @pytest.mark.parametrize(
        "sent",
        [
            pytest.param({"Gate-Token": TOKEN}, id="in our header"),
            pytest.param({"Gate-Token": "hunter2"}, id="of no form of ours"),
            pytest.param({"Authorization": f"Bearer {TOKEN}"}, id="bearer"),
            pytest.param({"Authorization": BASIC}, id="basic"),
            pytest.param({"Authorization": f"Other {TOKEN}"}, id="in another scheme"),
        ],
    )
    def test_one_that_is_made_up_is_told(self, house, path, sent):
        ask(house, path, **sent)

        text = (house.folder / "audit.log").read_text()
        assert told(house, "token.refused") == [refused("token.refused")]
        assert not [part for part in (TOKEN, "hunter2", BASIC[6:]) if part in text]

    @pytest.mark.parametrize("what", ["revoked", "expired", "of a disabled user"])
    def test_so_is_one_that_is_good_no_more(self, house, what):
        house.add_user("alice")
        now = house.clock()
        tokens = house.accounts.app_tokens
        text, made = tokens.make("alice", "ci", now=now, expires=now + 99)
        ask(house, **{"Gate-Token": text})
        assert told(house, "token.refused") == []
        if what == "revoked":
            tokens.revoke(made.id)
        elif what == "expired":
            house.clock.tick(100)
        else:
            house.accounts.store.change_user("alice", disabled=True)

        ask(house, **{"Gate-Token": text})

        assert told(house, "token.refused") == [refused("token.refused")]
        assert text not in (house.folder / "audit.log").read_text()

    @pytest.mark.parametrize(
        "sent",
        [
            pytest.param({"Authorization": "Bearer of.the.application"}, id="bearer"),
            pytest.param({"Authorization": "Basic YTpi"}, id="basic"),
            pytest.param({"Gate-Token": ""}, id="emptied by a web server"),
        ],
    )
    def test_what_is_the_applications_is_none(self, house, sent):
        ask(house, "/public", **sent)

        assert told(house, "token.refused") == []


class TestLinks:
    def test_one_that_is_made_up_is_told(self, house):
        ask(house, f"/_gate/enroll/{'A' * 32}")

        assert told(house, "link.refused") == [refused("link.refused")]
        assert "AAAA" not in (house.folder / "audit.log").read_text()

    @pytest.mark.parametrize("what", ["replaced", "expired"])
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_so_is_one_that_is_good_no_more(self, house, what, method):
        house.add_user("alice")
        enrollment = house.accounts.enrollment
        now = house.clock()
        secret, _ = enrollment.make_link("alice", "authenticator", now=now, life=99)
        browser = Client(house.gate, use_cookies=False)
        page = f"/_gate/enroll/{secret}"
        assert browser.get(page).status_code == 200
        assert told(house, "link.refused") == []
        if what == "replaced":
            enrollment.make_link("alice", "authenticator", now=now)
        else:
            house.clock.tick(99)

        answer = browser.open(page, method=method, data={"csrf_token": "x"})

        assert answer.status_code == 404
        assert len(told(house, "link.refused")) == 1
        assert secret not in (house.folder / "audit.log").read_text()


class TestHeaders:
    @pytest.mark.parametrize("path", ["/", "/public", LOGIN, "/_gate/healthz"])
    def test_one_that_says_who_asks_is_told_by_its_name_only(self, house, path):
        ask(house, path, **{"Remote-User": "root", "Remote_Groups": "staff\x85"})

        (line,) = told(house, "identity.forged")
        assert line == {
            "event": "identity.forged",
            "outcome": "failure",
            "address": "203.0.113.9",
            "detail": "Remote-Groups, Remote-User",
        }
        assert "root" not in (house.folder / "audit.log").read_text()

    def test_it_is_told_of_whoever_is_signed_in_too(self, house):
        alice = house.sign_in(house.add_user("alice"))

        answer = alice.get("/", headers={"Remote.User": "root"})

        assert answer.json["HTTP_REMOTE_USER"] == "alice"
        (line,) = told(house, "identity.forged")
        assert line["detail"] == "Remote.User"

    def test_other_headers_are_none(self, house):
        ask(house, **{"X-Forwarded-For": "192.0.2.1", "Gate.Token": "tg_x", "X-A": "1"})

        assert told(house, "identity.forged") == []

    def test_a_flood_is_told_once_a_minute_and_of_few_addresses(self, house):
        for n in range(2 * MOST):
            for _ in range(2):
                address = f"10.0.{n // 250}.{n % 250}"
                ask(house, "/_gate/healthz", address, **{"Remote-User": "root"})
        assert len(told(house, "identity.forged")) == MOST

        house.clock.tick(SAY_AGAIN)
        ask(house, "/_gate/healthz", **{"Remote-User": "root"})

        assert len(told(house, "identity.forged")) == MOST + 1
