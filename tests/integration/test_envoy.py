"""Envoy with the printed configuration, in front of the gate and an application."""

from __future__ import annotations

import sys

import pytest

from tests.integration.asking import AskedEveryTime, Asking
from tests.integration.fronts import COOKIE, Front


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    if sys.platform != "linux":
        pytest.skip("tools/environment dev installs envoy on Linux only")
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


class TestEnvoyIsAskedEveryTime(AskedEveryTime):
    """Envoy repeats no answer."""

    WITHOUT_THE_GATE = 503
