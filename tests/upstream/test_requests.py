"""What a client sends and what the application gets of it, octet by octet."""

from __future__ import annotations

import contextlib
import time

import pytest

from tests.servers import wait_until
from tests.upstream.wires import OK, ask, connect, get, read_all, understand

pytestmark = pytest.mark.server

START = b"POST /x HTTP/1.1\r\nHost: app.example.com\r\nConnection: close\r\n"
HIDDEN = b"GET /admin/smuggled HTTP/1.1\r\nHost: evil\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        pytest.param(
            b"Content-Length: 5\r\nTransfer-Encoding: chunked", 400, id="CL then TE"
        ),
        pytest.param(
            b"Transfer-Encoding: chunked\r\nContent-Length: 5", 400, id="TE then CL"
        ),
        pytest.param(
            b"Content-Length: 5\r\nContent-Length: 5", 400, id="two equal lengths"
        ),
        pytest.param(b"Content-Length: 5\r\nContent-Length: 6", 400, id="two lengths"),
        pytest.param(b"Content-Length: +5", 400, id="length with a sign"),
        pytest.param(b"Content-Length: 0x5", 400, id="hexadecimal length"),
        pytest.param(b"Content-Length: 1_0", 400, id="length with underscore"),
        pytest.param(b"Content-Length: -1", 400, id="negative length"),
        pytest.param(b"Transfer-Encoding: xchunked", 501, id="unknown coding"),
        pytest.param(b"Transfer-Encoding: gzip, chunked", 501, id="gzip inside chunks"),
        pytest.param(
            b"Transfer-Encoding: identity, chunked", 501, id="identity in chunks"
        ),
        pytest.param(b"Transfer-Encoding: chunked, chunked", 400, id="chunked twice"),
        pytest.param(b"Transfer-Encoding : chunked", 400, id="blank before the colon"),
    ],
)
def test_a_doubtful_framing_reaches_nobody(server, upstream, head, status):
    answer = ask(server.port, START + head + b"\r\n\r\n0\r\n\r\n")

    assert answer.status == status
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("framing", "sent"),
    [
        pytest.param(b"Content-Length: %d" % len(HIDDEN), HIDDEN, id="with a length"),
        pytest.param(
            b"Transfer-Encoding: chunked",
            b"%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN),
            id="chunked",
        ),
        pytest.param(
            b"Transfer-Encoding: chunked",
            b"1;a=b\r\nG\r\n%x\r\n%s\r\n0\r\nRemote-User: root\r\n\r\n"
            % (len(HIDDEN) - 1, HIDDEN[1:]),
            id="chunked with an extension and a trailer",
        ),
    ],
)
def test_a_body_that_looks_like_a_request_stays_a_body(server, upstream, framing, sent):
    answer = ask(server.port, START + framing + b"\r\n\r\n" + sent)

    assert answer.status == 200
    assert [body for _, body in upstream.requests] == [HIDDEN]
    assert b"root" not in upstream.requests[0][0]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"0x1\r\na\r\n0\r\n\r\n", id="0x1"),
        pytest.param(b"+1\r\na\r\n0\r\n\r\n", id="plus"),
        pytest.param(b"-5\r\na\r\n0\r\n\r\n", id="negative"),
        pytest.param(b"3\r\nabc\r\n 0\r\n\r\n", id="blank before the size"),
        pytest.param(b"3\r\nabcJUNK\r\n0\r\n\r\n", id="junk after the chunk"),
        pytest.param(b"3;a\rb\r\nabc\r\n0\r\n\r\n", id="bare CR in an extension"),
    ],
)
def test_a_broken_chunk_never_becomes_a_whole_request(server, upstream, body):
    head = START + b"Transfer-Encoding: chunked\r\n\r\n"

    answer = ask(server.port, head + body)

    assert answer.status == 400
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("framing", "sent"),
    [
        pytest.param(b"Content-Length: 10", b"12345", id="fewer octets than announced"),
        pytest.param(b"Content-Length: 200000", b"x" * 150000, id="a long one cut"),
        pytest.param(
            b"Transfer-Encoding: chunked", b"5\r\n12345\r\n", id="no last chunk"
        ),
        pytest.param(b"Transfer-Encoding: chunked", b"a\r\n12345", id="inside a chunk"),
    ],
)
def test_a_cut_upload_is_cut_for_the_application_too(server, upstream, framing, sent):
    with connect(server.port) as sock:
        sock.sendall(START + framing + b"\r\n\r\n" + sent)
        sock.shutdown(1)
        refused = understand(read_all(sock))

    assert refused.status == 400
    assert upstream.requests == []
    answer = get(server.port)
    assert answer.body == b"ok"
    assert [head.split()[0] for head, _ in upstream.requests] == [b"GET"]


