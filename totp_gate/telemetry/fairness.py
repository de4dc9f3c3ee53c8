"""A queue with an end, in which nobody's crowd takes the place of somebody else's one.

Strategy: whoever comes is let in. Where that is one too many, whoever has the most
waiting loses one: of what is most frequent among theirs, the newest. So an owner who
has nothing here yet finds a place as long as anybody has two. What waits is taken in
the order in which it came.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Waiting(NamedTuple):
    """What waits.

    Attributes:
        owner: whose it is; they share the queue in equal parts.
        kind: what it is; the kinds of an owner share the owner's part.
    """

    owner: str
    kind: str
    text: str


class FairQueue:
    """Holds what waits, for any number of threads that put and one that takes.

    Args:
        longest: how many may wait.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._waiting: list[Waiting] = []
        self._taken = 0
        self._changed = threading.Condition()

    @property
    def unfinished(self) -> int:
        """How many wait, or were taken and are not done."""
        return len(self._waiting) + self._taken

    def put(self, new: Waiting) -> bool:
        """Let *new* wait; False: for that, one had to go, which may be *new*."""
        with self._changed:
            self._waiting.append(new)
            self._changed.notify()
            if len(self._waiting) <= self._longest:
                return True
            del self._waiting[self._surplus()]
            return False

    def take(self) -> Waiting:
        """Return what came first, when there is something; ``done`` must follow."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting)
            self._taken += 1
            return self._waiting.pop(0)

    def done(self) -> None:
        """Say that what was taken needs nothing more."""
        with self._changed:
            self._taken -= 1

    def _surplus(self) -> int:
        """Return where in the queue the one is that goes."""
        places = range(len(self._waiting))
        theirs = _most_frequent(places, lambda at: self._waiting[at].owner)
        alike = _most_frequent(theirs, lambda at: self._waiting[at].kind)
        return alike[-1]


def _most_frequent(places: Sequence[int], key: Callable[[int], str]) -> Sequence[int]:
    """Return those of *places* (ascending) with the most frequent key.

    Of keys that are as frequent it is the one that came last.
    """
    by_key = defaultdict(list)
    for at in places:
        by_key[key(at)].append(at)
    return max(by_key.values(), key=lambda those: (len(those), those[-1]))
