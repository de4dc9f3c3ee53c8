"""Many people at once, and parts that die: nobody gets what is another's."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.servers import ROOT, Server, wait_until
from tests.upstream.wires import ask, connect, get, understand

pytestmark = pytest.mark.server


def marked(peer):
    """Answer each request with its own mark, in a manner drawn from the mark."""
    while seen := peer.request():
        head, body = seen
        mark = head.split()[1][1:]
        chance = random.Random(mark)
        expected = body or mark * chance.randint(1, 2000)
        if chance.random() < 0.3:
            peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: <%s>\r\n\r\n" % mark)
        kind = chance.choice(["counted", "chunked", "close", "abort", "surplus"])
        if kind == "counted":
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(expected))
            peer.send(expected)
        elif kind == "chunked":
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            peer.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(expected), expected))
        elif kind == "close":
            peer.send(b"HTTP/1.1 200 OK\r\n\r\n" + expected)
            return
        elif kind == "abort":
            peer.send(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (2 * len(expected))
            )
            peer.send(expected)
            peer.reset()
            return
        else:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(expected))
            peer.send(expected + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nSTRAY!")


def one_user(port, number):
    """Ask as user *number*: octets that are not theirs, and whether all came."""
    mark = b"<user-%d>" % number
    chance = random.Random(number)
    with connect(port) as sock:
        head = b" /%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" % mark
        if chance.random() < 0.3:
            body = mark * chance.randint(1, 20000)
            head = b"POST" + head + b"Content-Length: %d\r\n\r\n" % len(body)
            sock.sendall(head)
            whole = chance.random() < 0.8
            sock.sendall(body if whole else body[: len(body) // 2])
            if not whole:
                sock.shutdown(socket.SHUT_WR)
        else:
            sock.sendall(b"GET" + head + b"\r\n")
        octets = b""
        with contextlib.suppress(ConnectionResetError):
            if chance.random() < 0.2:
                sock.recv(chance.randint(1, 5000))
                return b"", False
            while more := sock.recv(65536):
                octets += more
    answer = understand(octets)
    if answer.status != 200:
        return b"", False
    return answer.body.replace(mark, b""), answer.whole


@pytest.mark.parametrize("worker_class", ["gthread", "gevent"])
def test_nobody_gets_an_octet_of_another_user(running, upstream, worker_class):
    upstream.script = marked
    port = running(worker_class).port

    with ThreadPoolExecutor(50) as users:
        results = list(users.map(lambda n: one_user(port, n), range(1000)))

    # What a cut answer ends with may be part of one's own mark, never another's.
    for number, (strange, _) in enumerate(results):
        assert (b"<user-%d>" % number).startswith(strange), (number, strange[:100])
    assert sum(whole for _, whole in results) > 300


class Application(Server):
    """A process that answers slowly, to be killed in mid-answer."""

    def command(self):
        code = (
            "import sys, time; sys.path.insert(0, sys.argv[1])\n"
            "from tests.upstream.wires import RawUpstream\n"
            "def slow(peer):\n"
            "    while seen := peer.request():\n"
            "        size = 2 if b'/quick' in seen[0] else 9\n"
            "        peer.send(b'HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\nok' % size)\n"
            "        if size == 9: time.sleep(30)\n"
            "upstream = RawUpstream(int(sys.argv[2]))\n"
            "upstream.script = slow\n"
            "time.sleep(120)\n"
        )
        return [sys.executable, "-c", code, str(ROOT), str(self.port)]


def test_killing_the_application_ends_only_what_is_under_way(gated, upstream):
    application = Application()
    with application:
        upstream.url, url = application.url, upstream.url
        try:
            with gated("gevent") as (server, _):
                with connect(server.port) as sock:
                    sock.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
                    begun = sock.recv(1000)
                    application.kill()
                    cut = understand(begun + _rest(sock))
                dead = get(server.port, b"/quick").status
                application.start()
                alive = get(server.port, b"/quick").body
        finally:
            upstream.url = url

    assert cut.status == 200
    assert not cut.whole
    assert dead == 502
    assert alive == b"ok"


def _rest(sock):
    octets = b""
    with contextlib.suppress(OSError):
        while more := sock.recv(1000):
            octets += more
    return octets


def test_a_restart_under_load_costs_only_requests_in_flight(gated, upstream):
    with Application() as application:
        upstream.url, url = application.url, upstream.url
        statuses = []
        stop = threading.Event()

        def load(port):
            while not stop.is_set():
                statuses.append(get(port, b"/quick").status)

        try:
            with gated("gevent") as (server, _), ThreadPoolExecutor(8) as users:
                loads = [users.submit(load, server.port) for _ in range(8)]
                time.sleep(0.3)
                application.kill()
                time.sleep(0.2)
                application.start()
                mark = len(statuses)
                wait_until(lambda: len(statuses) > mark + 300, "load after the restart")
                stop.set()
                for done in loads:
                    done.result()
        finally:
            stop.set()
            upstream.url = url

    assert set(statuses) <= {200, 502}
    assert statuses[-200:] == [200] * 200


def test_a_killed_worker_takes_only_its_own_answers_along(gated, upstream):
    hold = threading.Event()

    def script(peer):
        while seen := peer.request():
            if b"/held" in seen[0]:
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")
                hold.wait(10)
            else:
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    upstream.script = script
    with gated("gevent") as (server, _), connect(server.port) as sock:
        sock.sendall(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
        begun = sock.recv(1000)
        (worker,) = server.children
        os.kill(worker, signal.SIGKILL)
        answer = understand(begun + _rest(sock))
        wait_until(lambda: server.stderr.count("worker is ready") == 2, "a new worker")
        hold.set()

        assert not answer.whole
        assert ask(server.port, b"GET / HTTP/1.0\r\n\r\n").body == b"ok"
