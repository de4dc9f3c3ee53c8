"""Parts that die take along only what was under way."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.servers import ROOT, Server, wait_until
from tests.upstream.wires import ask, connect, get, understand

pytestmark = pytest.mark.server


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


@pytest.mark.parametrize("worker_class", ["sync", "gthread", "gevent"])
def test_killing_the_application_ends_only_what_is_under_way(
    gated, upstream, worker_class
):
    application = Application()
    with application:
        upstream.url, url = application.url, upstream.url
        try:
            with gated(worker_class) as (server, _):
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


@pytest.mark.parametrize("worker_class", ["sync", "gthread", "gevent"])
def test_a_restart_under_load_costs_only_requests_in_flight(
    gated, upstream, worker_class
):
    with Application() as application:
        upstream.url, url = application.url, upstream.url
        statuses = []
        stop = threading.Event()

        def load(port):
            while not stop.is_set():
                statuses.append(get(port, b"/quick").status)

        try:
            with gated(worker_class) as (server, _), ThreadPoolExecutor(8) as users:
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


@pytest.mark.parametrize("worker_class", ["sync", "gthread", "gevent"])
def test_a_killed_worker_takes_only_its_own_answers_along(
    gated, upstream, worker_class
):
    hold = threading.Event()

    def script(peer):
        while seen := peer.request():
            if b"/held" in seen[0]:
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")
                hold.wait(10)
            else:
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    upstream.script = script
    with gated(worker_class) as (server, _), connect(server.port) as sock:
        sock.sendall(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
        begun = sock.recv(1000)
        (worker,) = server.children
        os.kill(worker, signal.SIGKILL)
        answer = understand(begun + _rest(sock))
        wait_until(lambda: server.stderr.count("worker is ready") == 2, "a new worker")
        hold.set()

        assert not answer.whole
        assert ask(server.port, b"GET / HTTP/1.0\r\n\r\n").body == b"ok"
