"""When a request is sent a second time, and when never."""

from __future__ import annotations

import io

import pytest

from tests.upstream.test_destination import call, let_go
from tests.upstream.wires import OK
from totp_gate.upstream.proxy import Destination, Proxy

EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\n\r\n"


@pytest.fixture
def proxy(upstream):
    """The proxy in this process, in front of ``upstream``."""
    proxy = Proxy(Destination.parse(upstream.url))
    yield proxy
    let_go(proxy)


def answering(first, then=b""):
    """Answer the first request of a connection; give *then* to the next one and close."""

    def script(peer):
        if peer.request():
            peer.send(first)
        if first == OK and peer.request():
            peer.send(then)

    return script


def seen(upstream, target):
    """How many requests for *target* have arrived."""
    return sum(head.split()[1] == target for head, _ in upstream.requests)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
def test_what_is_harmless_is_sent_again_when_an_idle_connection_proves_dead(
    upstream, proxy, method
):
    upstream.script = answering(OK)
    call(proxy)

    status, _, _ = call(proxy, RAW_URI="/again", REQUEST_METHOD=method)

    assert status == "200 OK"
    assert seen(upstream, b"/again") == 2


@pytest.mark.parametrize("method", ["POST", "PATCH", "PROPFIND"])
def test_what_may_do_harm_is_never_sent_again(upstream, proxy, method):
    upstream.script = answering(OK)
    call(proxy)

    status, _, _ = call(proxy, RAW_URI="/once", REQUEST_METHOD=method)

    assert status == "502 Bad Gateway"
    assert seen(upstream, b"/once") == 1


def test_nothing_with_a_body_is_sent_again(upstream, proxy):
    upstream.script = answering(OK)
    call(proxy)
    body = {"CONTENT_LENGTH": "3", "wsgi.input": io.BytesIO(b"abc")}

    status, _, _ = call(proxy, RAW_URI="/once", REQUEST_METHOD="PUT", **body)

    assert status == "502 Bad Gateway"
    assert seen(upstream, b"/once") == 1


def test_nothing_is_sent_again_after_a_connection_of_its_own(upstream, proxy):
    upstream.script = answering(b"")

    status, _, _ = call(proxy, RAW_URI="/once")

    assert status == "502 Bad Gateway"
    assert seen(upstream, b"/once") == 1


def test_what_fails_again_is_not_sent_a_third_time(upstream, proxy):
    upstream.script = answering(OK)
    call(proxy)
    upstream.script = answering(b"")

    status, _, _ = call(proxy, RAW_URI="/twice")

    assert status == "502 Bad Gateway"
    assert seen(upstream, b"/twice") == 2


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(b"H", id="one octet"),
        pytest.param(EARLY, id="103"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", id="100"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", id="half a head"),
    ],
)
def test_nothing_is_sent_again_once_an_octet_has_come(upstream, proxy, begun):
    upstream.script = answering(OK, begun)
    call(proxy)

    status, _, _ = call(proxy, RAW_URI="/once")

    assert status == "502 Bad Gateway"
    assert seen(upstream, b"/once") == 1
