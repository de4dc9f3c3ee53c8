"""Where the proxy connects to, over what, and what it says when it cannot."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests.servers import Gunicorn, free_port, wait_until
from tests.upstream.certificates import certificate_for
from tests.upstream.wires import OK, Peer, RawUpstream, always, get
from totp_gate.errors import ConfigError
from totp_gate.upstream.proxy import Destination, Limits, NoObserver, Proxy
from totp_gate.upstream.trouble import Unreachable


@pytest.mark.parametrize(
    ("url", "scheme", "name", "port", "authority"),
    [
        ("http://127.0.0.1:5000", "http", "127.0.0.1", 5000, "127.0.0.1:5000"),
        ("http://app/", "http", "app", 80, "app"),
        ("http://my_app-1:80", "http", "my_app-1", 80, "my_app-1"),
        ("http://app.example.com.", "http", "app.example.com.", 80, "app.example.com."),
        ("https://app.example.com", "https", "app.example.com", 443, "app.example.com"),
        ("https://[::1]:8443", "https", "::1", 8443, "[::1]:8443"),
        ("unix:/run/app.sock", "unix", "/run/app.sock", 0, "localhost"),
        ("unix:///run/app.sock", "unix", "/run/app.sock", 0, "localhost"),
    ],
)
def test_a_url_names_a_destination(url, scheme, name, port, authority):
    destination = Destination.parse(url)

    assert (destination.scheme, destination.name, destination.port) == (
        scheme,
        name,
        port,
    )
    assert destination.authority == authority


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:5000",
        "ftp://app",
        "http://",
        "http://app/path",
        "http://app?x=y",
        "http://app/#x",
        "http://user:secret@app",
        "http://app:99999",
        "http://app:0",
        "http://a b",
        "http://a..b:5000",
        "http://.a",
        "http://-a",
        "http://a-",
        "http://a~b",
        "http://" + "a" * 64,
        "http://" + "a." * 127 + "aa",
        "http://1.2.3",
        "http://256.1.1.1",
        "http://[::1%25lo]:5000",
        "unix:run/app.sock",
    ],
)
def test_a_url_that_says_too_much_or_too_little_is_refused(url):
    with pytest.raises(ConfigError) as refused:
        Destination.parse(url)

    assert refused.value.problems[0][0] == "upstream.url"


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"url": "http://app", "host": "mine"}, "upstream.host"),
        ({"url": "http://app", "ca_file": "x.pem"}, "upstream.ca_file"),
        ({"url": "https://app", "ca_file": "missing.pem"}, "upstream.ca_file"),
    ],
)
def test_settings_that_contradict_are_refused(options, key):
    with pytest.raises(ConfigError) as refused:
        Destination.parse(options.pop("url"), **options)

    assert refused.value.problems[0][0] == key


@pytest.mark.parametrize("where", ["in a file of its own", "with the certificate"])
def test_an_encrypted_key_is_a_problem_with_a_remedy_and_asks_nobody(tmp_path, where):
    certificate = certificate_for(tmp_path)
    plain = serialization.load_pem_private_key(Path(certificate).read_bytes(), None)
    key = plain.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    own = tmp_path / "key.pem"
    text = Path(certificate).read_bytes()
    if where == "with the certificate":
        own.write_bytes(text[: text.index(b"-----BEGIN PRIVATE")] + key)
        given = {"client_cert": str(own)}
    else:
        own.write_bytes(key)
        given = {"client_cert": certificate, "client_key": str(own)}

    with pytest.raises(ConfigError, match="openssl pkey") as refused:
        Destination.parse("https://app", ca_file=certificate, **given)

    assert refused.value.problems[0][0] == "upstream.client_key"


def call(proxy, **environ):
    """Call the proxy without a server: status, headers and body."""
    told = []
    body = proxy(
        {
            "REQUEST_METHOD": "GET",
            "RAW_URI": "/x",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "app.example.com",
            **environ,
        },
        lambda *answer: told.append(answer),
    )
    octets = b"".join(body)
    if hasattr(body, "close"):
        body.close()
    return told[0][0], dict(told[0][1]), octets


def let_go(proxy):
    """Close the connections that *proxy* keeps."""
    while proxy.idle_connections:
        proxy._pool.take().close()


def test_an_application_on_a_unix_socket_is_asked(tmp_path):
    path = tmp_path / "app.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=_serve_one, args=(listener, None))
        thread.start()
        proxy = Proxy(Destination.parse(f"unix:{path}"))
        status, _, body = call(proxy)
        let_go(proxy)
        thread.join(5)

    assert (status, body) == ("200 OK", b"ok")


@pytest.mark.server
@pytest.mark.parametrize("worker_class", ["sync", "gthread", "gevent"])
def test_a_real_server_on_a_unix_socket_is_asked_again_and_again(
    tmp_path, worker_class
):
    path = tmp_path / "app.sock"
    also = ["--bind", f"unix:{path}"]
    app, proxy = "tests.upstream.apps:hello", "tests.upstream.apps:proxy()"
    env = {"UPSTREAM": f"unix:{path}"}
    with (
        Gunicorn(app, worker_class="gevent", arguments=also),
        Gunicorn(proxy, worker_class=worker_class, env=env) as server,
    ):
        answers = [get(server.port) for _ in range(3)]

    assert [answer.body for answer in answers] == [b"hello"] * 3


@pytest.fixture
def full(tmp_path):
    """A socket of the file system whose backlog is full; its path, and how to empty it."""
    path = tmp_path / "full.sock"
    with socket.socket(socket.AF_UNIX) as listener, contextlib.ExitStack() as waiting:
        listener.bind(str(path))
        listener.listen(0)
        listener.settimeout(5)
        waiting.enter_context(socket.socket(socket.AF_UNIX)).connect(str(path))

        def serve():
            listener.accept()[0].close()
            _serve_one(listener, None)

        yield path, serve


def processor(server):
    """The seconds for which the threads of the worker have had a processor."""
    threads = Path(f"/proc/{server.children[0]}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


@pytest.mark.server
@pytest.mark.parametrize("worker_class", ["sync", "gthread", "gevent"])
def test_a_full_backlog_is_waited_for_and_costs_nothing_meanwhile(full, worker_class):
    path, serve = full
    env = {"UPSTREAM": f"unix:{path}", "LIMITS": '{"connect_timeout": 2.0}'}
    proxy = "tests.upstream.apps:proxy()"
    with Gunicorn(proxy, worker_class=worker_class, env=env) as server:
        used = processor(server)
        begun = time.monotonic()
        refused = get(server.port)
        took, used = time.monotonic() - begun, processor(server) - used
        emptied = threading.Timer(0.5, serve)
        emptied.start()
        answer = get(server.port)
    emptied.join()  # once the proxy has let its connection go

    assert refused.status == 502
    assert 1.5 < took < 10
    assert used < took / 2
    assert answer.body == b"ok"


@pytest.fixture
def crowded():
    """A TCP port whose backlog is full: who connects there waits."""
    with socket.socket() as listener, contextlib.ExitStack() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(3):
            sock = waiting.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
        yield port


def resolving_to(*places):
    """A look-up that finds these ports of loopback, whatever is asked for."""
    return lambda *_, **__: [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        for port in places
    ]


def test_one_deadline_holds_for_all_addresses(crowded, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to(*[crowded] * 4))
    destination = Destination.parse("http://app.example.com")
    begun = time.monotonic()

    with pytest.raises(Unreachable):
        destination.connect(Limits(connect_timeout=1.0))

    assert time.monotonic() - begun < 3.9


def test_an_address_that_is_silent_leaves_time_for_the_next(
    crowded, upstream, monkeypatch
):
    places = [crowded, free_port(), upstream.port]
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to(*places))
    proxy = Proxy(Destination.parse("http://app.example.com"))

    assert call(proxy)[2] == b"ok"
    let_go(proxy)


def test_the_deadline_holds_for_tls_too():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        destination = Destination.parse(f"https://127.0.0.1:{port}")
        begun = time.monotonic()

        with pytest.raises(Unreachable):
            destination.connect(Limits(connect_timeout=1.0))

    assert 0.9 < time.monotonic() - begun < 30


def test_an_application_on_ipv6_is_asked():
    try:
        upstream = RawUpstream(host="::1")
    except OSError:
        pytest.skip("there is no IPv6 here")
    proxy = Proxy(Destination.parse(upstream.url, host="upstream"))

    assert call(proxy)[2] == b"ok"
    assert b"Host: [::1]:%d\r\n" % upstream.port in upstream.heads[0]
    let_go(proxy)
    upstream.close()


def test_the_host_is_the_applications_own_where_asked_for(upstream):
    proxy = Proxy(Destination.parse(upstream.url, host="upstream"))
    call(proxy)
    let_go(proxy)

    assert f"Host: 127.0.0.1:{upstream.port}\r\n".encode() in upstream.heads[0]
    assert upstream.heads[0].count(b"Host:") == 1


def test_nobody_there_is_502_and_said_without_inner_names(caplog):
    port = free_port()
    proxy = Proxy(Destination.parse(f"http://127.0.0.1:{port}"))

    status, headers, body = call(proxy, **{"totp_gate.request_id": "r-17"})

    assert status == "502 Bad Gateway"
    assert headers["Cache-Control"] == "no-store"
    assert str(port).encode() not in body
    assert "request=r-17" in caplog.text
    assert not proxy.reachable()


def test_reachable_tells_whether_a_connection_can_be_made(upstream):
    proxy = Proxy(Destination.parse(upstream.url))

    assert proxy.reachable()
    assert proxy.reachable()
    assert proxy.idle_connections == 1
    let_go(proxy)
    wait_until(lambda: upstream.connections == 1, "its end of the connection")


def test_connections_are_kept_used_and_let_go(upstream):
    proxy = Proxy(Destination.parse(upstream.url))
    call(proxy)
    call(proxy)
    assert (upstream.connections, proxy.idle_connections) == (1, 1)

    let_go(proxy)
    call(proxy)
    assert (upstream.connections, proxy.idle_connections) == (2, 1)
    let_go(proxy)


def test_a_connection_idle_for_too_long_is_not_used_again(upstream):
    proxy = Proxy(Destination.parse(upstream.url), limits=Limits(idle_timeout=0.05))
    call(proxy)
    threading.Event().wait(0.1)
    call(proxy)

    assert upstream.connections == 2
    let_go(proxy)


def test_no_more_connections_are_kept_than_allowed(upstream):
    proxy = Proxy(Destination.parse(upstream.url), limits=Limits(idle_connections=0))
    call(proxy)

    assert proxy.idle_connections == 0


def test_an_observer_hears_of_answers_and_failures(upstream):
    heard = []
    idle = []

    class Counts:
        def answered(self, status, seconds, *, reused):
            heard.append((status, reused))

        def failed(self, kind):
            heard.append(kind)

        def idle(self, change):
            idle.append(change)

        def tunnel_opened(self): ...

        def tunnel_closed(self, seconds): ...

    proxy = Proxy(Destination.parse(upstream.url), observer=Counts())
    call(proxy)
    call(proxy)
    upstream.script = always(b"garbage\r\n\r\n")
    let_go(proxy)
    call(proxy)

    assert heard == [(200, False), (200, True), "malformed"]
    assert idle == [1, -1, 1, -1]


@pytest.fixture
def tls_upstream():
    """Start a TLS upstream: ``tls_upstream(certificate, client_ca="")`` gives its port."""
    listeners = []

    def start(certificate, client_ca=""):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        if client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client_ca)
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(
            target=_serve_one, args=(listener, context), daemon=True
        ).start()
        return listener.getsockname()[1]

    yield start
    for listener in listeners:
        listener.close()


def _serve_one(listener, context):
    sock, _ = listener.accept()
    try:
        if context is not None:
            sock = context.wrap_socket(sock, server_side=True)
        peer = Peer(sock, RawUpstream.__new__(RawUpstream))
        peer.upstream.heads, peer.upstream.requests, peer.upstream.broken = [], [], []
        always(OK)(peer)
    except OSError:
        pass
    finally:
        sock.close()


def test_a_verified_application_is_asked_over_tls_and_again(tls_upstream, tmp_path):
    certificate = certificate_for(tmp_path)
    port = tls_upstream(certificate)
    proxy = Proxy(Destination.parse(f"https://127.0.0.1:{port}", ca_file=certificate))

    assert call(proxy)[2] == b"ok"
    assert call(proxy)[2] == b"ok"
    assert proxy.idle_connections == 1
    let_go(proxy)


@pytest.mark.parametrize(
    ("name", "days", "trusted", "said"),
    [
        pytest.param("127.0.0.1", 1, False, "self-signed", id="unknown authority"),
        pytest.param("127.0.0.1", -1, True, "expired", id="expired"),
        pytest.param("127.0.0.2", 1, True, "not valid for", id="another name"),
    ],
)
def test_a_certificate_that_does_not_fit_is_502(
    tls_upstream, tmp_path, name, days, trusted, said
):
    certificate = certificate_for(tmp_path, name=name, days=days)
    port = tls_upstream(certificate)
    heard = []

    class Hears(NoObserver):
        def failed(self, kind):
            heard.append(kind)

        def untrusted(self, request, reason):
            heard.append((request, reason))

    proxy = Proxy(
        Destination.parse(
            f"https://127.0.0.1:{port}", ca_file=certificate if trusted else ""
        ),
        observer=Hears(),
    )

    assert call(proxy)[0] == "502 Bad Gateway"
    kind, (_, reason) = heard
    assert kind == "untrusted"
    assert said in reason


def test_a_certificate_that_does_not_fit_is_told_by_the_look_from_time_to_time(
    tls_upstream, tmp_path
):
    heard = []

    class Hears(NoObserver):
        def untrusted(self, request, reason):
            heard.append(request)

    port = tls_upstream(certificate_for(tmp_path))
    proxy = Proxy(Destination.parse(f"https://127.0.0.1:{port}"), observer=Hears())

    assert not proxy.reachable()
    assert heard == [""]


def test_what_only_refuses_connections_is_not_called_untrusted():
    heard = []

    class Hears(NoObserver):
        def untrusted(self, request, reason):
            heard.append(reason)

    proxy = Proxy(
        Destination.parse(f"https://127.0.0.1:{free_port()}"), observer=Hears()
    )

    assert call(proxy)[0] == "502 Bad Gateway"
    assert heard == []


def test_a_client_certificate_is_shown(tls_upstream, tmp_path):
    certificate = certificate_for(tmp_path)
    port = tls_upstream(certificate, client_ca=certificate)
    proxy = Proxy(
        Destination.parse(
            f"https://127.0.0.1:{port}", ca_file=certificate, client_cert=certificate
        )
    )

    assert call(proxy)[2] == b"ok"
    let_go(proxy)


@pytest.mark.server
def test_tls_works_on_gevent(tls_upstream, tmp_path):
    certificate = certificate_for(tmp_path)
    port = tls_upstream(certificate)
    env = {"UPSTREAM": f"https://127.0.0.1:{port}", "CA_FILE": certificate}
    with Gunicorn(
        "tests.upstream.apps:proxy()", worker_class="gevent", env=env
    ) as server:
        assert get(server.port).body == b"ok"
        assert get(server.port).body == b"ok"
