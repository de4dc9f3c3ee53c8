"""Strangers stand in line, whatever they ask for; whoever has a session does not."""

import pytest

from tests.applications import echo
from tests.web.forms import LOGIN
from totp_gate import gate
from totp_gate.testing import Installation

PUBLIC = '[[rules]]\nname = "open"\npaths = ["/open"]\npolicy = "public"\n'


@pytest.fixture
def house(tmp_path):
    made = Installation(echo, tmp_path, PUBLIC)
    yield made
    made.accounts.store.close()


@pytest.fixture
def stood(monkeypatch):
    """How often somebody stood in line."""
    times = []
    monkeypatch.setattr(gate, "stand_in_line", lambda: times.append(1))
    return times


@pytest.mark.parametrize(
    ("method", "path", "host", "status"),
    [
        pytest.param("GET", "/", "", 303, id="the application"),
        pytest.param("GET", LOGIN, "", 200, id="the sign-in"),
        pytest.param("POST", LOGIN, "", 415, id="an attempt to sign in"),
        pytest.param("GET", "/_gate/account", "", 303, id="a page for others"),
        pytest.param("GET", "/_gate/assets/gate.css", "", 200, id="a style sheet"),
        pytest.param("GET", "/_gate/nothing", "", 404, id="a page there is not"),
        pytest.param("TRACE", "/", "", 405, id="a method that never passes"),
        pytest.param("GET", "/", "elsewhere.example", 400, id="an unknown host"),
        pytest.param("GET", "/a/%2e%2e/b", "", 400, id="an ambiguous path"),
        pytest.param("GET", "/_gate/auth/forward", "", 403, id="a question"),
    ],
)
def test_strangers_wait_for_their_turn_once(house, stood, method, path, host, status):
    answer = house.client().open(
        path, method=method, headers={"Host": host} if host else {}
    )

    assert answer.status_code == status
    assert stood == [1]


@pytest.mark.parametrize(
    "path", ["/", "/open", LOGIN, "/_gate/account", "/_gate/logout"]
)
def test_whoever_has_a_session_waits_for_no_stranger(house, stood, path):
    alice = house.sign_in(house.add_user("alice"))
    stood.clear()

    assert alice.get(path).status_code in {200, 303}
    assert stood == []


@pytest.mark.parametrize("path", ["/open", "/_gate/healthz", "/_gate/readyz"])
def test_what_is_for_everybody_keeps_nobody_waiting(house, stood, path):
    assert house.client().get(path).status_code == 200
    assert stood == []
