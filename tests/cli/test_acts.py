"""Whatever a command changes, `audit tail` tells afterwards, wherever the audit goes."""

from __future__ import annotations

import os
from pathlib import Path

from tests.cli.conftest import PASSWORD, Terminal
from tests.telemetry.test_inventory import said
from totp_gate.accounts.guessing import Visitor
from totp_gate.model import Session
from totp_gate.telemetry.audit import Occasion
from totp_gate.telemetry.inventory import THE_GATE

CLI = Path(__file__).resolve().parents[2] / "totp_gate" / "cli"
STDIN = PASSWORD + "\n"
SECRET = "GEZDGNBVGY3TQOJQMFRGGZDFMZTWQ2LK\n"
VISITOR = Visitor(address="192.0.2.7")

#: Command, what it reads, whose the event is, and which.
ACTS = [
    ("user add bob", None, "bob", "user-added"),
    ("user set bob --group staff", None, "bob", "user-changed"),
    ("user link bob", None, "bob", "link-made"),
    ("user link bob --withdraw", None, "bob", "link-withdrawn"),
    ("user add-authenticator bob --secret-stdin", SECRET, "bob", "enrollment"),
    ("user passwd bob --password-stdin", STDIN, "bob", "password-set"),
    ("user reset-second-factor bob", None, "bob", "second-factor-reset"),
    ("user reset-password bob", None, "bob", "password-reset"),
    ("user disable bob", None, "bob", "user-disabled"),
    ("user enable bob", None, "bob", "user-enabled"),
    ("user unlock alice", None, "alice", "user-unlocked"),
    ("token create bob ci", None, "bob", "token-made"),
    ("token revoke {token}", None, "bob", "token-revoked"),
    ("session revoke alice", None, "alice", "sessions-revoked"),
    ("session revoke --all --yes", None, THE_GATE, "all-sessions-revoked"),
    ("user import -", "name\ncarol\ndora\n", THE_GATE, "users-imported"),
    ("key rotate", None, THE_GATE, "keys-rotated"),
    ("key prune", None, THE_GATE, "keys-pruned"),
    ("user remove bob --yes", None, THE_GATE, "user-removed"),
]


def use(terminal: Terminal) -> None:
    """Let alice have a session and failed attempts."""
    accounts = terminal.open()
    now = terminal.clock()
    session = Session(
        id="1" * 64, user="alice", host="a", created=now, seen=now, password_at=now
    )
    accounts.store.add_session(session)
    accounts.guessing.begin("password", "alice", VISITOR, known=True, now=now)
    accounts.store.close()


def test_every_act_of_a_command_leaves_its_event(alice: Terminal):
    use(alice)
    for words, given, user, event in ACTS:
        tokens = alice.json("token", "list")
        words = words.format(token=tokens[0]["id"] if tokens else "")
        alice.do(*words.split(), input=given)
        newest = alice.json("audit", "tail", "--lines", "1")[0]

        assert (newest["user"], newest["event"]) == (user, event)
        assert newest["agent"] == "totp-gate " + " ".join(words.split()[:2])
        assert f"by user id {os.getuid()}" in newest["detail"]


def test_no_act_of_a_command_is_missing_above():
    written = set().union(*(said(path.read_text())[0] for path in CLI.glob("*.py")))

    assert written == {event for _, _, _, event in ACTS}


def test_the_first_user_is_an_act_too(empty: Terminal):
    empty.do("init", "--origin", "https://app.example.com", "--user", "alice")

    (only,) = empty.json("audit", "tail")
    assert (only["user"], only["event"]) == ("alice", "user-added")


def test_whoever_was_removed_is_named_and_the_gates_events_stay(alice: Terminal):
    alice.do("user", "remove", "alice", "--yes")
    accounts = alice.open()
    for number in range(60):
        asked = Occasion(now=alice.clock(), address=f"192.0.2.{number}")
        accounts.audit.sign_in(asked, "password", "failure", user="x", known=False)
    accounts.store.close()

    (kept,) = alice.json("audit", "search", "--user", THE_GATE)
    assert kept["event"] == "user-removed"
    assert kept["detail"].startswith("alice, ")
