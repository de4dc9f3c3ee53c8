"""How long a tunnel lives when one side has ended, or takes nothing."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest

from tests.servers import wait_until
from tests.upstream.test_tunnels import ASK, SWITCH, read_until
from tests.upstream.wires import connect, get
from totp_gate.upstream import tunnel as tunnels
from totp_gate.upstream.proxy import Limits
from totp_gate.upstream.tunnel import Tunnel, TunnelOver
from totp_gate.upstream.wire import Connection

pytestmark = pytest.mark.server


def open_tunnels(server):
    return get(server.port, b"/_gate/tunnels").body


@pytest.mark.parametrize("worker_class", ["gthread", "gevent"])
def test_a_tunnel_whose_application_takes_nothing_ends(gated, upstream, worker_class):
    def deaf(peer):
        peer.head()
        peer.send(SWITCH)
        time.sleep(30)

    upstream.script = deaf
    limits = '{"read_timeout": 1.0}'
    with (
        gated(worker_class, limits=limits) as (server, _),
        connect(server.port) as sock,
    ):
        sock.sendall(ASK)
        read_until(sock, b"\r\n\r\n")
        sock.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            while True:
                sock.sendall(b"x" * 65536)

        wait_until(lambda: open_tunnels(server) == b"0", "its place", seconds=20)


def test_a_tunnel_whose_client_takes_nothing_ends(gated, upstream):
    def flood(peer):
        peer.head()
        peer.send(SWITCH)
        peer.sock.settimeout(60)  # so that it is not this side that ends it
        while True:
            peer.send(b"y" * 65536)

    upstream.script = flood
    limits = '{"read_timeout": 1.0}'
    with gated("gevent", limits=limits) as (server, _), connect(server.port) as sock:
        sock.sendall(ASK)
        read_until(sock, b"\r\n\r\n")

        wait_until(lambda: open_tunnels(server) == b"0", "its place", seconds=30)


@contextlib.contextmanager
def tunnel_between(*, linger=5.0, patience=60.0, clients=None):
    """Run a tunnel: the sockets of browser and application, and when it ended."""
    ended = []
    client, browser = clients or socket.socketpair()
    gate, application = socket.socketpair()
    tunnel = Tunnel(
        client,
        Connection(gate, Limits()),
        opening=b"",
        early=b"",
        alive=lambda: True,
        stops=lambda: False,
        linger=linger,
        patience=patience,
        release=lambda: ended.append(time.monotonic()),
    )
    running = threading.Thread(target=run_out, args=(tunnel,))
    with client, browser, gate, application:
        running.start()
        yield browser, application, ended
        browser.close()
        application.close()
        running.join(10)


def fill(sock):
    """Send until the buffers are full, since nobody reads; return how much went."""
    sock.settimeout(0.2)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while True:
            sent += sock.send(b"x" * 1000)
    return sent


@pytest.mark.parametrize("leaving", ["client", "application"])
def test_what_is_owed_when_one_side_ends_has_the_time_of_lingering(leaving):
    with tunnel_between(linger=0.5) as (browser, application, ended):
        leaver = browser if leaving == "client" else application
        fill(leaver)
        begun = time.monotonic()
        leaver.close()
        wait_until(lambda: ended, "the end", seconds=30)

    assert ended[0] - begun > 0.3


def test_a_tunnel_may_be_idle_for_longer_than_one_side_may_take_nothing(monkeypatch):
    monkeypatch.setattr(tunnels, "INTERVAL", 0.05)  # it looks often at what is owed
    with tunnel_between(patience=3.0) as (browser, application, ended):
        time.sleep(3.2)
        sent = fill(browser)
        time.sleep(0.1)
        application.settimeout(30)
        while sent:
            octets = application.recv(65536)
            assert octets, "the tunnel ended"
            sent -= len(octets)

        assert not ended


def run_out(tunnel):
    with contextlib.suppress(TunnelOver):
        next(tunnel)
