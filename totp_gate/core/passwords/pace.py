"""How long a wrong password takes, whatever hash it was held against.

Strategy: a hash of another program, or one with old parameters, has a time of its own
until it is replaced: two milliseconds or half a second, where a name nobody has takes
what Argon2 takes now. So a failure is drawn out to what a hash of every other cost
lately took, too. Not to an average, which would stand out among times that scatter: one
of the last few measurements of each is drawn, and the longest counts. Then the time of
every failure is the longest of one of each, and only whose turn it was to be real
differs.

A right password is not drawn out; it is known by its answer.
"""

from __future__ import annotations

import secrets
import statistics
import threading
from collections import deque

LATELY = 16
"""Measurements of a cost that are remembered."""

LONGEST = 2.0
"""Seconds beyond which nobody waits for what others cost."""

_COSTS = 16


class Pace:
    """What judging took lately; shared by threads, and bounded."""

    def __init__(self) -> None:
        self._took: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def note(self, cost: str, seconds: float) -> None:
        """Remember that a hash of *cost* took so long."""
        with self._lock:
            if cost not in self._took and len(self._took) >= _COSTS:
                del self._took[next(iter(self._took))]
            self._took.setdefault(cost, deque(maxlen=LATELY)).append(seconds)

    def due(self, cost: str) -> float:
        """Return for how many seconds a failure of *cost* has to last at least."""
        with self._lock:
            others = [list(took) for key, took in self._took.items() if key != cost]
        drawn = (secrets.choice(took) for took in others)
        return min(max(drawn, default=0.0), LONGEST)

    def usual(self) -> dict[str, float]:
        """Return the usual seconds of every cost that was measured."""
        with self._lock:
            return {cost: statistics.median(took) for cost, took in self._took.items()}
