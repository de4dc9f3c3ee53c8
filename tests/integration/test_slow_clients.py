"""Two hundred clients that send an octet now and then: the others do not notice."""

from __future__ import annotations

import contextlib
import threading

import pytest

from tests.integration.proxied import Proxied
from tests.upstream.wires import OK, RawUpstream, connect, understand

SLOW = 200
#: Connections that the application serves at once, like one with so many threads.
PLACES = 4
UPSTREAM = 'read_timeout = "5s"'


@pytest.fixture
def narrow():
    """An application with few places, each taken by a connection until it is answered."""
    application = RawUpstream()
    places = threading.BoundedSemaphore(PLACES)

    def script(peer):
        with places:
            if peer.request():
                peer.send(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

    application.script = script
    yield application
    application.close()


@pytest.mark.parametrize("part", ["head", "body", "chunks"])
@pytest.mark.parametrize("who", ["strangers", "people who are signed in"])
def test_slow_clients_keep_nobody_from_signing_in_or_being_served(
    folder, narrow, part, who
):
    own = Proxied(folder, narrow.url, upstream=UPSTREAM)
    with own as house, contextlib.ExitStack() as stack:
        signed_in = house.cookie()
        begun = b"POST /x HTTP/1.1\r\nHost: %s\r\n" % house.host
        begun += b"" if who == "strangers" else signed_in
        begun += {
            "head": b"X-Slow: ",
            "body": b"Content-Length: 60000\r\n\r\n",
            "chunks": b"Transfer-Encoding: chunked\r\n\r\n5",
        }[part]
        slow = [stack.enter_context(connect(house.port)) for _ in range(SLOW)]
        for sock in slow:
            sock.sendall(begun)
        for _ in range(3):
            for sock in slow:
                with contextlib.suppress(OSError):
                    sock.sendall(b"0")
            answer = house.ask(b"GET / HTTP/1.1", cookie=signed_in)
            assert (answer.status, answer.body) == (200, b"ok")

        later = house.cookie()
        assert house.ask(b"GET / HTTP/1.1", cookie=later).body == b"ok"
        assert house.visitor().get("/_gate/login").status == 200
        for sock in slow:
            with contextlib.suppress(OSError):
                sock.sendall(b"\r\n\r\n")


def test_a_slow_form_is_served_when_it_is_there(folder, narrow):
    with Proxied(folder, narrow.url, upstream=UPSTREAM) as house:
        head = b"POST /x HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n" % house.host
        head += house.cookie() + b"Content-Length: 50\r\n\r\n"
        with contextlib.ExitStack() as stack:
            slow = [stack.enter_context(connect(house.port)) for _ in range(20)]
            for sock in slow:
                sock.sendall(head)
            for _ in range(50):
                for sock in slow:
                    sock.sendall(b"x")
            answers = [understand(sock.recv(65536)) for sock in slow]

    assert {answer.status for answer in answers} == {200}
    assert [body for _, body in narrow.requests] == [b"x" * 50] * 20
