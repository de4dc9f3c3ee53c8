"""``token``: what programs show instead of signing in."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Terminal
from totp_gate.core.signing import digest


def create(terminal: Terminal, *words: str):
    return terminal.json("token", "create", "Alice", "backup", *words)


def test_a_token_is_made_and_shown_once(alice: Terminal):
    scope = ("--path", "/files/*", "--method", "get", "--network", "10.0.0.0/8")
    made = create(alice, *scope)

    assert made["token"].startswith("tg_")
    (listed,) = alice.json("token", "list", "--user", "ALICE")
    assert listed == {key: made[key] for key in made if key != "token"}
    assert listed["paths"] == ["/files/*"]
    assert listed["methods"] == ["GET"]
    assert listed["networks"] == ["10.0.0.0/8"]
    accounts = alice.open()
    assert accounts.store.token(digest(made["token"])).user == "alice"
    accounts.store.close()


def test_the_printed_token_is_whole(alice: Terminal):
    told = alice.do("token", "create", "alice", "backup", "--expires", "never")

    assert "Token: tg_" in told
    assert "Expires: never" in told


def test_tokens_are_listed_for_people(alice: Terminal):
    create(alice, "--path", "/files/*")

    told = alice.do("token", "list")
    assert "backup" in told
    assert "/files/*" in told
    assert "never" in told
    assert "tg_" not in told


def test_a_token_is_revoked(alice: Terminal):
    made = create(alice)

    assert "revoked" in alice.do("token", "revoke", made["id"])

    assert alice.json("token", "list") == []
    assert "no token" in alice.refused("token", "revoke", made["id"])


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("--path", "files"), id="path"),
        pytest.param(("--method", "G T"), id="method"),
        pytest.param(("--network", "home"), id="network"),
        pytest.param(("--expires", "soon"), id="expiry"),
        pytest.param(("--expires", "0"), id="over already"),
    ],
)
def test_a_scope_without_sense_is_wrong_usage(alice: Terminal, words):
    alice.refused("token", "create", "alice", "backup", *words, code=2)
    assert alice.json("token", "list") == []


def test_nobody_has_no_token(alice: Terminal):
    assert "no user" in alice.refused("token", "create", "carol", "backup")
