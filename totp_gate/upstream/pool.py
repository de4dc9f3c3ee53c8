"""Connections to the application, kept for the next request.

The last one used is the first one taken, so a quiet hour leaves few. A connection comes
back only after a clean end with nothing left over (its user decides), and is looked at
before it is used again: one that was closed, or on which something came unasked, is
dropped. A deque needs no lock: each end is taken or given in one step.
"""

from __future__ import annotations

import time
from collections import deque

from totp_gate.upstream.destination import Destination, Limits
from totp_gate.upstream.observer import Observer
from totp_gate.upstream.wire import Connection


class Pool:
    """Connections to one destination, for one process.

    Args:
        observer: told how many wait for a request.
    """

    def __init__(
        self, destination: Destination, limits: Limits, observer: Observer
    ) -> None:
        self._destination = destination
        self._limits = limits
        self._observer = observer
        self._idle: deque[tuple[float, Connection]] = deque()

    def __len__(self) -> int:
        """Return how many connections wait for a request."""
        return len(self._idle)

    def take(self) -> Connection:
        """Return a connection: a quiet idle one (``reused``), else a new one.

        Raises:
            Unreachable: there was none, and none could be made.
        """
        oldest = time.monotonic() - self._limits.idle_timeout
        while self._idle:
            try:
                since, connection = self._idle.pop()
            except IndexError:
                break
            self._observer.idle(-1)
            if since > oldest and connection.is_quiet():
                connection.reused = True
                return connection
            connection.close()
        return self.fresh()

    def fresh(self) -> Connection:
        """Return a new connection.

        Raises:
            Unreachable: none could be made.
        """
        return Connection(self._destination.connect(self._limits), self._limits)

    def give(self, connection: Connection) -> None:
        """Keep *connection* for a next request; it must be at rest."""
        if len(self._idle) >= self._limits.idle_connections:
            connection.close()
            return
        now = time.monotonic()
        self._idle.append((now, connection))
        self._observer.idle(1)
        if self._idle[0][0] < now - self._limits.idle_timeout:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        try:
            _, connection = self._idle.popleft()
        except IndexError:
            return
        self._observer.idle(-1)
        connection.close()
