"""What an application answers and what the client gets of it."""

from __future__ import annotations

import gzip
import threading
import time

import pytest

from tests.servers import wait_until
from tests.upstream.wires import OK, always, connect, get, once, read_all, understand

pytestmark = pytest.mark.server

START = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        pytest.param(START + b"Content-Length: 2\r\n\r\nok", b"ok", id="counted"),
        pytest.param(START + b"Content-Length: 0\r\n\r\n", b"", id="empty"),
        pytest.param(
            START
            + b"Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\nT: 1\r\n\r\n",
            b"ok",
            id="chunked with extension and trailer",
        ),
        pytest.param(START + b"\r\nok", b"ok", id="until the close"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\nok", b"ok", id="HTTP/1.0"),
        pytest.param(
            b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", b"ok", id="no reason"
        ),
        pytest.param(
            START
            + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nok",
            b"ok",
            id="offering another protocol",
        ),
    ],
)
def test_a_right_answer_passes(server, upstream, sent, body):
    upstream.script = once(sent)

    answer = get(server.port)

    assert (answer.status, answer.body, answer.whole) == (200, body, True)
    names = [name for name, _ in answer.headers]
    assert "t" not in names
    assert "upgrade" not in names


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"garbage\r\n\r\n", id="garbage"),
        pytest.param(START, id="cut in the head"),
        pytest.param(
            START + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok", id="two CL"
        ),
        pytest.param(
            START + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", id="CL twice"
        ),
        pytest.param(START + b"Content-Length: +2\r\n\r\nok", id="CL with a sign"),
        pytest.param(START + b"Content-Length: abc\r\n\r\nok", id="CL no number"),
        pytest.param(
            START + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            id="CL and TE",
        ),
        pytest.param(
            START + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", id="gzip TE"
        ),
        pytest.param(
            START + b"Transfer-Encoding: identity\r\n\r\nok", id="identity TE"
        ),
        pytest.param(START + b"X-A: a\rSet-Cookie: evil=1\r\n\r\n", id="bare CR"),
        pytest.param(START + b"X-A: a\nSet-Cookie: evil=1\r\n\r\n", id="bare LF"),
        pytest.param(START + b"X-A: a\r\n folded\r\n\r\n", id="folded line"),
        pytest.param(START + b"X-A: a\0b\r\n\r\n", id="NUL"),
        pytest.param(START + b"X-A: a\x01b\r\n\r\n", id="control character"),
        pytest.param(START + b"X-A: a\x7fb\r\n\r\n", id="DEL"),
        pytest.param(START + b"X-A : a\r\n\r\n", id="blank before the colon"),
        pytest.param(START + b"X A: a\r\n\r\n", id="blank in the name"),
        pytest.param(START + b": a\r\n\r\n", id="no name"),
        pytest.param(
            b"HTTP/1.1 200 O\x01K\r\n\r\n", id="control character in the reason"
        ),
        pytest.param(b"HTTP/1.1 200 O\x00K\r\n\r\n", id="NUL in the reason"),
        pytest.param(b"HTTP/1.1 200 O\x7fK\r\n\r\n", id="DEL in the reason"),
        pytest.param(b"HTTP/1.1 099 No\r\n\r\n", id="status 099"),
        pytest.param(b"HTTP/1.1 600 No\r\n\r\n", id="status 600"),
        pytest.param(b"HTTP/2.0 200 OK\r\n\r\n", id="HTTP/2.0"),
        pytest.param(b"HTTP/0.9 200 OK\r\n\r\n", id="HTTP/0.9"),
        pytest.param(START + b"X: " + b"a" * 70000 + b"\r\n\r\n", id="70 kB of head"),
        pytest.param(START + b"X: a\r\n" * 300 + b"\r\n", id="300 headers"),
        pytest.param(b"HTTP/1.1 100 Go\r\n\r\n" * 50 + OK, id="50 times 100"),
        pytest.param(b"HTTP/1.1 101 Go\r\nUpgrade: x\r\n\r\n", id="101 unasked"),
        pytest.param(b"HTTP/1.1 101 Go\r\n\r\n", id="101 without a word"),
        pytest.param(
            START + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", id="no chunk"
        ),
    ],
)
def test_a_wrong_answer_is_502_and_nothing_of_it_leaks(server, upstream, sent):
    upstream.script = once(sent)

    answer = get(server.port)

    assert answer.status == 502
    assert answer.whole
    assert answer.all("set-cookie") == []
    assert b"evil" not in answer.octets
    assert str(upstream.port).encode() not in answer.octets


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(START + b"Content-Length: 100\r\n\r\nten octets", id="counted"),
        pytest.param(
            START + b"Transfer-Encoding: chunked\r\n\r\na\r\nten octets\r\n",
            id="no last chunk",
        ),
        pytest.param(
            START + b"Transfer-Encoding: chunked\r\n\r\nff\r\nten octets",
            id="inside a chunk",
        ),
        pytest.param(
            START + b"Transfer-Encoding: chunked\r\n\r\na\r\nten octets\r\nzz\r\n",
            id="a broken chunk",
        ),
    ],
)
def test_a_cut_answer_is_cut_for_the_client_too(server, upstream, sent):
    begun = threading.Event()

    def script(peer):
        peer.request()
        peer.send(sent[:-4])
        begun.wait(5)
        peer.send(sent[-4:])

    upstream.script = script

    with connect(server.port) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        octets = sock.recv(1000)
        begun.set()
        answer = understand(octets + read_all(sock))

    assert answer.status == 200
    assert not answer.whole