def test_two_pipelined_requests_are_answered_one_by_one(running, upstream):
    first = b"GET /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
    second = b"GET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

    answer = ask(running("gevent").port, first + second)

    assert answer.octets.count(b"HTTP/1.1 200") == 2
    assert [head.split()[1] for head, _ in upstream.requests] == [b"/1", b"/2"]
    assert [body for _, body in upstream.requests] == [b"abc", b""]


@pytest.mark.parametrize(
    "target",
    [
        b"/",
        b"/a%2fb%2F",
        b"//double//slash",
        b"/a;b=c/../d?x=%zz&y[]=\\",
        b"/?q=a?b",
        b"/%E2%82%AC/'()*",
    ],
)
def test_the_target_arrives_octet_for_octet(server, upstream, target):
    get(server.port, target)

    assert upstream.heads[0].startswith(b"GET " + target + b" HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        pytest.param(b"GET /a#b HTTP/1.1", 400, id="fragment"),
        pytest.param(b"OPTIONS * HTTP/1.1", 400, id="asterisk"),
        pytest.param(b"GET http://evil.example/ HTTP/1.1", 400, id="other authority"),
        pytest.param(b"GET ftp://app.example.com/ HTTP/1.1", 400, id="other scheme"),
        pytest.param(b"TRACE / HTTP/1.1", 405, id="TRACE"),
        pytest.param(b"CONNECT a:443 HTTP/1.1", 405, id="CONNECT"),
    ],
)
def test_a_target_that_is_no_path_reaches_nobody(
    server, upstream, request_line, status
):
    answer = ask(
        server.port,
        request_line + b"\r\nHost: app.example.com\r\nConnection: close\r\n\r\n",
    )

    assert answer.status == status
    assert upstream.heads == []
    assert bool(answer.all("allow")) == (status == 405)


def test_an_absolute_target_of_the_same_host_becomes_a_path(server, upstream):
    answer = get(server.port, b"http://app.example.com/a?b")

    assert answer.status == 200
    assert upstream.heads[0].startswith(b"GET /a?b HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "host", [b"a/x", b"a@b", b"a, b", b"a b", b"[::1", b"a:abc", b""]
)
def test_a_host_that_is_none_reaches_nobody(running, upstream, host):
    request = b"GET / HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n"

    assert ask(running("gthread").port, request).status == 400
    assert upstream.heads == []


@pytest.mark.parametrize(
    ("sent", "gone"),
    [
        pytest.param(b"Keep-Alive: 5", b"keep-alive", id="Keep-Alive"),
        pytest.param(
            b"Proxy-Connection: close", b"proxy-connection", id="Proxy-Connection"
        ),
        pytest.param(
            b"Proxy-Authorization: x", b"proxy-auth", id="Proxy-Authorization"
        ),
        pytest.param(b"TE: trailers", b"te:", id="TE"),
        pytest.param(b"Upgrade: h2c", b"upgrade", id="another upgrade"),
        pytest.param(b"HTTP2-Settings: x", b"http2", id="HTTP2-Settings"),
        pytest.param(b"Proxy: http://evil", b"proxy", id="httpoxy"),
        pytest.param(b"Expect: 100-continue", b"expect", id="Expect"),
        pytest.param(b"X-Forwarded-Prefix: /p", b"prefix", id="X-Forwarded-Prefix"),
        pytest.param(b"X-Original-URL: /p", b"original", id="X-Original-URL"),
        pytest.param(b"X-Rewrite-URL: /p", b"rewrite", id="X-Rewrite-URL"),
        pytest.param(b"X-Hop: 1\r\nConnection: X-Hop", b"x-hop", id="listed"),
        pytest.param(
            b"X-Hop: 1\r\nConnection: close, X-Hop", b"x-hop", id="listed second"
        ),
    ],
)
def test_what_is_for_one_hop_stays_there(server, upstream, sent, gone):
    request = b"GET / HTTP/1.1\r\nHost: a\r\n" + sent + b"\r\nX-End: 1\r\n"

    ask(server.port, request + b"Connection: close\r\n\r\n")

    assert gone not in upstream.heads[0].lower()
    assert b"X-End: 1\r\n" in upstream.heads[0]


def test_unknown_headers_pass_and_none_is_invented(server, upstream):
    get(
        server.port,
        b"/",
        b"Accept-Encoding: br;q=1.0, zstd",
        b'If-None-Match: W/"x"',
        b"Authorization: Basic eDp5",
        b"X-Octets: \xe9\xff  two",
        b'Cookie: a=b; c="d"',
    )

    lines = upstream.heads[0].split(b"\r\n")
    assert b"Accept-Encoding: br;q=1.0, zstd" in lines
    assert b'If-None-Match: W/"x"' in lines
    assert b"Authorization: Basic eDp5" in lines
    assert b"X-Octets: \xe9\xff  two" in lines
    assert b'Cookie: a=b; c="d"' in lines
    assert b"Host: app.example.com" in lines
    assert not any(line.lower().startswith(b"user-agent") for line in lines)
    assert sum(line.lower().startswith(b"connection") for line in lines) == 0


def test_connection_cannot_name_what_the_gate_has_set(gated, upstream):
    with gated("gthread") as (server, _):
        ask(
            server.port,
            b"GET / HTTP/1.1\r\nHost: a\r\n"
            b"Connection: close, Remote-User, X-Forwarded-For, Host, Via\r\n\r\n",
        )

    lines = upstream.heads[0].split(b"\r\n")
    assert b"Remote-User: alice" in lines
    assert b"X-Forwarded-For: 192.0.2.1" in lines
    assert b"Host: a" in lines
    assert any(line.startswith(b"Via: 1.1 totp_gate-") for line in lines)


def test_via_grows_and_a_loop_is_refused(server, upstream):
    get(server.port, b"/", b"Via: 1.0 fred")
    via = next(x for x in upstream.heads[0].split(b"\r\n") if x.startswith(b"Via"))
    again = get(server.port, b"/", via)

    assert via.startswith(b"Via: 1.0 fred, 1.1 totp_gate-")
    assert again.status == 508
    assert len(upstream.heads) == 1


@pytest.mark.parametrize(
    ("value", "seen"), [(b"0", None), (b"7", b"Max-Forwards: 6"), (b"x", b"")]
)
def test_max_forwards_counts_for_options(running, upstream, value, seen):
    answer = get(
        running("gevent").port, b"/", b"Max-Forwards: " + value, method=b"OPTIONS"
    )

    assert answer.status == 200
    if seen is None:
        assert upstream.heads == []
        assert answer.all("allow")
    else:
        assert seen in upstream.heads[0]


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"PATCH"])
def test_no_body_is_said_where_one_is_expected(running, upstream, method):
    get(running("sync").port, method=method)

    assert upstream.heads[0].lower().count(b"content-length: 0\r\n") == 1


