"""Envoy with the printed configuration, in front of the gate and an application."""

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
def front(tmp_path_factory):
    pytest.importorskip("envoy", reason="tools/environment dev installs it")
    with Front(tmp_path_factory.mktemp("envoy"), "envoy") as front:
        yield front


@pytest.fixture(scope="module")
def alice(front):
    return front.sign_in(front.person("alice"))


class TestEnvoy(Asking):
    """Envoy keeps the contract, but never tells whether there is a body."""

    def test_a_preflight_passes_where_it_has_no_body(self, front):
        asks = ["Origin: https://other.example", "Access-Control-Request-Method: GET"]
        front.app.heads.clear()

        for body in (b"", b"body"):
            answer = front.ask("/api/x", *asks, method="OPTIONS", body=body)
            assert answer.status == 401
        assert front.app.heads == []

    @pytest.mark.parametrize("first", [True, False])
    def test_the_applications_cookies_arrive_octet_for_octet(self, front, alice, first):
        """Of octets beyond ASCII Envoy makes others in whatever it copies."""
        session = f"{COOKIE}={alice.cookies[COOKIE]}"
        theirs = 'a=b=c==; quoted="x y, z"; same=1; same=2; totp_gate_theme=dark'
        sent = f"{session}; {theirs}" if first else f"{theirs}; {session}"

        assert front.ask("/page", f"Cookie: {sent}").status == 200
        assert front.received()["Cookie"] == theirs


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
    assert statuses_without_the_gate(front, alice) == {503}
    assert front.app.heads == []
