"""A thousand people at once in front of one gate: nobody gets what is another's."""

from __future__ import annotations

import contextlib
import random
import resource
import selectors
import socket
import struct
import time
from collections import Counter

import pytest

from tests.integration.proxied import Proxied
from tests.upstream.wires import RawUpstream, understand

USERS = 1000
PATIENCE = 60.0
KINDS = ("counted", "chunked", "early", "missing", "close", "abort", "surplus")


def mark_of(number):
    return b"<user-%d>" % number


def kind_of(number):
    """What the application does for this user; known to both sides."""
    return random.Random(number).choice((*KINDS, "counted", "chunked", "early"))


def answer_to(peer):
    """Answer each request with its own mark, in the manner of its kind."""
    while seen := peer.request():
        head, body = seen
        mark = head.split()[1][1:]
        number = int(mark[6:-1])
        kind = kind_of(number)
        said = body or mark * random.Random(number).randint(1, 3000)
        own = b"HTTP/1.1 %s\r\nMark: %s\r\nSet-Cookie: mark=%s\r\n"
        line = own % (b"404 No" if kind == "missing" else b"200 OK", mark, mark)
        length = b"Content-Length: %d\r\n\r\n"
        if kind == "early":
            peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: <%s>\r\n\r\n" % mark)
        if kind == "chunked":
            peer.send(line + b"Transfer-Encoding: chunked\r\n\r\n")
            peer.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(said), said))
        elif kind == "close":
            peer.send(line + b"\r\n" + said)
            return
        elif kind == "abort":
            peer.send(line + length % (2 * len(said)) + said)
            peer.reset()
            return
        elif kind == "surplus":
            stray = b"HTTP/1.1 200 OK\r\nMark: stray\r\nContent-Length: 6\r\n\r\nSTRAY!"
            peer.send(line + length % len(said) + said + stray)
        else:
            peer.send(line + length % len(said) + said)


class User:
    """One of them: what is sent, how, and what has come."""

    def __init__(self, number, host, cookie):
        chance = random.Random(-number)
        self.number = number
        self.mark = mark_of(number)
        self.leaves = chance.random() < 0.1
        self.leaves_after = chance.randint(1, 5000)
        head = b" /%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n" % (self.mark, host)
        if chance.random() < 0.3:
            body = self.mark * chance.randint(1, 10_000)
            length = b"Content-Length: %d\r\n\r\n" % len(body)
            self.to_send = b"POST" + head + cookie + length + body
        else:
            self.to_send = b"GET" + head + cookie + b"\r\n"
        self.gives_up = chance.random() < 0.05
        if self.gives_up:
            self.to_send = self.to_send[: len(self.to_send) * 2 // 3]
        self.come = b""
        self.over = False

    def write(self, sock):
        """Send on; True where all is sent."""
        with contextlib.suppress(BlockingIOError):
            self.to_send = self.to_send[sock.send(self.to_send) :]
        return not self.to_send

    def read(self, sock):
        """Take what has come; True at the end."""
        octets = sock.recv(65536)
        self.come += octets
        return not octets or (self.leaves and len(self.come) >= self.leaves_after)


def open_all(port):
    """Open a thousand connections before the first octet is sent on any."""
    socks = []
    for _ in range(USERS):
        sock = socket.create_connection(("127.0.0.1", port), 30)
        sock.setblocking(False)
        socks.append(sock)
    return socks


def hang_up(sock, *, at_once):
    if at_once:
        linger = struct.pack("ii", 1, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    sock.close()


def serve_all(users, socks):
    """Let all go on side by side until the last one has got an end."""
    with selectors.DefaultSelector() as selector:
        for user, sock in zip(users, socks, strict=True):
            selector.register(sock, selectors.EVENT_WRITE, user)
        deadline = time.monotonic() + PATIENCE
        while selector.get_map():
            assert time.monotonic() < deadline, f"{len(selector.get_map())} are waiting"
            for key, events in selector.select(1):
                user, sock = key.data, key.fileobj
                try:
                    done = go_on(user, sock, events, selector)
                except OSError:
                    done = True
                if done:
                    selector.unregister(sock)
                    hang_up(sock, at_once=user.leaves or user.gives_up)


def go_on(user, sock, events, selector):
    if events & selectors.EVENT_WRITE:
        if user.write(sock):
            if user.gives_up:
                return True
            selector.modify(sock, selectors.EVENT_READ, user)
        return False
    return user.read(sock)


@pytest.fixture
def many_files():
    """Room for a thousand connections, each with two ends in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 6000:
        pytest.skip("too few files may be open at once")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 6000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
def test_nobody_gets_an_octet_of_another_user(folder):
    application = RawUpstream()
    application.script = answer_to
    more = ("--worker-connections", "3000", "--backlog", "2048")
    with Proxied(folder, application.url, arguments=more) as house:
        cookies = [house.cookie() for _ in range(4)]
        users = [
            User(number, house.host, cookies[number % len(cookies)])
            for number in range(USERS)
        ]
        serve_all(users, open_all(house.port))
        asked, connections = len(application.requests), application.connections
        log = house.server.stderr
    application.close()

    outcomes = Counter(judge(user) for user in users)
    assert outcomes["wrong"] == 0
    assert outcomes["whole"] > USERS / 2
    assert outcomes["no answer"] == 0
    assert connections < asked
    assert "Traceback" not in log


def judge(user):
    """Compare what *user* has got with what the application said to them."""
    answer = understand(user.come)
    kind = kind_of(user.number)
    if user.leaves or user.gives_up:
        return "left"
    if answer.status == 0:
        return "no answer"
    wanted = {"missing": 404}.get(kind, 200)
    own = user.mark.decode()
    named = [answer.all("mark"), answer.all("set-cookie")]
    rest = answer.body.replace(user.mark, b"")
    links = user.come.count(b"Link: <%s>" % user.mark) == user.come.count(b"Link: ")
    if answer.status == 502 and kind == "abort":
        return "cut"
    if answer.status != wanted or named != [[own], [f"mark={own}"]] or not links:
        return "wrong"
    if kind == "abort":
        return "cut" if not answer.whole and user.mark.startswith(rest) else "wrong"
    return "whole" if answer.whole and not rest else "wrong"
