"""No look-up of a request or a sign-in reads a whole table."""

from __future__ import annotations

import math

import pytest
from sqlalchemy import event, text

from tests.stores.conftest import START
from tests.stores.records import (
    authenticator,
    browser,
    handoff,
    link,
    session,
)
from tests.stores.records import (
    event as happened,
)
from totp_gate.model import User

LOOK_UPS = {
    "user": lambda s: s.user("alice"),
    "change_user": lambda s: s.change_user("alice", disabled=True),
    "save_password": lambda s: s.save_password("alice", "h"),
    "remove_user": lambda s: s.remove_user("alice"),
    "authenticators": lambda s: s.authenticators("alice"),
    "add_authenticator": lambda s: s.add_authenticator(authenticator("a2"), only=False),
    "first_authenticator": lambda s: s.add_authenticator(
        authenticator("a2"), only=True
    ),
    "remove_authenticator": lambda s: s.remove_authenticator(
        "alice", "a1", even_last=True
    ),
    "accept_step": lambda s: s.accept_step("a1", 7, now=START),
    "last_step": lambda s: s.last_step("a1"),
    "session": lambda s: s.session("s1"),
    "sessions": lambda s: s.sessions("alice"),
    "add_session": lambda s: s.add_session(session("s2"), max_per_user=1),
    "touch_session": lambda s: s.touch_session("s1", START + 60),
    "replace_session": lambda s: s.replace_session("s1", session("s2")),
    "end_session": lambda s: s.end_session("s1"),
    "end_sessions": lambda s: s.end_sessions("alice", keep="s2"),
    "forget_expired": lambda s: s.forget_expired(idle_before=9, created_before=9),
    "revoked_since": lambda s: s.revoked_since(0),
    "last_revocation": lambda s: s.last_revocation(),
    "links": lambda s: s.links("alice"),
    "remove_links": lambda s: s.remove_links("alice"),
    "add_link": lambda s: s.add_link(link("l2")),
    "spend_recovery": lambda s: s.spend_recovery("alice", "r1", now=START),
    "recovery_left": lambda s: s.recovery_left("alice"),
    "rotate_browser": lambda s: s.rotate_browser(
        "b1", "alice", shown="first", next="second", now=START, grace=30
    ),
    "begin_attempt": lambda s: s.begin_attempt(
        ["a", "b"], now=START, judge=lambda _: None
    ),
    "refused_attempt": lambda s: s.begin_attempt(
        ["a"], now=START, judge=lambda _: math.inf
    ),
    "forgive": lambda s: s.forgive(["a"], one=True),
    "counts": lambda s: s.counts("p:", at_least=2),
    "add_hand_off": lambda s: s.add_hand_off(handoff()),
    "take_hand_off": lambda s: s.take_hand_off("d1", now=START),
    "add_event": lambda s: s.add_event(happened()),
    "events": lambda s: s.events("alice", event="login", outcome="failure"),
}


@pytest.fixture
def filled(open_file):
    store = open_file()
    store.add_users([User(name="alice")])
    store.add_authenticator(authenticator(), only=True)
    store.add_session(session())
    store.add_link(link())
    store.replace_recovery("alice", ["r1"], START)
    store.add_browser(browser())
    return store


@pytest.mark.parametrize("name", LOOK_UPS)
def test_nothing_is_searched_row_by_row(filled, name: str):
    said: list[tuple[str, object]] = []

    def listen(_c, _cursor, statement, parameters, _context, many) -> None:
        if not many and statement.split()[0] in {"SELECT", "UPDATE", "DELETE"}:
            said.append((statement, parameters))

    engine = filled._database._engine
    event.listen(engine, "before_cursor_execute", listen)
    LOOK_UPS[name](filled)
    event.remove(engine, "before_cursor_execute", listen)

    with filled._database.read() as connection:
        plans = [
            (step.detail, statement)
            for statement, parameters in said
            for step in connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {statement}", parameters
            )
        ]
    # The feed is short, and walked from its beginning only as far as needed.
    searched = [
        (detail, statement)
        for detail, statement in plans
        if detail.startswith("SCAN")
        and detail != "SCAN CONSTANT ROW"
        and "feed" not in statement
    ]
    assert searched == []


def test_the_newest_events_of_all_are_read_backwards(filled):
    with filled._database.read() as connection:
        plan = connection.execute(
            text(
                "EXPLAIN QUERY PLAN SELECT * FROM events ORDER BY number DESC LIMIT 50"
            )
        ).all()

    assert not any("TEMP B-TREE" in step.detail for step in plan)
