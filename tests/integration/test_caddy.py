"""Caddy with the printed configuration, in front of the gate and an application."""

from __future__ import annotations

import pytest

from tests.integration.asking import Asking
from tests.integration.fronts import (
    COOKIE,
    Front,
    statuses_without_the_gate,
    until_refused,
)
from tests.upstream.wires import ask


@pytest.fixture(scope="module")
def front(tmp_path_factory, program):
    program("caddy")
    with Front(tmp_path_factory.mktemp("caddy"), "caddy") as front:
        yield front


@pytest.fixture(scope="module")
def alice(front):
    return front.sign_in(front.person("alice"))


class TestCaddy(Asking):
    """Caddy keeps the contract."""


def test_the_end_of_a_session_is_felt_at_once(front):
    visitor = front.sign_in(front.person("short"))
    assert front.ask("/page", visitor=visitor).status == 200
    front.installation.accounts.store.end_sessions("short")

    assert until_refused(front, visitor) < 2


def test_the_gate_itself_passes_nothing_on(front, alice):
    front.app.heads.clear()
    head = (
        f"GET /public/page HTTP/1.1\r\nHost: 127.0.0.1:{front.port}\r\n"
        f"Cookie: {COOKIE}={alice.cookies[COOKIE]}\r\nConnection: close\r\n\r\n"
    )

    answer = ask(front.gate.port, head.encode())

    assert answer.status == 404
    assert front.app.heads == []


def test_a_dead_gate_is_a_closed_one(front, alice):
    assert statuses_without_the_gate(front, alice) == {502}
    assert front.app.heads == []
