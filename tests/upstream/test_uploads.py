"""When a client's body reaches the application, and what it holds meanwhile."""

from __future__ import annotations

import time

import pytest

from tests.servers import Gunicorn, wait_until
from tests.upstream.wires import OK, connect, get, read_all, understand

pytestmark = pytest.mark.server

POST = b"POST /form HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"


@pytest.fixture(scope="module")
def one_at_a_time():
    """An application that serves one connection, and then the next."""
    with Gunicorn("tests.upstream.apps:hello", worker_class="sync") as application:
        yield application


@pytest.mark.parametrize("worker_class", ["gthread", "gevent"])
@pytest.mark.parametrize("size", [10, 65536])
def test_a_slow_form_holds_no_connection_to_the_application(
    one_at_a_time, worker_class, size
):
    env = {"UPSTREAM": one_at_a_time.url, "LIMITS": '{"read_timeout": 2}'}
    app = "tests.upstream.apps:proxy()"
    with (
        Gunicorn(app, worker_class=worker_class, env=env) as server,
        connect(server.port) as slow,
    ):
        slow.sendall(POST + b"Content-Length: %d\r\n\r\n" % size + b"x" * (size - 1))
        time.sleep(0.3)
        others = [get(server.port) for _ in range(3)]
        slow.sendall(b"x")
        form = understand(read_all(slow))

    assert [other.body for other in others] == [b"hello"] * 3
    assert form.body == b"hello"


@pytest.mark.parametrize("worker_class", ["gthread", "gevent"])
def test_a_slow_form_does_not_meet_a_connection_that_died_meanwhile(
    running, upstream, worker_class
):
    def impatient(peer):
        peer.sock.settimeout(0.5)
        while peer.request():
            peer.send(OK)

    upstream.script = impatient
    port = running(worker_class).port
    assert get(port).body == b"ok"
    with connect(port) as slow:
        slow.sendall(POST + b"Content-Length: 10\r\n\r\n12345")
        time.sleep(1.2)
        slow.sendall(b"67890")
        answer = understand(read_all(slow))

    assert (answer.status, answer.body) == (200, b"ok")
    assert upstream.requests[-1][1] == b"1234567890"


def arriving(upstream):
    """Let the application note what arrives of a body, and answer at ``.``."""
    come = []

    def script(peer):
        peer.head()
        come.append(peer.buffer)
        while not come[-1].rstrip(b"\r\n0").endswith(b"."):
            come.append(peer.more())
        peer.send(OK)

    upstream.script = script
    return lambda: b"".join(come)


def test_chunks_go_on_as_they_come(server, upstream):
    come = arriving(upstream)
    with connect(server.port) as sock:
        sock.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        for word in (b"one", b"two"):
            sock.sendall(b"3\r\n%s\r\n" % word)
            wait_until(lambda word=word: word in come(), "the chunk", seconds=5)
        sock.sendall(b"1\r\n.\r\n0\r\n\r\n")
        answer = understand(read_all(sock))

    assert answer.body == b"ok"
    assert b"\r\none\r\n" in b"\r\n" + come()


def test_a_long_body_goes_on_as_it_comes(server, upstream):
    come = arriving(upstream)
    beginning = b"x" * 65536
    with connect(server.port) as sock:
        sock.sendall(POST + b"Content-Length: %d\r\n\r\n" % (len(beginning) + 7))
        sock.sendall(beginning)
        wait_until(lambda: len(come()) >= len(beginning), "the beginning", seconds=5)
        for word in (b"one", b"two"):
            sock.sendall(word)
            wait_until(lambda word=word: word in come(), "some octets", seconds=5)
        sock.sendall(b".")
        answer = understand(read_all(sock))

    assert answer.body == b"ok"
    assert come() == beginning + b"onetwo."


@pytest.mark.parametrize("worker_class", ["gthread", "gevent"])
@pytest.mark.parametrize("framing", ["counted", "chunked"])
def test_the_next_request_is_no_part_of_a_long_body(
    running, upstream, worker_class, framing
):
    body = b"".join(b"%07d\n" % number for number in range(30_000))
    if framing == "counted":
        sent = b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    else:
        pieces = [body[at : at + 1000] for at in range(0, len(body), 1000)]
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces)
        sent = b"Transfer-Encoding: chunked\r\n\r\n%s0\r\n\r\n" % chunks
    with connect(running(worker_class).port) as sock:
        sock.sendall(b"POST /1 HTTP/1.1\r\nHost: a\r\n" + sent)
        sock.sendall(b"GET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answers = read_all(sock)

    assert answers.count(b"HTTP/1.1 200 OK") == 2
    assert [seen.split()[1] for seen, _ in upstream.requests] == [b"/1", b"/2"]
    assert [got for _, got in upstream.requests] == [body, b""]


def test_nothing_is_sent_for_a_session_that_ended_before_the_body_came(gated, upstream):
    with gated("gevent") as (server, session), connect(server.port) as sock:
        sock.sendall(POST + b"Content-Length: 10\r\n\r\n12345")
        time.sleep(0.3)
        session.unlink()
        sock.sendall(b"67890")

        assert read_all(sock) == b""
    assert upstream.connections == 0


@pytest.mark.parametrize("size", [100, 300_000])
def test_a_body_that_is_cut_reaches_nobody_whole(server, upstream, size):
    with connect(server.port) as sock:
        sock.sendall(POST + b"Content-Length: %d\r\n\r\n" % size + b"x" * (size - 1))
        sock.shutdown(1)
        answer = understand(read_all(sock))

    assert answer.status == 400
    begun = 0 if size == 100 else 1
    wait_until(lambda: upstream.connections == begun, "what was begun upstream")
    assert upstream.requests == []