@pytest.mark.parametrize("method", [b"GET", b"DELETE", b"PROPFIND"])
def test_no_framing_is_sent_where_there_is_no_body(running, upstream, method):
    get(running("sync").port, method=method)

    assert b"content-length" not in upstream.heads[0].lower()
    assert b"transfer-encoding" not in upstream.heads[0].lower()


def test_an_early_refusal_of_an_upload_reaches_the_client(server, upstream):
    def refuse(peer):
        peer.head()
        peer.send(
            b"HTTP/1.1 413 No\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig"
        )

    upstream.script = refuse
    body = b"x" * 3_000_000
    with connect(server.port) as sock:
        head = START + b"Content-Length: %d\r\n\r\n" % len(body)
        sock.sendall(head)
        with contextlib.suppress(OSError):
            sock.sendall(body)
        answer = understand(read_all(sock))

    assert (answer.status, answer.body) == (413, b"big")


def test_a_connection_with_half_an_upload_serves_nobody_else(running, upstream):
    def refuse(peer):
        if b"/next" in peer.head():
            peer.send(OK)
        else:
            peer.send(b"HTTP/1.1 413 No\r\nContent-Length: 3\r\n\r\nbig")
        time.sleep(3)

    upstream.script = refuse
    body = b"x" * 20_000_000
    with connect(running("gthread").port) as sock:
        sock.sendall(START + b"Content-Length: %d\r\n\r\n" % len(body))
        with contextlib.suppress(OSError):
            sock.sendall(body)
        assert understand(read_all(sock)).status == 413

    assert get(running("gthread").port, b"/next", method=b"POST").body == b"ok"


@pytest.mark.parametrize("worker_class", ["gthread", "gevent"])
def test_a_client_that_leaves_ends_its_request_at_the_application(
    gated, upstream, worker_class
):
    gone = []

    def wait(peer):
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        gone.append(peer.more())

    upstream.script = wait
    with gated(worker_class) as (server, _):
        with connect(server.port) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            sock.recv(100)

        wait_until(lambda: gone == [b""], "the application's end closed", seconds=8)
