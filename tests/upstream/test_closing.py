"""When an answer ends the client's connection: a body that nobody has read."""

from __future__ import annotations

import contextlib

import pytest

from tests.upstream.wires import OK, connect, read_all, understand

pytestmark = pytest.mark.server


@pytest.mark.parametrize("worker_class", ["gthread", "gevent"])
def test_a_small_body_leaves_the_connection_open(running, upstream, worker_class):
    def script(peer):
        while peer.request():
            peer.send(OK)

    upstream.script = script
    with connect(running(worker_class).port) as sock:
        sock.sendall(b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
        assert understand(sock.recv(1000)).all("connection") == ["keep-alive"]
        sock.sendall(b"GET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")

        assert understand(read_all(sock)).body == b"ok"


@pytest.mark.parametrize("worker_class", ["gthread", "gevent"])
def test_an_early_refusal_ends_the_connection(running, upstream, worker_class):
    def refuse(peer):
        peer.head()
        peer.send(b"HTTP/1.1 413 No\r\nContent-Length: 3\r\n\r\nbig")
        peer.reset()

    upstream.script = refuse
    size = 30_000_000
    with connect(running(worker_class).port) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
        with contextlib.suppress(OSError):
            for _ in range(size // 1_000_000):
                sock.sendall(b"x" * 1_000_000)
            sock.sendall(b"GET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        octets = read_all(sock)

    assert octets.count(b"HTTP/1.1 ") == 1
    assert understand(octets).status in {413, 502}
    assert understand(octets).all("connection") == ["close"]
