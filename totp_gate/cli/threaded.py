"""gunicorn's worker with threads, which nobody keeps waiting by sending slowly.

Strategy: a thread that waits for somebody serves nobody, so none does. The loop that
accepts connections also collects what arrives, and a request gets a thread once its
head is there and with it a body as short as a form. What stalls or drips is closed
after ``ARRIVAL`` seconds, and the oldest of too many that have not arrived goes first.
Of longer bodies, and of those in chunks, nobody knows beforehand when they end: half
of the threads serve them, and the others stay free for everybody else. No thread, and
not the loop, waits either for what nobody reads any more once the answer was sent.
"""

from __future__ import annotations

import re
import socket
import time
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from types import FrameType
from typing import Any

from gunicorn import http, util
from gunicorn.workers.gthread import TConn, ThreadWorker

ARRIVAL = 10.0
"""Seconds within which a head, and a body as short as a form, have to be there."""

LONGEST_HEAD = 64 * 1024
LONGEST_FORM = 64 * 1024

_LINGER = 2.0
_LEFT_OVER = 0.05
_MOST_LINGERING = 500
_PIECE = 64 * 1024
# A line that ends without a carriage return makes no head: gunicorn says so at once.
_END = re.compile(rb"\r\n\r\n|(?<!\r)\n")
_LENGTH = re.compile(rb"(?i)\r\nContent-Length:[ \t]*([0-9]{1,9})[ \t]*\r\n")
_BODY = re.compile(rb"(?i)\r\n(?:Content-Length|Transfer-Encoding|Expect):")


class Arriving:
    """What has arrived of a request.

    Attributes:
        octets: all of it.
        late: its body, or a part of it, is still to come when it gets a thread.
    """

    def __init__(self, octets: bytes = b"") -> None:
        self.octets = bytearray(octets)
        self.late = False
        self._searched = 0
        self._needed = 0

    def is_enough(self) -> bool:
        """Tell whether a thread can work with it."""
        if not self._needed:
            end = _END.search(self.octets, max(0, self._searched - 3))
            self._searched = len(self.octets)
            if end is not None:
                whole = end[0] == b"\r\n\r\n"
                self._needed = end.end() + (self._awaited(end.end()) if whole else 0)
        return 0 < self._needed <= len(self.octets)

    def is_too_long(self) -> bool:
        """Tell whether its head is longer than any may be."""
        return not self._needed and len(self.octets) > LONGEST_HEAD

    def _awaited(self, end: int) -> int:
        """Return the octets of the body to wait for, behind the head that ends there.

        A head that means something else to gunicorn is refused there: this decides
        only who waits.
        """
        head = self.octets[:end]
        said = _LENGTH.search(head)
        fields = len(_BODY.findall(head))
        if said is not None and fields == 1 and int(said[1]) <= LONGEST_FORM:
            return int(said[1])
        self.late = fields > 0
        return 0


class _Connection(TConn):  # type: ignore[misc]
    """A connection of a `Worker`."""

    def __init__(self, worker: Worker, *known: Any) -> None:
        super().__init__(worker.cfg, *known)
        self._worker = worker
        self.parser = http.get_parser(self.cfg, self.sock, self.client)
        self.data_ready = True  # in threads: nobody has to look again
        self.arriving = Arriving()
        self.drained = 0

    def close(self, graceful: bool = False) -> None:
        """Close it; gracefully: once the other end has read what was sent."""
        if graceful:
            self._worker.linger(self)
        else:
            super().close()


