"""What every store promises about app tokens."""

from __future__ import annotations

import math
from dataclasses import replace

from tests.stores.conftest import START, Clock
from totp_gate.model import AppToken, User
from totp_gate.stores.base import Store


def token(id: str = "t1", user: str = "alice", **fields: object) -> AppToken:
    plain = AppToken(id=id, user=user, digest=f"digest {id}", created=START)
    return replace(plain, **fields)


def test_a_token_comes_back_as_added(store: Store):
    scoped = token(
        name="CI",
        methods=("GET", "POST"),
        paths=("/a/*", "/ä"),
        networks=("10.0.0.0/8",),
        expires=START + 60,
    )
    store.add_token(scoped)
    store.add_token(token("t2"))

    assert store.token("digest t1") == scoped
    assert store.token("digest t2").expires == math.inf
    assert store.token("digest t3") is None


def test_tokens_are_listed_newest_first(store: Store):
    store.add_token(token("t1"))
    store.add_token(token("t2", created=START + 1))
    store.add_token(token("t3", "bob", created=START + 2))

    assert [each.id for each in store.tokens("alice")] == ["t2", "t1"]
    assert [each.id for each in store.tokens()] == ["t3", "t2", "t1"]


def test_the_last_use_moves_forward_only(store: Store):
    store.add_token(token())

    assert store.touch_token("digest t1", START + 9) is True
    assert store.touch_token("digest t1", START + 5) is True
    assert store.touch_token("digest t2", START) is False

    assert store.token("digest t1").used == START + 9


def test_a_revoked_token_is_gone_and_announced(store: Store):
    store.add_token(token())
    before = store.last_revocation()
    bell = store.bell.cell[0]

    assert store.remove_token("t1") is True

    assert store.token("digest t1") is None
    assert [line.user for line in store.revoked_since(before)] == ["alice"]
    assert store.bell.cell[0] != bell
    assert store.remove_token("t1") is False


def test_only_the_owner_revokes(store: Store):
    store.add_token(token())

    assert store.remove_token("t1", user="bob") is False
    assert store.token("digest t1") is not None
    assert store.remove_token("t1", user="alice") is True


def test_tokens_go_with_their_user(store: Store, clock: Clock):
    store.add_users([User(name="alice", password_hash="x", created=clock())])
    store.add_token(token())

    store.remove_user("alice")

    assert store.tokens() == []
