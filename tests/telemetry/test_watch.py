from __future__ import annotations

import threading

import pytest

from tests.telemetry.asked import Lines
from tests.telemetry.test_audit import value
from totp_gate.core.passwords import Profile
from totp_gate.errors import Overloaded, StoreUnavailable
from totp_gate.stores.base import Store
from totp_gate.stores.sql import open_store
from totp_gate.telemetry.audit import Audit
from totp_gate.telemetry.metrics import Meter
from totp_gate.telemetry.watch import (
    READS,
    WRITES,
    UpstreamCounts,
    WatchedPasswords,
    watched_store,
)

CHEAP = Profile.cheap_for_tests()
NOT_TIMED = {"instance", "close", "bell"}


@pytest.fixture
def meter():
    return Meter()


@pytest.fixture
def store():
    store = open_store("sqlite://")
    yield store
    store.close()


def test_every_operation_of_a_store_is_on_one_list():
    promised = {name for name in dir(Store) if not name.startswith("_")}

    assert promised == READS | WRITES | NOT_TIMED
    assert not READS & WRITES


def test_a_watched_store_does_what_the_store_does(store, meter):
    watched = watched_store(store, meter)
    watched.ping()

    assert watched.user("nobody") is None
    assert watched.instance() == store.instance()
    assert value(meter, "gate_store_seconds_count", operation="write") == 1
    assert value(meter, "gate_store_seconds_count", operation="read") == 1


def test_the_bell_is_asked_as_cheaply_as_before(store, meter):
    watched = watched_store(store, meter)
    rung = watched.bell.cell[0]

    assert rung == store.bell.cell[0]
    assert watched.__dict__["bell"] is store.bell


def test_a_failure_of_the_store_is_counted_and_passed_on(store, meter):
    watched = watched_store(store, meter)
    store.close()

    with pytest.raises(StoreUnavailable):
        watched.user("alice")
    assert value(meter, "gate_store_failures_total", operation="read") == 1
    assert value(meter, "gate_store_failures_total", operation="write") == 0


def test_passwords_are_timed_and_judged_as_ever(meter):
    passwords = WatchedPasswords(CHEAP, meter)
    before = value(meter, "gate_password_seconds_count")
    stored = passwords.hash("correct horse")

    assert passwords.verify(stored, "correct horse").right
    assert not passwords.verify(None, "correct horse").right
    assert value(meter, "gate_password_seconds_count") == before + 3
    assert value(meter, "gate_passwords_in_progress") == 0


def test_passwords_that_wait_are_in_progress(meter):
    go_on = threading.Event()
    begun = threading.Semaphore(0)

    def slow(work):
        begun.release()
        go_on.wait(20)
        return work()

    passwords = WatchedPasswords(CHEAP, meter, run=slow)
    threads = [
        threading.Thread(target=passwords.verify, args=(None, "x")) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    # Two may be judged at once, so the others wait.
    begun.acquire()
    begun.acquire()
    while value(meter, "gate_passwords_in_progress") < 5:
        pass
    go_on.set()
    for thread in threads:
        thread.join()

    assert value(meter, "gate_passwords_in_progress") == 0


def test_passwords_that_are_turned_away_are_counted(meter):
    def busy(_work):
        raise Overloaded("no memory")

    passwords = WatchedPasswords(CHEAP, meter, run=busy)

    with pytest.raises(Overloaded):
        passwords.verify(None, "x")
    assert value(meter, "gate_passwords_refused_total") == 1
    assert value(meter, "gate_passwords_in_progress") == 0


def test_what_the_proxy_says_is_counted(meter):
    counts = UpstreamCounts(meter)
    counts.answered(200, 0.002, reused=True)
    counts.answered(999, 0.002, reused=False)
    counts.failed("silent")
    counts.tunnel_opened()
    counts.tunnel_opened()
    counts.tunnel_closed(3.0)
    for change in (1, 1, -1):
        counts.idle(change)

    answers = "gate_upstream_answers_total"
    assert value(meter, answers, status="2xx", connection="reused") == 1
    assert value(meter, answers, status="other", connection="new") == 1
    assert value(meter, "gate_upstream_failures_total", kind="silent") == 1
    assert value(meter, "gate_upstream_seconds_count") == 2
    assert value(meter, "gate_tunnels") == 1
    assert value(meter, "gate_tunnels_opened_total") == 2
    assert value(meter, "gate_upstream_idle") == 1


def test_a_certificate_that_does_not_fit_is_told_once_a_minute(meter):
    lines = Lines()
    counts = UpstreamCounts(meter)
    counts.untrusted("", "before there is an audit")
    counts.audit = Audit(lines)

    for number in range(9):
        counts.untrusted(f"request{number}", "expired\nand more")

    (line,) = lines.parsed()
    assert line | {"time": ""} == {
        "time": "",
        "event": "upstream.untrusted",
        "outcome": "failure",
        "request": "request0",
        "detail": "expired?and more",
    }


def test_every_kind_of_trouble_with_the_application_has_its_series():
    from totp_gate.telemetry.figures import METRICS
    from totp_gate.upstream.trouble import UpstreamTrouble

    (kinds,) = [
        metric.labels["kind"]
        for metric in METRICS
        if metric.name == "gate_upstream_failures_total"
    ]
    assert {UpstreamTrouble.kind, "other"} | {
        each.kind for each in UpstreamTrouble.__subclasses__()
    } == set(kinds)