class Worker(ThreadWorker):  # type: ignore[misc]
    """A worker whose threads get only what has arrived."""

    def __init__(self, *known: Any, **more: Any) -> None:
        super().__init__(*known, **more)
        self._late = 0
        self._later: deque[_Connection] = deque()
        self._lingering: deque[_Connection] = deque()

    def accept(self, listener: Any) -> None:
        """Accept a connection, and give up the oldest of too many that say nothing."""
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        self.nr_conns += 1
        if len(self.pending_conns) >= self.worker_connections // 2:
            self._give_up(self.pending_conns[0])
        self.enqueue_req(_Connection(self, client, address, listener.getsockname()))

    def enqueue_req(self, conn: _Connection) -> None:
        """Give *conn* a thread as soon as its next request is there."""
        conn.arriving = Arriving(conn.parser.unreader.take_buffered())
        conn.sock.setblocking(False)
        if self._collect(conn):
            self._hand_over(conn)
            return
        conn.timeout = time.monotonic() + ARRIVAL
        self.pending_conns.append(conn)
        self.poller.register(
            conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn)
        )

    def on_pending_socket_readable(self, conn: _Connection, client: Any) -> None:
        """Collect what has arrived, and give *conn* a thread when it is enough."""
        if conn in self.pending_conns and self._collect(conn):
            self.poller.unregister(client)
            self.pending_conns.remove(conn)
            self._hand_over(conn)

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """End with the next turn of the loop, whatever requests are served.

        The signal may find this thread in the pool, with the lock that the end of the
        pool needs, too: ended here, it would wait for itself for ever.
        """
        if self.booted:
            self.method_queue.defer(super().handle_quit, sig, None)
        else:
            super().handle_quit(sig, frame)

    def finish_request(self, conn: _Connection, fs: Future[object]) -> None:
        """Go on with *conn*, whose thread is free again."""
        if conn.arriving.late:
            self._late -= 1
            if self._later:
                self._hand_over(self._later.popleft())
        super().finish_request(conn, fs)

    def linger(self, conn: _Connection) -> None:
        """Close *conn* when the other end does, or after a while.

        Source:
            RFC 9112 section 9.6 (a reset could destroy what was sent).
        """
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
            self.poller.register(conn.sock, EVENT_READ, partial(self._drain, conn))
        except (OSError, ValueError):
            conn.close()
            return
        conn.timeout = time.monotonic() + _LINGER
        self._lingering.append(conn)
        if len(self._lingering) > _MOST_LINGERING:
            self._forget(self._lingering[0])

    def murder_pending(self) -> None:
        """Close what has not arrived, or was not closed, in time."""
        now = time.monotonic()
        while self.pending_conns and self.pending_conns[0].timeout <= now:
            self._give_up(self.pending_conns[0])
        while self._lingering and self._lingering[0].timeout <= now:
            self._forget(self._lingering[0])

    def _collect(self, conn: _Connection) -> bool:
        """Take what has arrived; True: there is enough, or no more to come."""
        arriving = conn.arriving
        while not arriving.is_enough():
            if arriving.is_too_long():
                return True
            try:
                octets = conn.sock.recv(_PIECE)
            except BlockingIOError:
                return False
            except OSError:
                return True
            if not octets:
                return True
            arriving.octets += octets
        return True

    def _hand_over(self, conn: _Connection) -> None:
        """Give *conn* a thread, or let it wait for one of those for late bodies."""
        arriving = conn.arriving
        if arriving.is_too_long():
            with suppress(OSError):
                util.write_error(conn.sock, 431, "Request Header Fields Too Large", "")
            self.nr_conns -= 1
            self.linger(conn)
            return
        if arriving.late:
            if self._late >= max(1, self.cfg.threads // 2):
                self._later.append(conn)
                return
            self._late += 1
        conn.parser.unreader.unread(bytes(arriving.octets))
        arriving.octets.clear()
        super().enqueue_req(conn)

    def _keepalive_after(self, conn: _Connection, keepalive: bool) -> bool:
        """Tell whether *conn* can be used again: not if its body is still to come."""
        if not keepalive:
            return False
        left_over = time.monotonic() + _LEFT_OVER
        return bool(conn.parser.finish_body(deadline=left_over))

    def _give_up(self, conn: _Connection) -> None:
        self.pending_conns.remove(conn)
        self._close(conn)
        self.nr_conns -= 1

    def _drain(self, conn: _Connection, _: object) -> None:
        if conn not in self._lingering:
            return  # closed since the loop was told that it is readable
        try:
            octets = conn.sock.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError:
            octets = b""
        conn.drained += len(octets)
        if not octets or conn.drained > _PIECE:
            self._forget(conn)

    def _forget(self, conn: _Connection) -> None:
        self._lingering.remove(conn)
        self._close(conn)

    def _close(self, conn: _Connection) -> None:
        with suppress(OSError, KeyError, ValueError):  # closed by the other end
            self.poller.unregister(conn.sock)
        conn.close()