def test_interim_answers_are_not_the_answer(server, upstream):
    upstream.script = once(
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\nSet-Cookie: a=b\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n" + OK,
    )

    answer = get(server.port)

    assert (answer.status, answer.body) == (200, b"ok")
    hints = answer.octets.split(b"\r\n\r\n")[0]
    assert hints == b"HTTP/1.1 103 Early Hints\r\nLink: </s.css>"


def test_after_103_the_next_person_gets_their_own_answer(server, upstream):
    def script(peer):
        while seen := peer.request():
            name = seen[0].split()[1][1:]
            peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\n\r\n")
            time.sleep(0.05)
            peer.send(START + b"Content-Length: %d\r\n\r\n%s" % (len(name), name))

    upstream.script = script

    assert get(server.port, b"/alice").body == b"alice"
    assert get(server.port, b"/bob").body == b"bob"
    assert upstream.connections == 1


@pytest.mark.parametrize(
    "surplus",
    [
        pytest.param(OK + OK, id="two answers at once"),
        pytest.param(
            START + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + OK,
            id="an answer behind chunks",
        ),
        pytest.param(OK + b"junk", id="junk behind"),
        pytest.param(
            b"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nok", id="204 with a body"
        ),
        pytest.param(b"HTTP/1.1 304 No\r\n\r\nok", id="304 with a body"),
    ],
)
def test_what_follows_an_answer_reaches_nobody(server, upstream, surplus):
    upstream.script = always(surplus)
    first = get(server.port, b"/1")
    upstream.script = always(START + b"Content-Length: 3\r\n\r\nyes")
    second = get(server.port, b"/2")

    assert first.whole
    assert first.body in (b"ok", b"")
    assert second.body == b"yes"
    assert upstream.connections == 2


def test_a_late_second_answer_reaches_nobody(server, upstream):
    answered, strayed = threading.Event(), threading.Event()

    def script(peer):
        peer.request()
        peer.send(OK)
        answered.wait(5)
        peer.send(START + b"Content-Length: 5\r\n\r\nstray")
        strayed.set()
        peer.request()

    upstream.script = script
    get(server.port, b"/1")
    answered.set()
    assert strayed.wait(5)
    upstream.script = always(OK)

    assert get(server.port, b"/2").body == b"ok"
    assert upstream.connections == 2


