"""WebSockets through the proxy, on the server's own socket."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as ws_connect
from websockets.sync.server import serve as ws_serve

from tests.servers import Gunicorn, wait_until
from tests.upstream.certificates import believing, certificate_for, serving
from tests.upstream.wires import (
    OK,
    RawUpstream,
    always,
    ask,
    connect,
    get,
    once,
    read_all,
    understand,
)
from totp_gate.upstream import tunnel as tunnels
from totp_gate.upstream.proxy import Destination, Limits, Proxy
from totp_gate.upstream.tunnel import Tunnel, TunnelOver
from totp_gate.upstream.wire import Connection

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
                assert websocket.recv(timeout=5) == b"x" * size
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
        begun = time.monotonic()
        rest = read_all(sock)
        took = time.monotonic() - begun

    assert rest == b"\x88\x0c\x03\xf0signed out"
    assert took < 4
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


@pytest.mark.parametrize("worker_class", ["gthread", "gevent"])
def test_a_stopping_server_closes_its_tunnels_cleanly(gated, upstream, worker_class):
    upstream.script = echo
    with gated(worker_class) as (server, _), connect(server.port) as sock:
        sock.sendall(ASK)
        read_until(sock, b"\r\n\r\n")
        os.kill(server.pid, signal.SIGTERM)
        begun = time.monotonic()

        assert read_all(sock) == b"\x88\x0c\x03\xe9restarting"
        assert time.monotonic() - begun < 4


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
                assert websocket.recv(timeout=5) == "hello"
                session.unlink()
                with pytest.raises(ConnectionClosed) as closed:
                    websocket.recv(timeout=5)
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
    """Send *sent* and see whether the same comes back."""
    got = bytearray()

    def receive():
        while len(got) < len(sent):
            octets = sock.recv(65536)
            if not octets:
                return
            got.extend(octets)

    receiving = threading.Thread(target=receive)
    receiving.start()
    sock.sendall(sent)
    receiving.join(20)
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
        wait_until(lambda: not upstream.open, "the application's end", seconds=4)


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

        wait_until(lambda: open_tunnels(server) == b"0", "its place", seconds=8)


def test_a_tunnel_whose_client_takes_nothing_ends(gated, upstream):
    def flood(peer):
        peer.head()
        peer.send(SWITCH)
        while True:
            peer.send(b"y" * 65536)

    upstream.script = flood
    limits = '{"read_timeout": 1.0}'
    with gated("gevent", limits=limits) as (server, _), connect(server.port) as sock:
        sock.sendall(ASK)
        read_until(sock, b"\r\n\r\n")

        wait_until(lambda: open_tunnels(server) == b"0", "its place", seconds=8)


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
        leaver.close()
        begun = time.monotonic()
        wait_until(lambda: ended, "the end", seconds=10)

    assert 0.3 < ended[0] - begun < 4


def test_a_tunnel_may_be_idle_for_longer_than_one_side_may_take_nothing():
    with tunnel_between(patience=1.5) as (browser, application, ended):
        time.sleep(2.5)
        sent = fill(browser)
        time.sleep(0.5)
        application.settimeout(5)
        while sent:
            sent -= len(application.recv(65536))

        assert not ended


def run_out(tunnel):
    with contextlib.suppress(TunnelOver):
        next(tunnel)


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
