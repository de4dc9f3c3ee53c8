"""Requests that two servers could read differently, through the whole gate.

Each is sent twice: by somebody who is signed in, so that it reaches the proxy, and by a
stranger, of whom the application must never see an octet.
"""

from __future__ import annotations

import contextlib

import pytest

from tests.integration.proxied import Proxied
from tests.upstream.wires import OK, RawUpstream, always, connect, read_all, understand

HIDDEN = b"GET /admin/smuggled HTTP/1.1\r\nHost: evil\r\n\r\n"
NOT_SIGNED_IN = {303, 401}


@pytest.fixture(scope="module")
def application():
    """What stands behind the gate."""
    upstream = RawUpstream()
    yield upstream
    upstream.close()


@pytest.fixture(scope="module")
def house(application, tmp_path_factory):
    """The gate, and somebody who is signed in."""
    folder = tmp_path_factory.mktemp("hostile")
    folder.chmod(0o700)
    with Proxied(folder, application.url) as house:
        house.somebody = house.cookie()
        yield house
        assert "Traceback" not in house.server.stderr, house.server.stderr


@pytest.fixture(params=["signed in", "a stranger"])
def cookie(request, house):
    """The Cookie field of who asks; empty for a stranger."""
    return house.somebody if request.param == "signed in" else b""


@pytest.fixture(autouse=True)
def _anew(application):
    application.forget()
    application.script = always(OK)


def send(house, octets):
    """Send *octets*, with nothing behind them; understand the first answer."""
    with connect(house.port) as sock:
        with contextlib.suppress(OSError):  # it may have hung up by then
            sock.sendall(octets)
            sock.shutdown(1)
        return understand(read_all(sock))


def refuse(name, status, *lines, body=b"", line=b"POST /x HTTP/1.1"):
    """A request that reaches nobody; ``{host}`` and ``{cookie}`` stand for those."""
    return pytest.param(line, lines, body, status, id=name)


