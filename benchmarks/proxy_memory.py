"""What the proxy keeps in memory: long bodies, and idle tunnels.

Resident memory of the one gevent worker, as the kernel counts it: of the proxy by
itself, and of gate and proxy together, asked by somebody who is signed in.
"""

from __future__ import annotations

import contextlib
import resource
import socket
import threading
import time
from pathlib import Path

from benchmarks import signed_in
from benchmarks.servers import processor
from benchmarks.table import Row, show
from tests.servers import Gunicorn, free_port

PIECE = b"x" * (1 << 20)
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: x\r\n\r\n"
)
ONCE = b"\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
ASK = (
    b"GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
APPS = {
    "the proxy": "benchmarks.proxy_apps:proxy()",
    "gate and proxy": "benchmarks.proxy_apps:gate_and_proxy()",
}
MORE = ("--worker-connections", "4000")


def run(pieces: int = 1024, number: int = 1000) -> list[Row]:
    """Measure and print the tables: the proxy by itself, and the gate and the proxy.

    Args:
        pieces: MiB of a body.
        number: of tunnels.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384), hard))
    port = free_port()
    upstream(port, pieces)
    url = f"http://127.0.0.1:{port}"
    settings = f'[upstream]\nurl = "{url}"\nmax_tunnels = {number + 1}\n'
    rows = []
    with signed_in.installation(settings, trusted=()) as made:
        env = {"UPSTREAM": url, "BENCHMARK_SETTINGS": str(made.path)}
        own = f"Host: {signed_in.HOST}\r\nCookie: {signed_in.sign_in(made)}\r\n"
        for name, app in APPS.items():
            with Gunicorn(
                app, worker_class="gevent", env=env, arguments=MORE
            ) as server:
                measured = [
                    *bodies(server, own.encode(), pieces),
                    *late(server, own.encode()),
                    *tunnels(server, own.encode(), number),
                ]
            rows += show(f"What {name} keeps, one gevent worker", measured)
    return rows


def bodies(server: Gunicorn, own: bytes, pieces: int) -> list[Row]:
    """Send a long body each way and see what it costs."""
    rows = []
    for name, way in (("down", download), ("up", upload)):
        begin = reset_peak(server)
        first, took = way(server.port, own, pieces)
        grown = (memory(server, "VmHWM") - begin) / 1024
        what = f"{pieces} MiB {name}"
        rows += [
            Row(f"{what}: memory grows", [grown], at_most=16, unit="MiB"),
            Row(f"{what}: first octet after", [first], at_most=50, unit="ms"),
            Row(f"{what}: a second", [pieces / took], unit="MiB"),
        ]
    return rows


def late(server: Gunicorn, own: bytes) -> list[Row]:
    """See when the headers come of an answer whose body is late."""
    waits = []
    for _ in range(9):
        begun = time.perf_counter()
        with socket.create_connection(("127.0.0.1", server.port), 60) as sock:
            sock.sendall(b"GET /late HTTP/1.1\r\n" + own + b"\r\n")
            assert sock.recv(1000).startswith(b"HTTP/1.1 200")
            waits.append((time.perf_counter() - begun) * 1000)
    return [Row("a late body: headers after", waits, at_most=50, unit="ms")]


def tunnels(server: Gunicorn, own: bytes, number: int) -> list[Row]:
    """Open tunnels and see what each keeps."""
    with contextlib.ExitStack() as stack:
        open_tunnel(stack, server.port, own)
        before = memory(server, "VmRSS")
        for _ in range(number):
            open_tunnel(stack, server.port, own)
        time.sleep(3)
        each = (memory(server, "VmRSS") - before) / number
        used = processor(server)
        time.sleep(5)
        share = (processor(server) - used) / 5 * 100
    what = f"{number} idle tunnels"
    return [
        Row(f"{what}: each", [each], at_most=100, unit="KiB"),
        Row(f"{what}: of one processor", [share], unit="%"),
    ]


def open_tunnel(stack, port, own) -> None:
    sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10))
    sock.sendall(ASK + own + b"\r\n")
    got = sock.recv(1000)
    assert got.startswith(b"HTTP/1.1 101"), got


def memory(server, name) -> int:
    """Return *name* of the worker's status in KiB."""
    status = Path(f"/proc/{server.children[0]}/status").read_text()
    return int(status.split(f"{name}:")[1].split()[0])


def reset_peak(server) -> int:
    Path(f"/proc/{server.children[0]}/clear_refs").write_text("5")
    return memory(server, "VmHWM")


def download(port, own, pieces):
    """Return milliseconds to the first octet, and seconds to the last."""
    begun = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), 60) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nConnection: close\r\n" + own + b"\r\n")
        total, first = len(sock.recv(1 << 20)), time.perf_counter() - begun
        while octets := sock.recv(1 << 20):
            total += len(octets)
    assert total > pieces << 20
    return first * 1000, time.perf_counter() - begun


def upload(port, own, pieces):
    """Return milliseconds until the application had an octet, seconds to the answer."""
    begun = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), 60) as sock:
        head = b"POST / HTTP/1.1\r\nConnection: close\r\n" + own
        sock.sendall(head + b"Content-Length: %d\r\n\r\n" % (pieces << 20))
        for _ in range(pieces):
            sock.sendall(PIECE)
        answer = b""
        while octets := sock.recv(1000):
            answer += octets
    assert answer.endswith(b"ok")
    return (ARRIVED[-1] - begun) * 1000, time.perf_counter() - begun


ARRIVED: list[float] = []


def upstream(port, pieces) -> None:
    """Serve on *port*: a long body, a sink for one, or a tunnel that says nothing."""
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)

    def serve(sock):
        with sock, contextlib.suppress(OSError):
            octets = b""
            while b"\r\n\r\n" not in octets:
                octets += sock.recv(65536)
            if b"websocket" in octets:
                sock.sendall(SWITCH)
                sock.recv(1)
            elif octets.startswith(b"GET /late "):
                sock.sendall(b"HTTP/1.1 200 OK" + ONCE % 2)
                time.sleep(0.5)
                sock.sendall(b"ok")
            elif octets.startswith(b"POST"):
                left = (pieces << 20) - len(octets.split(b"\r\n\r\n", 1)[1])
                ARRIVED.append(time.perf_counter())
                while left:
                    left -= len(sock.recv(1 << 20))
                sock.sendall(b"HTTP/1.1 200 OK" + ONCE % 2 + b"ok")
            else:
                sock.sendall(b"HTTP/1.1 200 OK" + ONCE % (pieces << 20))
                for _ in range(pieces):
                    sock.sendall(PIECE)

    def accept():
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=serve, args=(sock,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
