"""WebSockets through the proxy, on the server's own socket."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as ws_connect
from websockets.sync.server import serve as ws_serve

from tests.servers import Gunicorn, wait_until
from tests.upstream.wires import (
    OK,
    always,
    ask,
    connect,
    get,
    once,
    read_all,
    understand,
)
from totp_gate.upstream.proxy import Destination, Proxy

pytestmark = pytest.mark.server

ASK = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: x\r\nSet-Cookie: gate=stolen\r\nSet-Cookie: app=1\r\n\r\n"
)


def echo(peer):
    """Switch, then send back what comes until it ends."""
    peer.head()
    peer.send(SWITCH)
    if peer.buffer:
        peer.send(peer.buffer)
    while octets := peer.more():
        peer.send(octets)


def read_until(sock, mark):
    octets = b""
    while mark not in octets:
        more = sock.recv(65536)
        assert more, octets
        octets += more
    return octets


def test_octets_pass_both_ways_until_one_side_ends(server, upstream):
    upstream.script = echo

    with connect(server.port) as sock:
        sock.sendall(ASK + b"early")
        head = read_until(sock, b"early")
        sock.sendall(b"later")
        assert read_until(sock, b"later") == b"later"
        sock.shutdown(1)
        assert read_all(sock) == b""

    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert head.lower().count(b"upgrade: websocket") == 1
    assert b"Upgrade: websocket\r\n" in upstream.heads[0]
    assert b"Connection: Upgrade\r\n" in upstream.heads[0]
    wait_until(lambda: not upstream.open, "the application's end closed")


def test_the_server_writes_nothing_after_a_tunnel(server, upstream):
    def bye(peer):
        peer.head()
        peer.send(SWITCH + b"bye")

    upstream.script = bye

    answer = ask(server.port, ASK)

    assert answer.octets.endswith(b"\r\n\r\nbye")
    assert answer.octets.count(b"HTTP/1.1") == 1


def test_much_passes_both_ways_at_once(running, upstream):
    upstream.script = echo
    sent = os.urandom(1 << 20) * 8
    got = bytearray()

    with connect(running("gevent").port) as sock:
        sock.sendall(ASK)
        read_until(sock, b"\r\n\r\n")
        view = memoryview(sent)
        while len(got) < len(sent):
            if view:
                view = view[sock.send(view[:100_000]) :]
            while len(got) < len(sent) - len(view):
                got += sock.recv(1 << 20)

    assert bytes(got) == sent


@pytest.mark.parametrize("worker_class", ["gthread", "gevent"])
def test_real_websockets_pass(running, upstream, worker_class, tmp_path):
    def handler(websocket):
        for message in websocket:
            websocket.send(message)

    with ws_serve(handler, "127.0.0.1", 0) as application:
        port = application.socket.getsockname()[1]
        threading.Thread(target=application.serve_forever, daemon=True).start()
        env = {"UPSTREAM": f"http://127.0.0.1:{port}"}
        with (
            Gunicorn(
                "tests.upstream.apps:proxy()", worker_class=worker_class, env=env
            ) as gate,
            ws_connect(f"ws://127.0.0.1:{gate.port}/", max_size=None) as websocket,
        ):
            for size in (0, 1, 125, 126, 65535, 65536, 1_000_000):
                websocket.send(b"x" * size)
                assert websocket.recv(timeout=30) == b"x" * size
        application.shutdown()


def test_another_answer_than_101_is_an_ordinary_one(server, upstream):
    upstream.script = always(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")

    first = ask(server.port, ASK.replace(b"keep-alive, ", b"close, "))
    get(server.port)

    assert (first.status, first.body) == (403, b"no")
    assert upstream.connections == 2


@pytest.mark.parametrize(
    "switch",
    [
        pytest.param(
            b"HTTP/1.1 101 Go\r\nConnection: Upgrade\r\n\r\n", id="no Upgrade"
        ),
        pytest.param(
            b"HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
            id="other",
        ),
        pytest.param(
            b"HTTP/1.1 101 Go\r\nUpgrade: websocket\r\n\r\n", id="no Connection"
        ),
    ],
)
def test_a_switch_to_something_else_is_502(server, upstream, switch):
    upstream.script = once(switch)

    assert ask(server.port, ASK.replace(b"keep-alive, ", b"close, ")).status == 502


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(ASK.replace(b"GET", b"POST"), id="POST"),
        pytest.param(ASK.replace(b"websocket", b"h2c"), id="h2c"),
        pytest.param(
            ASK.replace(b"keep-alive, Upgrade", b"keep-alive"), id="not in Connection"
        ),
    ],
)
def test_no_other_upgrade_is_asked_for(server, upstream, request_):
    request_ = request_.replace(b"\r\n\r\n", b"\r\nX: 1\r\n\r\n")
    with connect(server.port) as sock:
        sock.sendall(request_)
        assert understand(sock.recv(1000)).status == 200

    assert b"\r\nupgrade:" not in upstream.heads[0].lower()


def test_above_max_tunnels_is_503_and_a_place_comes_back(running, upstream):
    upstream.script = echo
    port = running("gevent").port
    tunnels = [connect(port) for _ in range(3)]
    for sock in tunnels:
        sock.sendall(ASK)
        read_until(sock, b"\r\n\r\n")

    refused = ask(port, ASK.replace(b"keep-alive, ", b"close, "))
    for sock in tunnels:
        sock.close()
    wait_until(lambda: not upstream.open, "the tunnels closed")
    with connect(port) as sock:
        sock.sendall(ASK)
        again = read_until(sock, b"\r\n\r\n")

    assert refused.status == 503
    assert b"101" in again


@pytest.mark.parametrize("worker_class", ["sync", "gthread", "gevent"])
def test_a_tunnel_ends_with_its_session(gated, upstream, worker_class):
    upstream.script = echo
    with gated(worker_class) as (server, session), connect(server.port) as sock:
        sock.sendall(ASK)
        head = read_until(sock, b"\r\n\r\n")
        time.sleep(1.2)
        session.unlink()
        rest = read_all(sock)

    assert rest == b"\x88\x0c\x03\xf0signed out"
    assert b"gate=stolen" not in head
    assert b"app=1" in head


def test_a_session_that_ends_within_a_frame_gets_no_close_frame(gated, upstream):
    def half(peer):
        peer.head()
        peer.send(SWITCH + b"\x82\x0ahalf")
        peer.more()

    upstream.script = half
    with gated("gevent") as (server, session), connect(server.port) as sock:
        sock.sendall(ASK)
        read_until(sock, b"half")
        session.unlink()

        assert read_all(sock) == b""


@pytest.mark.parametrize("worker_class", ["sync", "gthread", "gevent"])
def test_a_stopping_server_closes_its_tunnels_cleanly(gated, upstream, worker_class):
    upstream.script = echo
    with gated(worker_class) as (server, _), connect(server.port) as sock:
        sock.sendall(ASK)
        read_until(sock, b"\r\n\r\n")
        os.kill(server.pid, signal.SIGTERM)

        assert read_all(sock) == b"\x88\x0c\x03\xe9restarting"


def test_browsers_see_why_a_tunnel_ended(gated, upstream, tmp_path):
    def handler(websocket):
        for message in websocket:
            websocket.send(message)

    with ws_serve(handler, "127.0.0.1", 0) as application:
        threading.Thread(target=application.serve_forever, daemon=True).start()
        port = application.socket.getsockname()[1]
        upstream.url, url = f"http://127.0.0.1:{port}", upstream.url
        try:
            with (
                gated("gevent") as (server, session),
                ws_connect(f"ws://127.0.0.1:{server.port}/") as websocket,
            ):
                websocket.send("hello")
                assert websocket.recv(timeout=30) == "hello"
                session.unlink()
                with pytest.raises(ConnectionClosed) as closed:
                    websocket.recv(timeout=30)
        finally:
            upstream.url = url
            application.shutdown()

    assert closed.value.rcvd.code == 1008


def test_without_the_servers_socket_an_upgrade_is_501():
    told = []
    proxy = Proxy(Destination.parse("http://127.0.0.1:9"))
    environ = {
        "REQUEST_METHOD": "GET",
        "RAW_URI": "/",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "a",
        "HTTP_CONNECTION": "Upgrade",
        "HTTP_UPGRADE": "websocket",
    }

    list(proxy(environ, lambda status, headers: told.append(status)))

    assert told == ["501 Not Implemented"]


def test_ordinary_requests_go_on_beside_a_tunnel(running, upstream):
    def script(peer):
        head = peer.head()
        if b"websocket" in head:
            peer.send(SWITCH)
            peer.more()
        else:
            peer.send(OK)

    upstream.script = script
    for worker_class in ("gthread", "gevent"):
        with connect(running(worker_class).port) as sock:
            sock.sendall(ASK)
            read_until(sock, b"\r\n\r\n")

            assert get(running(worker_class).port).body == b"ok"


@pytest.mark.parametrize("worker_class", ["gthread", "gevent"])
@pytest.mark.parametrize("status", [b"403 No", b"200 OK", b"garbage"])
def test_an_upgrade_that_is_not_granted_ends_the_connection(
    running, upstream, worker_class, status
):
    upstream.script = always(
        b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nno",
    )
    with connect(running(worker_class).port) as sock:
        sock.sendall(ASK + b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
        octets = read_all(sock)

    assert octets.count(b"HTTP/1.1 ") == 1
    assert understand(octets).all("connection") == ["close"]
    assert len(upstream.heads) == 1


def test_a_101_carries_no_length(server, upstream):
    switch = SWITCH.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n")
    upstream.script = once(switch + b"bye")

    answer = ask(server.port, ASK)

    assert answer.all("content-length") == []
    assert answer.octets.endswith(b"\r\n\r\nbye")
