"""What is remembered of a session is never more than the feed can take back."""

import pytest
import sqlalchemy as sa

from totp_gate.stores import schema


def begin_anew(installation):
    """Forget what the process remembers; return its store and its live sessions."""
    installation.restart()
    return installation.accounts.store, installation.gate._judgement.live


def end(installation):
    assert installation.accounts.store.end_sessions("alice")


def disable(installation):
    store = installation.accounts.store
    store.change_user("alice", disabled=True)


def another_password(installation):
    accounts = installation.accounts
    accounts.store.save_password("alice", accounts.passwords.hash("another one"))


@pytest.mark.parametrize("change", [end, disable, another_password])
@pytest.mark.parametrize("method", ["session", "user"])
def test_what_ends_while_it_is_read_ends(
    installation, alice, monkeypatch, change, method
):
    browser = installation.sign_in(alice)
    store, live = begin_anew(installation)
    live.catch_up(installation.clock())
    read = getattr(store, method)

    def read_and_change(name):
        found = read(name)
        monkeypatch.undo()
        change(installation)
        live.catch_up(installation.clock())  # another thread's request
        return found

    monkeypatch.setattr(store, method, read_and_change)
    again = installation.client()
    again._cookies = browser._cookies
    again.get("/")

    assert again.get("/").status_code == 303


def test_groups_that_change_while_they_are_read_are_told_next_time(
    installation, alice, monkeypatch
):
    browser = installation.sign_in(alice)
    store, live = begin_anew(installation)
    live.catch_up(installation.clock())
    read = store.user

    def read_and_change(name):
        found = read(name)
        monkeypatch.undo()
        store.change_user("alice", groups=("ops",))
        live.catch_up(installation.clock())
        return found

    monkeypatch.setattr(store, "user", read_and_change)
    again = installation.client()
    again._cookies = browser._cookies
    again.get("/")

    assert again.get("/").json["HTTP_REMOTE_GROUPS"] == "ops"


def test_whoever_is_read_twice_at_once_is_ended_once(installation, alice, monkeypatch):
    browser = installation.sign_in(alice)
    store, live = begin_anew(installation)
    again, other = installation.client(), installation.client()
    again._cookies = other._cookies = browser._cookies
    read = store.session

    def read_twice(name):
        monkeypatch.undo()
        assert other.get("/").status_code == 200  # another thread's request
        return read(name)

    monkeypatch.setattr(store, "session", read_twice)
    assert again.get("/").status_code == 200

    end(installation)
    assert [one.get("/").status_code for one in (again, other)] == [303, 303]
    assert live._by_token == {}


def test_a_session_that_is_gone_is_not_served_when_that_is_found_out(
    installation, browser
):
    """A backstop: its row is deleted, and no line of the feed says so."""
    store = installation.accounts.store
    browser.get("/")
    with store._write() as writing:
        writing.connection.execute(sa.delete(schema.sessions))

    installation.clock.tick(61)

    assert browser.get("/").status_code == 303


def test_no_clock_that_is_set_back_makes_a_session_last(installation, browser):
    hour = 3600
    for _ in range(46):
        installation.clock.tick(hour / 2)
        assert browser.get("/").status_code == 200

    installation.clock.tick(-20 * hour)
    assert browser.get("/").status_code == 303
    installation.clock.tick(19 * hour)
    assert browser.get("/").status_code == 303


def test_a_clock_that_is_set_a_little_right_signs_nobody_out(installation, browser):
    installation.clock.tick(-50)

    assert browser.get("/").status_code == 200
