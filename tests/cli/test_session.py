"""``session``: who is signed in, and ending that."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Terminal
from totp_gate.model import Session

IDS = {"alice": ["a" * 64, "ab" + "1" * 62], "bob": ["b" * 64]}


@pytest.fixture
def signed_in(terminal: Terminal) -> Terminal:
    """Alice twice and bob once, one minute apart."""
    accounts = terminal.open()
    for name, ids in IDS.items():
        for number, each in enumerate(ids):
            at = terminal.clock() - 600 + 60 * number
            accounts.store.add_session(
                Session(
                    id=each,
                    user=name,
                    created=at,
                    seen=at,
                    password_at=at,
                    second_factor_at=at,
                    address="192.0.2.7",
                    agent="Firefox \x1b[31m on Linux",
                )
            )
    accounts.store.close()
    return terminal


def users(terminal: Terminal) -> list[str]:
    return sorted(each["user"] for each in terminal.json("session", "list"))


def test_live_sessions_are_listed(signed_in: Terminal):
    assert users(signed_in) == ["alice", "alice", "bob"]
    only = signed_in.json("session", "list", "--user", "BOB")
    assert [each["session"] for each in only] == ["b" * 12]

    told = signed_in.do("session", "list")
    assert "192.0.2.7" in told
    assert "\x1b" not in told


def test_sessions_that_are_over_are_not_listed(signed_in: Terminal):
    signed_in.clock.tick(3601)

    assert users(signed_in) == []


def test_the_sessions_of_a_user_end(signed_in: Terminal):
    assert "2 session(s)" in signed_in.do("session", "revoke", "Alice")

    assert users(signed_in) == ["bob"]


def test_who_is_not_signed_in_is_told_from_who_is_not_there(signed_in: Terminal):
    signed_in.do("user", "add", "carol", "--no-link")

    assert "carol has no session" in signed_in.refused("session", "revoke", "carol")
    assert "no user called eve" in signed_in.refused("session", "revoke", "eve")


def test_one_session_ends(signed_in: Terminal):
    words = ["session", "revoke", "--session", "ab1111111111"]

    assert signed_in.json(*words) == {"name": "alice", "ended": 1}
    assert users(signed_in) == ["alice", "bob"]


def test_a_session_that_is_not_there_is_not_found(signed_in: Terminal):
    assert "no session" in signed_in.refused("session", "revoke", "--session", "c" * 12)
    assert users(signed_in) == ["alice", "alice", "bob"]


def test_everybody_is_signed_out_once_that_is_confirmed(signed_in: Terminal):
    signed_in.refused("session", "revoke", "--all", code=2)
    assert users(signed_in) == ["alice", "alice", "bob"]

    assert "3 session(s)" in signed_in.do("session", "revoke", "--all", "--yes")
    assert users(signed_in) == []
