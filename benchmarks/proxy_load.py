"""A load generator: so many kept-alive connections, for so long, in its own process."""

from __future__ import annotations

import multiprocessing
import os
import selectors
import socket
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """What one run has seen.

    Attributes:
        rate: answers a second.
        p50: median time of an answer, in milliseconds.
        p99: time that one answer in a hundred exceeds, in milliseconds.
        wrong: answers that were not 200, and connections that broke.
    """

    rate: float
    p50: float
    p99: float
    wrong: int


REQUEST = (
    b"GET /hello HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: load\r\nAccept: */*\r\n"
    b"Accept-Encoding: gzip\r\nCookie: app=1\r\n\r\n"
)


def measure(port: int, *, connections: int, seconds: float) -> Result:
    """Ask *port* on loopback over *connections* connections for *seconds*."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    run = multiprocessing.get_context("fork").Process(
        target=_run, args=(port, connections, seconds, sender)
    )
    run.start()
    try:
        if not receiver.poll(seconds + 20):
            raise TimeoutError("the load generator does not end")
        return receiver.recv()
    finally:
        run.join(5)
        if run.is_alive():
            run.kill()


def _run(port, connections, seconds, sender):
    selector = selectors.DefaultSelector()
    for _ in range(connections):
        sock = socket.create_connection(("127.0.0.1", port), 10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(REQUEST)
        selector.register(sock, selectors.EVENT_READ, [b"", time.perf_counter()])
    times, wrong = [], 0
    begun = time.perf_counter()
    end = begun + seconds
    while time.perf_counter() < end and selector.get_map():
        for key, _ in selector.select(1):
            state = key.data
            octets = key.fileobj.recv(65536)
            state[0] += octets
            if not octets:
                wrong += 1
                selector.unregister(key.fileobj)
            elif state[0].endswith(b"hello"):
                now = time.perf_counter()
                times.append(now - state[1])
                wrong += not state[0].startswith(b"HTTP/1.1 200")
                state[0], state[1] = b"", now
                key.fileobj.sendall(REQUEST)
    took = time.perf_counter() - begun
    times.sort()
    part = lambda share: times[int(share * len(times))] * 1000 if times else 0.0  # noqa: E731
    sender.send(Result(len(times) / took, part(0.5), part(0.99), wrong))
    sender.close()
    os._exit(0)


def spread(values) -> str:
    """Return minimum, median and maximum as a cell of a table."""
    ordered = sorted(values)
    return (
        f"{ordered[0]:.2f} | **{ordered[len(ordered) // 2]:.2f}** | {ordered[-1]:.2f}"
    )
