from __future__ import annotations

import json
import re

import pytest

from tests.telemetry.asked import ALICE_HERE, NAUGHTY, NOON, Lines
from totp_gate.errors import StoreUnavailable
from totp_gate.model import Event
from totp_gate.telemetry.audit import LONGEST_LINE, Audit, Occasion
from totp_gate.telemetry.inventory import (
    EVENTS,
    MOST_ALIKE,
    MOST_KEPT,
    MOST_OF_GATE,
    OUTCOMES,
    THE_GATE,
)
from totp_gate.telemetry.metrics import Meter


@pytest.fixture
def lines():
    return Lines()


@pytest.fixture
def audit(lines):
    return Audit(lines)


def full(shelf):
    raise OSError(28, "No space left on device")


@pytest.fixture
def kept():
    return []


@pytest.fixture
def keep(kept):
    """Keep what a store would, however much of it there is."""
    return lambda event, *, keep, alike: kept.append((event, keep, alike))


def value(meter, name, **labels):
    """Return what /metrics says of one series."""
    text = meter.text(NOON).decode()
    inside = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    series = re.escape(f"{name}{{{inside}}}" if labels else name)
    return float(re.search(rf"^{series} (\S+)$", text, re.MULTILINE)[1])


def test_a_line_says_when_what_from_where_to_whom(audit, lines):
    audit.event(
        ALICE_HERE,
        "sign-out",
        "success",
        user="alice",
        session="0123456789abcdef0123456789abcdef",
        rule="admin",
        detail="by form",
    )

    assert lines.parsed() == [
        {
            "time": "2026-03-01T12:00:00.250Z",
            "event": "sign-out",
            "outcome": "success",
            "address": "192.0.2.7",
            "user": "alice",
            "request": "0123456789ab",
            "session": "0123456789ab",
            "rule": "admin",
            "detail": "by form",
        }
    ]


def test_the_address_stands_before_anything_a_stranger_chooses(audit, lines):
    audit.sign_in(ALICE_HERE, "password", "failure", "password", user="alice")

    start = '{"time": "2026-03-01T12:00:00.250Z", "event": "sign-in.password", '
    assert lines.written[0].startswith(
        start + '"outcome": "failure", "address": "192.0.2.7", "user"'
    )


def test_a_name_nobody_has_is_left_out(audit, lines):
    audit.sign_in(
        ALICE_HERE, "password", "failure", "unknown-user", user="my secret", known=False
    )

    assert "secret" not in lines.written[0]
    assert "user" not in lines.parsed()[0]


@pytest.mark.parametrize("naughty", NAUGHTY.values(), ids=NAUGHTY.keys())
def test_whatever_a_stranger_sends_is_one_printable_line_of_each_event(
    lines, kept, keep, naughty
):
    audit = Audit(lines, keep=keep)
    here = Occasion(now=NOON, address=naughty, request_id=naughty, agent=naughty)
    everywhere = dict.fromkeys(("user", "session", "rule", "detail"), naughty)
    written = [(event, outcome) for event in EVENTS for outcome in OUTCOMES]
    for event, outcome in written:
        Audit(lines, keep=keep).event(here, event, outcome, **everywhere)
    audit.trouble({"totp_gate.request_id": naughty}, naughty, naughty)

    fields = {"time", "event", "outcome", "address", "user", "request", "session"}
    assert len(lines.written) == len(written) + 1
    for line in lines.written:
        assert re.fullmatch("[ -~]+", line)
        assert line.splitlines() == [line]
        assert len(line) < LONGEST_LINE
        assert all(text.isprintable() for text in json.loads(line).values())
    for line, (event, outcome) in zip(lines.parsed(), written, strict=False):
        assert line.keys() == fields | {"rule", "detail"}
        assert (line["event"], line["outcome"]) == (event, outcome)
    for event, _, _ in kept:
        texts = (event.address, event.agent, event.detail)
        assert all(text.isprintable() and len(text) <= 256 for text in texts)


def test_trouble_names_the_request_and_the_reason(audit, lines):
    audit.trouble({"totp_gate.request_id": "abc"}, "closed", StoreUnavailable("busy"))

    assert lines.parsed()[0] | {"time": ""} == {
        "time": "",
        "event": "trouble",
        "outcome": "failure",
        "request": "abc",
        "detail": "closed: busy",
    }


