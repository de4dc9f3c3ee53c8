"""``audit``: what happened to accounts lately."""

import pytest

from totp_gate.model import Event
from totp_gate.telemetry.inventory import EVENTS

UNKEPT = [name for name, kind in EVENTS.items() if not kind.kept]


@pytest.fixture
def busy(terminal):
    """A terminal where three things have happened, one of them to nobody."""
    accounts = terminal.open()
    told = [
        ("alice", "sign-in.password", "failure", "192.0.2.7"),
        ("", "sign-in.password", "failure", "192.0.2.7"),
        ("bob", "sign-in.code", "success", "192.0.2.8"),
        ("alice", "sign-in.code", "success", "192.0.2.9"),
    ]
    for number, (user, event, outcome, address) in enumerate(told):
        accounts.store.add_event(
            Event(
                user=user,
                at=terminal.clock() + number,
                event=event,
                outcome=outcome,
                address=address,
                detail="odd \x1b[31m detail",
            )
        )
    accounts.store.close()
    return terminal


def found(terminal, *words):
    return [(one["user"], one["event"]) for one in terminal.json("audit", *words)]


def test_the_newest_come_last_and_nobodys_not_at_all(busy):
    assert found(busy, "tail") == [
        ("alice", "sign-in.password"),
        ("bob", "sign-in.code"),
        ("alice", "sign-in.code"),
    ]


def test_so_many_are_shown_as_were_asked_for(busy):
    assert found(busy, "tail", "--lines", "3") == [
        ("alice", "sign-in.password"),
        ("bob", "sign-in.code"),
        ("alice", "sign-in.code"),
    ]


def test_only_events_that_are_kept_can_be_looked_for(busy):
    offered = busy.refused("audit", "search", "--event", "request-refused", code=2)

    assert "'sign-in.code'" in offered
    assert all(f"'{name}'" not in offered.partition("one of")[2] for name in UNKEPT)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(["--user", "BOB"], [("bob", "sign-in.code")], id="a user"),
        pytest.param(
            ["--outcome", "failure"], [("alice", "sign-in.password")], id="an outcome"
        ),
        pytest.param(
            ["--address", "192.0.2.9"], [("alice", "sign-in.code")], id="an address"
        ),
        pytest.param(
            ["--event", "sign-in.code", "--lines", "1"],
            [("alice", "sign-in.code")],
            id="the newest of a kind",
        ),
    ],
)
def test_a_search_shows_what_fits(busy, words, expected):
    assert found(busy, "search", *words) == expected


def test_no_control_character_reaches_the_terminal(busy):
    assert "\x1b" not in busy.do("audit", "tail")


def test_an_event_there_is_not_is_a_wrong_usage(busy):
    busy.refused("audit", "search", "--event", "nothing", code=2)