CHUNKED = b"Transfer-Encoding: chunked"
LAST = b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("line", "fields", "body", "status"),
    [
        refuse("CL then TE", 400, b"Content-Length: 5", CHUNKED, body=LAST),
        refuse("TE then CL", 400, CHUNKED, b"Content-Length: 5", body=LAST),
        refuse("two equal CL", 400, b"Content-Length: 5", b"Content-Length: 5"),
        refuse("two CL", 400, b"Content-Length: 5", b"Content-Length: 6"),
        refuse("a list in CL", 400, b"Content-Length: 1, 1"),
        refuse("+1 in CL", 400, b"Content-Length: +1"),
        refuse("-1 in CL", 400, b"Content-Length: -1"),
        refuse("0x1 in CL", 400, b"Content-Length: 0x1"),
        refuse("1_0 in CL", 400, b"Content-Length: 1_0"),
        refuse("superscript two in CL", 400, b"Content-Length: \xb2"),
        refuse("an empty CL", 400, b"Content-Length:"),
        refuse("xchunked", 501, b"Transfer-Encoding: xchunked", body=LAST),
        refuse("chunked in quotes", 501, b'Transfer-Encoding: "chunked"', body=LAST),
        refuse("NBSP and chunked", 501, b"Transfer-Encoding: \xa0chunked", body=LAST),
        refuse("VT and chunked", 400, b"Transfer-Encoding: \x0bchunked", body=LAST),
        refuse("chunked twice", 400, b"Transfer-Encoding: chunked, chunked", body=LAST),
        refuse("chunked in two lines", 400, CHUNKED, CHUNKED, body=LAST),
        refuse("identity last", 400, b"Transfer-Encoding: chunked, identity"),
        refuse("identity alone", 400, b"Transfer-Encoding: identity"),
        refuse("a blank before the colon", 400, b"Transfer-Encoding : chunked"),
        refuse("TE folded", 400, b"Transfer-Encoding:\r\n chunked", body=LAST),
        refuse("a folded line", 400, b"X-A: a\r\n b"),
        refuse("a line that begins with a blank", 400, b" X-A: a"),
        refuse("TE of HTTP/1.0", 400, CHUNKED, body=LAST, line=b"POST /x HTTP/1.0"),
        refuse("no colon", 400, b"Nothing"),
        refuse("a blank in a name", 400, b"X A: 1"),
        refuse("NUL in a name", 400, b"X\0A: 1"),
        refuse("CR in a name", 400, b"X\rA: 1"),
        refuse("NUL in a value", 400, b"X-A: a\0b"),
        refuse("CR in a value", 400, b"X-A: a\rb"),
        refuse("LF alone", 400, b"X-A: a\nX-B: b"),
        refuse("two Hosts", 400, b"Host: evil.example"),
        refuse("a method in small letters", 400, line=b"get / HTTP/1.1"),
        refuse("HTTP/2.0 as text", 400, line=b"GET / HTTP/2.0"),
        refuse("an octet of eight bits", 400, line=b"GET /\xe4 HTTP/1.1"),
        refuse("a blank in the target", 400, line=b"GET /a b HTTP/1.1"),
        refuse("a fragment", 400, line=b"GET /a#b HTTP/1.1"),
        refuse("NUL in the target", 400, line=b"GET /a%00 HTTP/1.1"),
        refuse("LF in the target", 400, line=b"GET /a%0ab HTTP/1.1"),
        refuse("a backslash in code", 400, line=b"GET /a%5cb HTTP/1.1"),
        refuse("a bare backslash", 400, line=b"GET /a\\b HTTP/1.1"),
        refuse("no hexadecimal", 400, line=b"GET /%zz HTTP/1.1"),
        refuse("overlong UTF-8", 400, line=b"GET /%c0%af HTTP/1.1"),
        refuse("dots in code", 400, line=b"GET /a/%2e%2e/b HTTP/1.1"),
        refuse("a slash in code", 400, line=b"GET /a%2f..%2fb HTTP/1.1"),
        refuse("another authority", 400, line=b"GET http://evil.example/ HTTP/1.1"),
        refuse("another scheme", 400, line=b"GET ftp://evil.example/ HTTP/1.1"),
        refuse("TRACE", 405, line=b"TRACE / HTTP/1.1"),
        refuse("CONNECT", 405, line=b"CONNECT evil.example:443 HTTP/1.1"),
        refuse("a long field", 431, b"X-A: " + b"a" * 9000),
        refuse("many fields", 431, *(b"X-%d: 1" % number for number in range(120))),
        refuse("a long target", 414, line=b"GET /" + b"a" * 9000 + b" HTTP/1.1"),
        refuse("another expectation", 417, b"Expect: a-miracle"),
        refuse("a path that moves", 400, b"Script-Name: /x"),
    ],
)
def test_what_could_be_read_two_ways_reaches_nobody(
    house, application, cookie, line, fields, body, status
):
    own = b"Host: %s\r\nConnection: close\r\n" % house.host + cookie
    rest = b"".join(field + b"\r\n" for field in fields)

    answer = send(house, line + b"\r\n" + own + rest + b"\r\n" + body)

    assert answer.status == status
    assert application.connections == 0
    if status == 405:
        assert answer.all("allow")
    assert b"evil" not in answer.octets


@pytest.mark.parametrize(
    ("fields", "body", "status"),
    [
        pytest.param([b"Transfer-Encoding: gzip, chunked"], LAST, 501, id="gzip"),
        pytest.param([b"Transfer-Encoding: identity, chunked"], LAST, 501, id="none"),
        pytest.param([CHUNKED], b"0x1\r\na\r\n" + LAST, 400, id="0x1"),
        pytest.param([CHUNKED], b"+1\r\na\r\n" + LAST, 400, id="+1"),
        pytest.param([CHUNKED], b"1_0\r\n" + b"a" * 16 + b"\r\n" + LAST, 400, id="1_0"),
        pytest.param([CHUNKED], b"-5\r\nabcde\r\n" + LAST, 400, id="-5"),
        pytest.param([CHUNKED], b" 0\r\n\r\n", 400, id="a blank before"),
        pytest.param([CHUNKED], b"\r\n\r\n", 400, id="no size"),
        pytest.param([CHUNKED], b"3;a\rb\r\nabc\r\n" + LAST, 400, id="CR in extension"),
        pytest.param([CHUNKED], b"3;a\nb\r\nabc\r\n" + LAST, 400, id="LF in extension"),
        pytest.param([CHUNKED], b"3;=\r\nabc\r\n" + LAST, 400, id="no extension"),
        pytest.param([CHUNKED], b"f" * 18 + b"\r\nabc", 400, id="beyond 2^63"),
        pytest.param([CHUNKED], b"3\nabc\n0\n\n", 400, id="LF alone"),
        pytest.param([CHUNKED], b"3\r\nabcJUNK\r\n" + LAST, 400, id="junk behind"),
        pytest.param([CHUNKED], b"3\r\nabc\r\n", 400, id="no last chunk"),
        pytest.param([CHUNKED], b"a\r\nabc", 400, id="cut in a chunk"),
        pytest.param([CHUNKED], b"0\r\nX: a\nb\r\n\r\n", 400, id="LF in a trailer"),
        pytest.param([CHUNKED], b"0\r\nX\r\n\r\n", 400, id="no trailer"),
        pytest.param([CHUNKED], b"3;" + b"a" * 100_000, 400, id="endless extension"),
        pytest.param([b"Content-Length: 10"], b"12345", 400, id="CL too large"),
    ],
)
def test_a_body_that_breaks_the_rules_is_whole_for_nobody(
    house, application, cookie, fields, body, status
):
    own = b"Host: %s\r\nConnection: close\r\n" % house.host + cookie
    rest = b"".join(field + b"\r\n" for field in fields)

    answer = send(house, b"POST /x HTTP/1.1\r\n" + own + rest + b"\r\n" + body)

    assert application.requests == []
    if cookie:
        assert answer.status == status
    else:
        assert answer.status in NOT_SIGNED_IN | {400, status}
        assert application.connections == 0


