"""A load generator in its own process: raw sockets, kept alive where servers allow it.

Every connection sends a request, waits for the whole answer and sends the next, until
the time is over; answers that are still owed then are waited for and count. Who gets a
connection closed opens another one, as browsers do.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PATIENCE = 30


@dataclass(frozen=True)
class Result:
    """What one run has seen.

    Attributes:
        times: seconds of each answer, sorted.
        took: seconds of the run.
        statuses: how many answers of each status.
    """

    times: list[float]
    took: float
    statuses: Mapping[int, int]

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.times) / self.took

    def quantile(self, share: float) -> float:
        """Return the seconds that *share* of the answers did not exceed."""
        return self.times[min(int(share * len(self.times)), len(self.times) - 1)]


def request(
    path: str, headers: Mapping[str, str], *, method: str = "GET", body: bytes = b""
) -> bytes:
    """Return a request as octets."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def measure(
    port: int, what: Callable[[], bytes], *, connections: int, seconds: float
) -> Result:
    """Ask *port* of loopback over *connections* connections for *seconds*."""
    with running(port, what, connections=connections, seconds=seconds) as result:
        return result()


@contextmanager
def running(
    port: int,
    what: Callable[[], bytes],
    *,
    connections: int,
    seconds: float,
    pause: float = 0.0,
) -> Iterator[Callable[[], Result]]:
    """Run a load beside the block; what is yielded waits for its end.

    Leaving the block ends it.

    Args:
        pause: seconds between an answer and the next request of a connection.
    """
    receiver, sender = multiprocessing.Pipe(duplex=False)
    load = multiprocessing.get_context("fork").Process(
        target=_run, args=(port, what, connections, seconds, pause, sender), daemon=True
    )
    load.start()

    def result() -> Result:
        if not receiver.poll(seconds + 2 * _PATIENCE):
            raise TimeoutError("the load does not end")
        answer: Result = receiver.recv()
        return answer

    try:
        yield result
    finally:
        load.kill()
        load.join()


@dataclass
class _Client:
    """One connection after the other, each with one request at a time."""

    port: int
    what: Callable[[], bytes]
    sock: socket.socket = field(init=False)
    octets: bytes = b""
    begun: float = 0.0

    def open(self, selector: selectors.BaseSelector) -> None:
        self.sock = socket.create_connection(("127.0.0.1", self.port), _PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(self.sock, selectors.EVENT_READ, self)

    def close(self, selector: selectors.BaseSelector) -> None:
        selector.unregister(self.sock)
        self.sock.close()

    def ask(self) -> None:
        self.octets = b""
        self.begun = time.perf_counter()
        self.sock.sendall(self.what())

    def whole(self) -> bool:
        """Tell whether the answer is there."""
        head, end, body = self.octets.partition(b"\r\n\r\n")
        length = _LENGTH.search(head) if end else None
        return bool(length) and len(body) >= int(length[1])

    def closing(self) -> bool:
        return b"\r\nconnection: close" in self.octets[:2000].lower()


def _run(
    port: int,
    what: Callable[[], bytes],
    connections: int,
    seconds: float,
    pause: float,
    sender: Any,
) -> None:
    selector = selectors.DefaultSelector()
    times: list[float] = []
    statuses: dict[int, int] = {}
    due: deque[tuple[float, _Client]] = deque()
    begun = time.perf_counter()
    for _ in range(connections):
        client = _Client(port, what, begun=begun)
        client.open(selector)
        client.ask()
    end = begun + seconds
    while selector.get_map() and time.perf_counter() < end + _PATIENCE:
        for key, _ in selector.select(0.2 if not due else 0.001):
            if _take(key.data, selector, times, statuses):
                due.append((time.perf_counter() + pause, key.data))
        _go_on(due, selector, end)
    sender.send(Result(sorted(times), time.perf_counter() - begun, statuses))
    sender.close()
    os._exit(0)


def _take(
    client: _Client,
    selector: selectors.BaseSelector,
    times: list[float],
    statuses: dict[int, int],
) -> bool:
    """Read what has come; tell whether the client may ask again."""
    piece = b""
    try:
        piece = client.sock.recv(65536)
    except ConnectionError:
        statuses[0] = statuses.get(0, 0) + 1
    client.octets += piece
    if client.whole():
        times.append(time.perf_counter() - client.begun)
        status = int(client.octets[9:12])
        statuses[status] = statuses.get(status, 0) + 1
        if not client.closing():
            return True
    elif piece:
        return False
    client.close(selector)
    client.open(selector)
    return True


def _go_on(
    due: deque[tuple[float, _Client]], selector: selectors.BaseSelector, end: float
) -> None:
    """Let those ask again whose pause is over; let them go when the time is."""
    while due and (due[0][0] <= time.perf_counter() or time.perf_counter() >= end):
        _, client = due.popleft()
        if time.perf_counter() >= end:
            client.close(selector)
        else:
            client.ask()
