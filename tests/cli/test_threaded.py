"""Whoever sends slowly, or nothing, keeps nobody else of a worker with threads."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack

import pytest

from tests.cli.test_serve import Serving
from tests.servers import Gunicorn, wait_until
from totp_gate.cli.threaded import ARRIVAL, LONGEST_FORM, LONGEST_HEAD, Arriving

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("octets", "enough", "late"),
    [
        pytest.param(b"", False, False, id="nothing"),
        pytest.param(GET[:-1], False, False, id="a head without its end"),
        pytest.param(GET, True, False, id="a head"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", True, False, id="no fields"),
        pytest.param(GET + GET[:5], True, False, id="more than one"),
        pytest.param(POST % 5 + b"user", False, False, id="a body without its end"),
        pytest.param(POST % 5 + b"user=", True, False, id="a body"),
        pytest.param(
            (POST % 5).replace(b"Content-Length: ", b"content-length:\t") + b"user",
            False,
            False,
            id="as others write it",
        ),
        pytest.param(POST % (LONGEST_FORM + 1), True, True, id="a long body"),
        pytest.param(CHUNKED, True, True, id="chunks"),
        pytest.param(
            (POST % 5).replace(b"Host: a", b"Expect: 100-continue"),
            True,
            True,
            id="one that waits for us",
        ),
        pytest.param(
            (POST % 5).replace(b"Host: a", b"Content-Length: 7"),
            True,
            True,
            id="two lengths, which gunicorn refuses",
        ),
        pytest.param(b"GET / HTTP/1.1\n", True, False, id="a line with half an end"),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 4, 100_000])
def test_a_request_gets_a_thread_when_it_is_there(octets, enough, late, size):
    arriving = Arriving()
    seen = False
    for start in range(0, len(octets), size):
        arriving.octets += octets[start : start + size]
        seen = arriving.is_enough()

    assert (seen, arriving.late) == (enough, late)


def test_a_head_has_an_end():
    arriving = Arriving(b"GET / HTTP/1.1\r\nX: " + b"x" * LONGEST_HEAD)

    assert not arriving.is_enough()
    assert arriving.is_too_long()


def begin(server, octets):
    """Open a connection and send the beginning of a request."""
    client = socket.create_connection(("127.0.0.1", server.port), 30)
    client.sendall(octets)
    return client


@pytest.fixture(scope="module")
def serving():
    words = ("--worker-class", "gthread", "--threads", "4", "--workers", "1")
    with Serving(*words) as server:
        yield server


@pytest.fixture(scope="module")
def visitor(serving):
    """Alice, who is signed in."""
    return serving.signed_in()


FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
STALLED = {
    "nothing": b"",
    "a head": b"GET /_gate/login HTTP/1.1\r\nHost: %b\r\n",
    "a form": b"POST /_gate/login HTTP/1.1\r\nHost: %b\r\n"
    + FORM
    + b"Content-Length: 10\r\n\r\nabc",
    "a form in chunks": b"POST /_gate/login HTTP/1.1\r\nHost: %b\r\n"
    + FORM
    + b"Transfer-Encoding: chunked\r\n\r\n4\r\nuser\r\n",
    "a form that waits": b"POST /_gate/login HTTP/1.1\r\nHost: %b\r\n"
    + FORM
    + b"Expect: 100-continue\r\nContent-Length: 10\r\n\r\n",
    "what nobody reads": b"POST /page HTTP/1.1\r\nHost: %b\r\n"
    b"Content-Length: 100000\r\n\r\nabc",
    "a second request": b"GET /_gate/healthz HTTP/1.1\r\nHost: %b\r\n\r\nGET /",
    "not reading the end": b"GET /_gate/healthz HTTP/1.1\r\nHost: %b\r\n"
    b"Connection: close\r\n\r\n",
}


@pytest.mark.server
@pytest.mark.parametrize("octets", STALLED.values(), ids=STALLED.keys())
def test_whoever_stalls_keeps_nobody_else(serving, visitor, octets):
    host = serving.url.removeprefix("http://").encode()
    begun = octets.replace(b"%b", host)
    with ExitStack() as open_ones:
        for _ in range(20):
            open_ones.enter_context(begin(serving, begun))
        time.sleep(0.5)
        started = time.monotonic()
        for _ in range(5):
            assert visitor.get("/").text == "hello alice"
        took = time.monotonic() - started

    assert took < 0.9 * ARRIVAL


@pytest.mark.server
def test_what_stalls_or_drips_is_closed(serving):
    idle, dripping = begin(serving, b""), begin(serving, b"GET / HTTP/1.1\r\nX: ")
    with idle, dripping:
        started = time.monotonic()
        dripping.settimeout(0.5)
        while time.monotonic() < started + 3 * ARRIVAL:
            try:
                dripping.sendall(b"x")
                if dripping.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        took = time.monotonic() - started
        idle.settimeout(5)
        assert idle.recv(1) == b""

    assert ARRIVAL / 2 < took < 2 * ARRIVAL


@pytest.mark.server
def test_more_silent_connections_than_it_may_have_keep_nobody_out(serving, visitor):
    with ExitStack() as open_ones:
        for _ in range(800):
            open_ones.enter_context(begin(serving, b"GET /"))

        assert visitor.get("/").text == "hello alice"


@pytest.mark.server
def test_a_head_without_end_is_refused(serving):
    with begin(serving, b"GET / HTTP/1.1\r\nX: " + b"x" * (LONGEST_HEAD + 1)) as client:
        answer = client.recv(4096)

    assert answer.startswith(b"HTTP/1.1 431 ")


@pytest.mark.server
def test_one_connection_carries_many_requests(serving):
    host = serving.url.removeprefix("http://").encode()
    ask = b"GET /_gate/healthz HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"
    form = STALLED["a form"].replace(b"%b", host) + b"=x&d=ef"
    with begin(serving, ask + ask + form + ask) as client:
        answers = b""
        while answers.count(b"HTTP/1.1 ") < 4:
            answers += client.recv(65536)

    statuses = [part[:3] for part in answers.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200", b"200", b"400", b"200"]


class Unasked(Gunicorn):
    """Nobody connects to it before the test does."""

    def is_ready(self):
        return "worker is ready" in self.stderr


@pytest.mark.server
def test_a_worker_that_is_told_to_quit_while_it_begins_a_request_ends():
    application = "tests.upstream.apps:hello"
    with Unasked(application, worker_class="tests.cli.interrupted.Worker") as server:
        (worker,) = server.children
        with begin(server, GET):
            wait_until(lambda: worker not in server.children, "its end", seconds=15)