@pytest.mark.parametrize(
    ("method", "sent", "length"),
    [
        pytest.param(b"HEAD", START + b"Content-Length: 77\r\n\r\n", ["77"], id="HEAD"),
        pytest.param(
            b"GET", b"HTTP/1.1 304 Same\r\nContent-Length: 77\r\n\r\n", ["77"], id="304"
        ),
        pytest.param(
            b"GET", b"HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", [], id="204"
        ),
        pytest.param(
            b"HEAD",
            START + b"Transfer-Encoding: chunked\r\n\r\n",
            [],
            id="HEAD of chunks",
        ),
    ],
)
def test_an_answer_without_body_leaves_the_connection_right(
    server, upstream, method, sent, length
):
    upstream.script = always(sent)
    answer = get(server.port, method=method)
    get(server.port, method=method)

    assert answer.body == b""
    assert answer.all("content-length") == length
    assert upstream.connections == 1


def test_headers_pass_in_order_and_untouched(server, upstream):
    body = gzip.compress(b"x" * 100, mtime=0)
    many = b"".join(b"X-%d: %d\r\n" % (n, n) for n in range(150))
    upstream.script = once(
        START + b"Set-Cookie: a=1; Path=/, x\r\nX-Hop: 1\r\nConnection: X-Hop\r\n"
        b"Keep-Alive: timeout=5\r\nProxy-Authenticate: x\r\nTrailer: T\r\n"
        b"Set-Cookie: b=2\r\nContent-Encoding: gzip\r\nX-Octets: \xe9\r\n"
        b"WWW-Authenticate: Basic\r\nX-Empty:\r\nContent-Length: %d\r\n%s\r\n%s"
        % (len(body), many, body)
    )

    answer = get(server.port)

    assert answer.body == body
    assert answer.all("set-cookie") == ["a=1; Path=/, x", "b=2"]
    assert answer.all("x-octets") == ["\xe9"]
    assert answer.all("x-empty") == [""]
    assert answer.all("www-authenticate") == ["Basic"]
    assert [v for k, v in answer.headers if k[2:].isdigit()] == [
        str(n) for n in range(150)
    ]
    for name in ("x-hop", "keep-alive", "proxy-authenticate", "trailer"):
        assert answer.all(name) == []


def test_a_redirect_is_passed_on_and_not_followed(server, upstream):
    upstream.script = always(
        b"HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n"
    )

    answer = get(server.port)

    assert answer.status == 302
    assert answer.all("location") == ["http://evil.example/"]
    assert len(upstream.heads) == 1


def test_silence_is_504(server, upstream):
    upstream.script = lambda peer: (peer.head(), peer.more())

    assert get(server.port).status == 504


def test_silence_in_mid_answer_cuts_it(server, upstream):
    def script(peer):
        peer.head()
        peer.send(START + b"Content-Length: 9\r\n\r\nabc")
        peer.more()

    upstream.script = script
    answer = get(server.port)

    assert (answer.status, answer.body, answer.whole) == (200, b"abc", False)


def test_a_drip_arrives_as_it_falls(server, upstream):
    fall = threading.Event()

    def script(peer):
        peer.head()
        peer.send(START + b"Content-Type: text/event-stream\r\n\r\n")
        for _ in range(3):
            fall.wait(30)
            fall.clear()
            peer.send(b"data: x\n\n")

    upstream.script = script
    with connect(server.port) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"200 OK" in sock.recv(1000)
        for _ in range(3):
            fall.set()
            assert b"data: x" in sock.recv(1000)


def test_chunks_from_an_http_1_0_application_end_its_connection(server, upstream):
    upstream.script = always(
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n"
        b"\r\n2\r\nok\r\n0\r\n\r\n"
    )

    assert [get(server.port).body for _ in range(2)] == [b"ok", b"ok"]
    assert upstream.connections == 2


def test_an_idle_connection_that_died_is_not_used(server, upstream):
    upstream.script = once(OK)
    assert get(server.port).body == b"ok"
    wait_until(lambda: not upstream.open)

    answer = get(server.port, method=b"POST", body=b"")

    assert answer.body == b"ok"


def test_a_line_without_cr_is_refused_at_once(server, upstream):
    def script(peer):
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok")
        peer.more()

    upstream.script = script

    assert get(server.port).status == 502