FRAMED = [
    pytest.param(b"Content-Length: %d\r\n\r\n%s" % (len(HIDDEN), HIDDEN), id="counted"),
    pytest.param(
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
        % (len(HIDDEN), HIDDEN),
        id="chunked",
    ),
    pytest.param(
        b"Content-Length: %d\r\nTransfer_Encoding: chunked\r\n\r\n%s"
        % (len(HIDDEN), HIDDEN),
        id="counted, with an underscore",
    ),
    pytest.param(
        b"Transfer-Encoding: chunked\r\n\r\n%x;a=b\r\n%s\r\n0\r\nRemote-User: root\r\n\r\n"
        % (len(HIDDEN), HIDDEN),
        id="chunked, with a trailer",
    ),
]


@pytest.mark.parametrize("method", [b"POST", b"GET"])
@pytest.mark.parametrize("framed", FRAMED)
def test_a_body_that_is_a_request_is_a_body(house, application, cookie, method, framed):
    own = b"Host: %s\r\nConnection: close\r\n" % house.host + cookie

    answer = send(house, method + b" /x HTTP/1.1\r\n" + own + framed)

    assert answer.octets.count(b"HTTP/1.1 ") == 1
    if cookie:
        assert answer.status == 200
        ((head, body),) = application.requests
        assert body == HIDDEN
        assert b"root" not in head
        assert b"Transfer_Encoding" not in head
    else:
        assert answer.status in NOT_SIGNED_IN
        assert application.connections == 0


@pytest.mark.parametrize("size", [1000, 60_000])
def test_what_follows_a_strangers_body_is_a_request_of_its_own(
    house, application, size
):
    first = b"POST /1 HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n"
    second = b"GET /_gate/healthz HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"
    with connect(house.port) as sock:
        sock.sendall(first % (house.host, size) + (HIDDEN * size)[:size])
        sock.sendall(second % house.host)
        answers = read_all(sock)

    assert statuses(answers) == [b"401", b"200"]
    assert application.connections == 0


@pytest.mark.parametrize("framing", ["counted", "chunked"])
def test_a_strangers_large_body_ends_the_connection(house, application, framing):
    size = 3_000_000
    head = b"POST /1 HTTP/1.1\r\nHost: %s\r\n" % house.host
    head += CHUNKED if framing == "chunked" else b"Content-Length: %d" % size
    with connect(house.port) as sock:
        sock.sendall(head + b"\r\n\r\n")
        answer = understand(read_all(sock))

    assert answer.status == 401
    assert answer.all("connection") == ["close"]
    assert application.connections == 0


def statuses(octets):
    """The statuses of answers that follow each other."""
    lines = octets.split(b"HTTP/1.1 ")[1:]
    return [line[:3] for line in lines]


@pytest.mark.parametrize("first", ["signed in", "a stranger"])
def test_of_two_requests_sent_at_once_each_is_judged_by_itself(
    house, application, first
):
    one, two = (house.somebody, b"") if first == "signed in" else (b"", house.somebody)
    sent = b"GET /1 HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (house.host, one)
    sent += b"GET /2 HTTP/1.1\r\nHost: %s\r\n%sConnection: close\r\n\r\n" % (
        house.host,
        two,
    )

    answers = send(house, sent)

    expected = [b"200", b"401"] if first == "signed in" else [b"401", b"200"]
    assert statuses(answers.octets) == expected
    seen = [head.split()[1] for head in application.heads]
    assert seen == ([b"/1"] if first == "signed in" else [b"/2"])


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"GET /\r\n\r\n", id="HTTP/0.9"),
        pytest.param(b"GET / HTTP/0.9\r\nHost: %s\r\n%s\r\n", id="HTTP/0.9 as text"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2"),
        pytest.param(b"GET / HTTP/1.1\nHost: %s\n%s\n", id="LF alone"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="no Host"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a b\r\n%s\r\n", id="no host"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: evil.example\r\n%s\r\n", id="another"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS"),
    ],
)
def test_what_is_no_request_of_ours_reaches_nobody(house, application, cookie, octets):
    wanted = octets.count(b"%s")
    answer = send(house, octets % (house.host, cookie)[2 - wanted :])

    assert answer.status in {0, 400, 505}
    assert application.connections == 0


