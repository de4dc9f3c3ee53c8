"""Answers and uploads that take their time, or take much room."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path

import pytest

from tests.upstream.wires import OK, always, connect, get, read_all, understand

pytestmark = pytest.mark.server

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
MEGABYTE = b"x" * (1 << 20)


def silent_events(peer):
    peer.head()
    peer.send(EVENTS + b"Transfer-Encoding: chunked\r\n\r\n4\r\na: b\r\n")
    peer.more()


@pytest.mark.parametrize("worker_class", ["sync", "gthread", "gevent"])
def test_an_idle_event_stream_ends_with_its_session(gated, upstream, worker_class):
    upstream.script = silent_events
    with gated(worker_class) as (server, session), connect(server.port) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        octets = b""
        while b"a: b" not in octets:
            octets += sock.recv(1000)
        time.sleep(1.2)
        session.unlink()
        octets += read_all(sock)

    assert not understand(octets).whole


def test_a_busy_stream_ends_with_its_session(gated, upstream):
    broke_off = threading.Event()

    def busy(peer):
        peer.head()
        peer.send(EVENTS + b"\r\n")
        try:
            for _ in range(1500):
                peer.send(b"data: x\n\n")
                time.sleep(0.02)
        except OSError:
            broke_off.set()

    upstream.script = busy
    with gated("gthread") as (server, session), connect(server.port) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        sock.recv(1000)
        session.unlink()
        answer = read_all(sock)

    assert not answer.endswith(b"0\r\n\r\n")
    assert broke_off.wait(30)


@pytest.mark.parametrize("worker_class", ["sync", "gthread", "gevent"])
def test_an_event_stream_ends_cleanly_when_the_server_stops(
    gated, upstream, worker_class
):
    upstream.script = silent_events
    with gated(worker_class) as (server, _), connect(server.port) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        sock.recv(1000)
        server.stop()

        assert read_all(sock).endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("worker_class", ["gthread", "gevent"])
@pytest.mark.parametrize("framing", [b"counted", b"chunked", b"until the close"])
def test_memory_stays_flat_for_a_long_answer(running, upstream, worker_class, framing):
    size = 128

    def long(peer):
        peer.head()
        if framing == b"counted":
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (size << 20))
            for _ in range(size):
                peer.send(MEGABYTE)
        elif framing == b"chunked":
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(size):
                peer.send(b"100000\r\n" + MEGABYTE + b"\r\n")
            peer.send(b"0\r\n\r\n")
        else:
            peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
            for _ in range(size):
                peer.send(MEGABYTE)

    upstream.script = long
    server = running(worker_class)
    with watched(server) as memory, connect(server.port) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        got = count(sock)

    assert got >= size << 20
    assert memory() < 16 << 20


@pytest.mark.parametrize("worker_class", ["gthread", "gevent"])
@pytest.mark.parametrize("chunked", [False, True], ids=["counted", "chunked"])
def test_memory_stays_flat_for_a_long_upload(running, upstream, worker_class, chunked):
    size = 128
    taken = []

    def take(peer):
        peer.head()
        total = len(peer.buffer)
        end = peer.buffer[-5:]
        wanted = (size << 20) if not chunked else float("inf")
        while total < wanted and end != b"0\r\n\r\n":
            octets = peer.sock.recv(1 << 20)
            total += len(octets)
            end = (end + octets)[-5:]
        taken.append(total)
        peer.send(OK)

    upstream.script = take
    server = running(worker_class)
    framing = (
        b"Transfer-Encoding: chunked"
        if chunked
        else b"Content-Length: %d" % (size << 20)
    )
    with watched(server) as memory, connect(server.port) as sock:
        sock.sendall(
            b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n\r\n" % framing
        )
        for _ in range(size):
            sock.sendall(b"100000\r\n" + MEGABYTE + b"\r\n" if chunked else MEGABYTE)
        if chunked:
            sock.sendall(b"0\r\n\r\n")
        answer = understand(read_all(sock))

    assert answer.body == b"ok"
    assert taken[0] >= size << 20
    assert memory() < 16 << 20


@contextlib.contextmanager
def watched(server):
    """How far the worker's peak of resident memory rises above where it began."""
    (worker,) = server.children
    Path(f"/proc/{worker}/clear_refs").write_text("5")
    before = peak(worker)
    yield lambda: peak(worker) - before


def peak(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def count(sock):
    total = 0
    while octets := sock.recv(1 << 20):
        total += len(octets)
    return total


def test_a_client_that_reads_slowly_gets_all_of_it(running, upstream):
    size = 4 << 20
    upstream.script = always(
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (size, b"y" * size)
    )
    with connect(running("gevent").port) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        time.sleep(1.5)
        answer = understand(read_all(sock))

    assert answer.whole
    assert len(answer.body) == size


@pytest.mark.parametrize("worker_class", ["gthread", "gevent"])
def test_an_application_that_reads_slowly_gets_all_of_it(gated, upstream, worker_class):
    size = 8 << 20

    def slow(peer):
        time.sleep(1.5)
        peer.request()
        peer.send(OK)

    upstream.script = slow
    length = b"Content-Length: %d" % size
    with gated(worker_class) as (server, _):
        get(server.port, b"/", length, method=b"POST", body=b"z" * size)

    assert upstream.requests[0][1] == b"z" * size
