"""One sign-in too many is turned away before it costs anything."""

import time

import pytest

from tests.web.test_signin import LOGIN
from totp_gate.core.passwords import Passwords
from totp_gate.errors import Overloaded

PAGE = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}


@pytest.fixture
def full(monkeypatch):
    def check_room(_):
        raise Overloaded("too many", retry_after=7)

    monkeypatch.setattr(Passwords, "check_room", check_room)


@pytest.mark.usefixtures("full")
def test_a_person_is_told_to_come_back_by_a_page_that_quotes_no_request(installation):
    client = installation.client()

    answers = [client.post(LOGIN, data={}, headers=PAGE) for _ in range(2)]

    for answer in answers:
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
        assert "Try again in 7 seconds." in answer.text
        assert "Error 503." in answer.text
        assert "quote" not in answer.text
        assert answer.headers["Cache-Control"] == "no-store"
    assert answers[0].text == answers[1].text


@pytest.mark.usefixtures("full")
def test_a_program_is_told_so_too(installation):
    answer = installation.client().post(
        LOGIN, data={}, headers={"Sec-Fetch-Mode": "cors"}
    )

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    assert answer.json["error"] == "unavailable"


@pytest.mark.usefixtures("full")
def test_nothing_is_read_or_counted(installation, alice):
    client, store = installation.client(), installation.accounts.store

    for body in (b"\xff", b"username=alice&password=x&csrf_token=forged"):
        answer = client.post(LOGIN, data=body, content_type="text/plain")
        assert answer.status_code == 503

    assert not store.counts("", at_least=1)
    assert not store.events(alice.name, limit=9)


@pytest.mark.usefixtures("full")
def test_a_flood_does_not_fill_the_log(installation, capsys, monkeypatch):
    client = installation.client()
    for _ in range(5):
        client.post(LOGIN, data={})
    later = time.time() + 60
    monkeypatch.setattr("time.time", lambda: later)
    client.post(LOGIN, data={})

    lines = capsys.readouterr().err.splitlines()
    assert ["overloaded: too many" in line for line in lines] == [True, True]
    assert '"count": 5' in lines[1]


@pytest.mark.usefixtures("full")
def test_who_is_turned_away_is_counted(installation):
    def refused():
        text = installation.client().get("/_gate/metrics").text
        return int(
            float(text.split("\ngate_passwords_refused_total ")[1].split("\n")[0])
        )

    before = refused()
    installation.client().post(LOGIN, data={})

    assert refused() == before + 1
