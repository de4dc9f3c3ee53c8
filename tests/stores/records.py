"""Records for tests: only what a test cares about has to be said."""

from __future__ import annotations

from dataclasses import replace

from tests.stores.conftest import START
from totp_gate.model import Authenticator, Browser, Event, HandOff, Link, Session


def authenticator(
    id: str = "a1", user: str = "alice", **fields: object
) -> Authenticator:
    sealed = f"sealed {id}"
    return replace(Authenticator(id=id, user=user, sealed=sealed), **fields)


def session(id: str = "s1", user: str = "alice", **fields: object) -> Session:
    plain = Session(id=id, user=user, created=START, seen=START, password_at=START)
    return replace(plain, **fields)


def link(digest: str = "l1", user: str = "alice", **fields: object) -> Link:
    plain = Link(
        digest=digest,
        user=user,
        purpose="authenticator",
        created=START,
        expires=START + 600,
    )
    return replace(plain, **fields)


def browser(id: str = "b1", user: str = "alice", **fields: object) -> Browser:
    plain = Browser(
        id=id,
        user=user,
        current="first",
        rotated=START,
        created=START,
        expires=START + 86400,
    )
    return replace(plain, **fields)


def handoff(digest: str = "d1", session: str = "s1", **fields: object) -> HandOff:
    plain = HandOff(
        digest=digest,
        session=session,
        origin="https://wiki.example.com",
        browser="b1",
        sealed=f"sealed {digest}",
        expires=START + 60,
    )
    return replace(plain, **fields)


def event(user: str = "alice", **fields: object) -> Event:
    return replace(Event(user=user, at=START, event="login"), **fields)