def test_the_asterisk_is_answered_by_the_gate(house, application, cookie):
    answer = house.ask(b"OPTIONS * HTTP/1.1", cookie=cookie)

    assert answer.status in {200, 204}
    assert application.connections == 0


@pytest.mark.parametrize(
    ("sent", "seen"), [(b"0", None), (b"5", b"Max-Forwards: 4"), (b"x", b"OPTIONS")]
)
def test_max_forwards(house, application, cookie, sent, seen):
    answer = house.ask(b"OPTIONS /x HTTP/1.1", b"Max-Forwards: " + sent, cookie=cookie)

    if not cookie:
        assert answer.status in NOT_SIGNED_IN
        assert application.connections == 0
    elif seen is None:
        assert answer.status == 200
        assert answer.all("allow")
        assert application.connections == 0
    else:
        assert answer.status == 200
        assert seen in application.heads[0]


@pytest.mark.parametrize(
    "target",
    [b"/a;b=c?d=e", b"//", b"/%E2%82%AC/'()*", b"/a%20b?x=%2F&y[]=%zz", b"/?q=a?b"],
)
def test_a_target_is_passed_on_octet_for_octet(house, application, cookie, target):
    answer = house.ask(b"GET " + target + b" HTTP/1.1", cookie=cookie)

    if cookie and answer.status != 400:
        assert application.heads[0].startswith(b"GET " + target + b" HTTP/1.1\r\n")
    else:
        assert answer.status in NOT_SIGNED_IN | {400}
        assert application.connections == 0


def test_an_absolute_target_of_this_origin_is_a_path(house, application, cookie):
    answer = house.ask(b"GET http://%s/a?b HTTP/1.1" % house.host, cookie=cookie)

    if cookie:
        assert application.heads[0].startswith(b"GET /a?b HTTP/1.1\r\n")
    else:
        assert answer.status in NOT_SIGNED_IN
        assert application.connections == 0


def test_ranges_and_conditions_are_the_applications_own(house, application, cookie):
    fields = (
        b"Range: bytes=0-1,5-",
        b'If-Range: "x"',
        b'If-None-Match: W/"y"',
        b"Expect: 100-continue",
    )
    partial = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\n"
    application.script = always(partial + b"Content-Length: 2\r\n\r\nok")

    answer = house.ask(b"GET /x HTTP/1.1", *fields, cookie=cookie)

    if not cookie:
        assert answer.status in NOT_SIGNED_IN
        assert application.connections == 0
        return
    assert (answer.status, answer.body) == (206, b"ok")
    assert answer.all("content-range") == ["bytes 0-1/9"]
    lines = application.heads[0].split(b"\r\n")
    assert set(fields[:3]) <= set(lines)
    assert not any(line.lower().startswith(b"expect") for line in lines)


def test_a_connection_goes_on_after_an_answer_without_body(house, application):
    def script(peer):
        while seen := peer.request():
            line = seen[0].split(b"\r\n")[0]
            if line.startswith(b"HEAD /x"):
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n")
            elif b"/304" in line:
                peer.send(b"HTTP/1.1 304 Same\r\nContent-Length: 77\r\n\r\n")
            elif b"/204" in line:
                peer.send(b"HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n")
            else:
                peer.send(OK)

    application.script = script
    asked = [b"HEAD /x", b"GET /304", b"GET /204", b"HEAD /304", b"HEAD /204", b"GET /"]
    with connect(house.port) as sock:
        for number, line in enumerate(asked):
            last = b"Connection: close\r\n" if number == len(asked) - 1 else b""
            own = b"Host: %s\r\n" % house.host + house.somebody + last
            sock.sendall(line + b" HTTP/1.1\r\n" + own + b"\r\n")
        answers = read_all(sock)

    wanted = [b"200", b"304", b"204", b"304", b"204", b"200"]
    assert statuses(answers) == wanted
    assert answers.endswith(b"\r\n\r\nok")
    assert application.connections == 1
