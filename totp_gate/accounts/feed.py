"""How far a process has read the feed of revocations."""

from __future__ import annotations

from totp_gate.stores.base import Bell

FEED_EVERY = 1.0
"""Seconds for which it is enough to have read it, while the bell is silent."""

FEED_PATIENCE = 5.0
"""Seconds for which it may be unreadable, while the bell is silent."""


class FeedMark:
    """How far the feed of revocations was read, and until when that is enough.

    Attributes:
        bell: of the store.
        rung: what it showed when the feed was read.
        since, until: Unix time.
    """

    __slots__ = ("bell", "rung", "since", "until")

    def __init__(self, bell: Bell) -> None:
        self.bell = bell
        self.rung = -1
        self.since = self.until = 0.0

    def covers(self, now: float) -> bool:
        """Tell whether it need not be read at *now* (Unix seconds)."""
        return self.bell.cell[0] == self.rung and self.since <= now < self.until