def test_what_cannot_be_written_goes_to_standard_error_and_stops_nothing(capsys):
    meter = Meter()
    audit = Audit(full, meter=meter)

    audit.event(ALICE_HERE, "sign-out", "success", user="alice")
    audit.event(ALICE_HERE, "sign-out", "success", user="bob")

    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in said] == ["trouble", "sign-out", "sign-out"]
    assert "No space left on device" in said[0]["detail"]
    assert value(meter, "gate_audit_failures_total") == 2


def test_nobody_is_stopped_where_standard_error_is_gone_too(monkeypatch):
    monkeypatch.setattr("totp_gate.telemetry.audit.to_stderr", full)

    Audit(full).event(ALICE_HERE, "sign-out", "success", user="alice")


def test_events_and_sign_ins_are_counted(lines):
    meter = Meter()
    audit = Audit(lines, meter=meter)

    audit.sign_in(ALICE_HERE, "code", "failure", "code", user="alice")

    labels = {"step": "code", "result": "failure"}
    assert value(meter, "gate_sign_ins_total", **labels) == 1
    assert value(meter, "gate_events_total", event="sign-in.code") == 1


def test_the_owner_can_see_what_happened_to_the_account(lines, kept, keep):
    audit = Audit(lines, keep=keep)

    audit.sign_in(ALICE_HERE, "code", "failure", "code", user="alice")

    [(event, _, _)] = kept
    assert event == Event(
        user="alice",
        at=NOON,
        event="sign-in.code",
        outcome="failure",
        address="192.0.2.7",
        agent="Browser/1.0",
        detail="code",
    )


@pytest.mark.parametrize(
    ("event", "outcome", "alike"),
    [
        pytest.param("sign-in.password", "failure", MOST_ALIKE, id="by anybody"),
        pytest.param("sign-in.code", "failure", MOST_ALIKE, id="by a password alone"),
        pytest.param("sign-in.code", "success", None, id="by both factors"),
        pytest.param("password-changed", "success", None, id="by the owner"),
    ],
)
def test_of_what_others_can_cause_an_account_keeps_few(
    lines, kept, keep, event, outcome, alike
):
    Audit(lines, keep=keep).event(ALICE_HERE, event, outcome, user="alice")

    assert [each for _, *each in kept] == [[MOST_KEPT, alike]]


def test_what_leaves_no_account_is_kept_by_the_gate(lines, kept, keep):
    audit = Audit(lines, keep=keep)

    audit.event(ALICE_HERE, "user-removed", "success", user="bob", detail="bob")
    audit.event(ALICE_HERE, "keys-rotated", "success")

    assert [(event.user, event.event, most) for event, most, _ in kept] == [
        (THE_GATE, "user-removed", MOST_OF_GATE),
        (THE_GATE, "keys-rotated", MOST_OF_GATE),
    ]
    assert [line.get("user") for line in lines.parsed()] == ["bob", None]


@pytest.mark.parametrize(
    ("event", "outcome", "user"),
    [
        pytest.param("sign-in.password", "failure", "", id="nobody there is"),
        pytest.param("sign-in.code", "locked", "alice", id="knocking while locked"),
        pytest.param("refused", "failure", "alice", id="asked for again and again"),
    ],
)
def test_strangers_cannot_push_the_owners_events_out(
    lines, kept, keep, event, outcome, user
):
    Audit(lines, keep=keep).event(ALICE_HERE, event, outcome, user=user)

    assert kept == []


def test_a_store_that_keeps_nothing_fails_no_request(lines):
    def broken(event, *, keep, alike):
        raise StoreUnavailable("the state is busy")

    Audit(lines, keep=broken).event(ALICE_HERE, "sign-out", "success", user="alice")

    assert [line["event"] for line in lines.parsed()] == ["sign-out", "trouble"]


def test_every_line_is_offered_to_the_command_but_that_it_failed(lines):
    told = []
    audit = Audit(lines, tell=lambda *what, now: told.append((*what, now)))

    audit.event(ALICE_HERE, "sign-out", "success", user="alice")
    audit.trouble({}, "audit.command", "failed", tell=False)

    [(fields, line, now)] = told
    assert fields["event"], fields["user"] == ("sign-out", "alice")
    assert (line, now) == (lines.written[0], NOON)
    assert len(lines.written) == 2


def test_a_name_nobody_has_costs_what_a_known_one_costs(kept, keep):
    audit = Audit(lambda line: None, keep=keep)
    occasion = Occasion(now=1.0)

    audit.sign_in(occasion, "password", "failure", user="alice", known=True)
    audit.sign_in(occasion, "password", "failure", user="hunter2", known=False)

    assert [(event.user, alike) for event, _, alike in kept] == [
        ("alice", MOST_ALIKE),
        ("", MOST_ALIKE),
    ]
