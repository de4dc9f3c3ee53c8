"""Tunnels to an application over TLS, and behind the server's own."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.servers import Gunicorn, wait_until
from tests.upstream.certificates import believing, certificate_for, serving
from tests.upstream.test_tunnel_ends import tunnel_between
from tests.upstream.test_tunnels import ASK, SWITCH, echo, read_until
from tests.upstream.wires import RawUpstream, connect, read_all
from totp_gate.upstream import tunnel as tunnels

pytestmark = pytest.mark.server

NOT_NOW = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError)


@pytest.fixture
def tls_upstream(tmp_path):
    """An application over TLS, and the certificate it shows."""
    certificate = certificate_for(tmp_path)
    upstream = RawUpstream(context=serving(certificate))
    yield upstream, certificate
    upstream.close()


def answering_late(peer):
    """Switch; say the last word when the client has long finished."""
    peer.head()
    peer.send(SWITCH)
    time.sleep(0.5)
    peer.send(b"the last word")


@pytest.mark.parametrize("worker_class", ["sync", "gthread", "gevent"])
def test_a_client_that_has_finished_still_gets_plain_text_of_a_tls_application(
    tls_upstream, worker_class
):
    upstream, certificate = tls_upstream
    upstream.script = answering_late
    env = {"UPSTREAM": upstream.url, "CA_FILE": certificate}
    app = "tests.upstream.apps:proxy()"
    with (
        Gunicorn(app, worker_class=worker_class, env=env) as server,
        connect(server.port) as sock,
    ):
        sock.sendall(ASK)
        read_until(sock, b"\r\n\r\n")
        sock.shutdown(1)

        assert read_all(sock) == b"the last word"


def test_much_passes_to_and_from_a_tls_application(tls_upstream):
    upstream, certificate = tls_upstream
    upstream.script = echo
    env = {"UPSTREAM": upstream.url, "CA_FILE": certificate}
    app = "tests.upstream.apps:proxy()"
    with (
        Gunicorn(app, worker_class="gevent", env=env) as server,
        connect(server.port) as sock,
    ):
        sock.sendall(ASK)
        read_until(sock, b"\r\n\r\n")

        assert echoed(sock, os.urandom(4 << 20))


def echoed(sock, sent):
    """Send *sent* and see whether the same comes back.

    In one thread: OpenSSL lets no two use a connection at once.
    """
    got, rest = bytearray(), memoryview(sent)
    deadline = time.monotonic() + 60
    sock.settimeout(0)
    while len(got) < len(sent) and time.monotonic() < deadline:
        select.select([sock], [sock] if rest else [], [], 0.1)
        with contextlib.suppress(*NOT_NOW):
            while rest:
                rest = rest[sock.send(rest[:16384]) :]
        with contextlib.suppress(*NOT_NOW):
            while octets := sock.recv(65536):
                got.extend(octets)
    sock.settimeout(60)
    return bytes(got) == sent


@pytest.fixture
def encrypted(upstream, tmp_path):
    """Start the proxy behind gunicorn's own TLS; connect to it."""
    certificate = certificate_for(tmp_path)

    @contextlib.contextmanager
    def start(worker_class):
        env = {"UPSTREAM": upstream.url, "LIMITS": '{"linger": 1.0}'}
        with Gunicorn(
            "tests.upstream.apps:proxy()",
            worker_class=worker_class,
            env=env,
            arguments=["--certfile", certificate],
        ) as server:
            context = believing(certificate)

            def reach():
                return context.wrap_socket(
                    connect(server.port), server_hostname="127.0.0.1"
                )

            yield reach
            # The look whether it listens already costs gevent a traceback of its own.
            assert "totp_gate/upstream" not in server.stderr, server.stderr

    return start


@pytest.mark.parametrize("worker_class", ["sync", "gthread", "gevent"])
def test_a_tunnel_behind_the_servers_own_tls(encrypted, upstream, worker_class):
    upstream.script = echo
    # One TLS record: the server reads 8 KiB of it, and no poll tells of the rest.
    early = b"e" * (16_000 - len(ASK))
    with encrypted(worker_class) as reach:
        with reach() as sock:
            sock.sendall(ASK + early)
            octets = read_until(sock, b"\r\n\r\n")
            while not octets.endswith(early):
                octets += sock.recv(65536)
            assert echoed(sock, os.urandom(2 << 20))
        wait_until(lambda: not upstream.open, "the application's end closed")


@pytest.mark.parametrize("worker_class", ["gthread", "gevent"])
def test_a_client_that_leaves_an_idle_stream_behind_tls_is_noticed(
    encrypted, upstream, worker_class
):
    def silent(peer):
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        peer.more()

    upstream.script = silent
    with encrypted(worker_class) as reach:
        with reach() as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            read_until(sock, b"\r\n\r\n")
            time.sleep(1.5)
            assert upstream.open
        wait_until(lambda: not upstream.open, "the application's end", seconds=8)


def test_what_tls_holds_already_is_not_waited_for(monkeypatch, tmp_path):
    monkeypatch.setattr(tunnels, "INTERVAL", 30.0)
    certificate = certificate_for(tmp_path)
    ends = socket.socketpair()
    with ThreadPoolExecutor(1) as pool:
        accepting = pool.submit(serving(certificate).wrap_socket, ends[0], True)
        browser = believing(certificate).wrap_socket(
            ends[1], server_hostname="127.0.0.1"
        )
        client = accepting.result()
    browser.sendall(b"x" * 16_000)
    assert client.recv(1) == b"x"  # of one record, as a server that reads a head does

    with tunnel_between(clients=(client, browser)) as (_, application, _):
        application.settimeout(5)
        come = b""
        while len(come) < 15_999:
            come += application.recv(65536)
