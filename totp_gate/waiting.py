"""How to work and to wait without keeping others waiting.

Under gevent all requests of a process share one loop, and each has it until it waits
for something. One that never has to (the next request of its connection is there, the
application answers at once) would keep the loop for a tenth of a second and more, and a
client that sends a thousand requests ahead for as long as they take. So whoever has had
the loop lets others go on first; and of those without a session, whose number is the
attacker's choice, one goes on while all with a session who are ready do.

Without gevent, threads share the processor, and nothing here does anything.
"""

from __future__ import annotations

import select
import sys
from collections import deque
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from gevent.event import Event

T = TypeVar("T")


class Runner(Protocol):
    """Where the work is done: here, or in a native thread beside an event loop."""

    def __call__(self, work: Callable[[], T], /) -> T:
        """Return what *work* returns, or raise what it raises."""
        ...


def call_here(work: Callable[[], T], /) -> T:
    """Do *work* in the calling thread."""
    return work()


def is_cooperative() -> bool:
    """Tell whether gevent has patched this process."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


class _Loop:
    """Who of those who share gevent's loop goes on, and when."""

    __slots__ = (
        "_current",
        "_event",
        "_greenlet",
        "_hub",
        "_idle",
        "_line",
        "_taken",
        "_turn",
    )

    def __init__(self) -> None:
        from gevent import get_hub, getcurrent, idle
        from gevent.event import Event

        self._current = getcurrent
        self._event = Event
        self._hub = get_hub
        self._idle = idle
        self._greenlet = 0
        self._turn = 0
        self._line: deque[Event] = deque()
        self._taken = False

    def give_way(self) -> None:
        loop, greenlet = self._hub().loop, id(self._current())
        if loop.iteration == self._turn and greenlet == self._greenlet:
            self._sit_out()
        self._was_here()

    def stand_in_line(self) -> None:
        if self._taken:
            self._wait_for_place()
        self._taken = True
        try:
            self._sit_out()
        finally:
            self._hand_on()
        self._was_here()

    def _wait_for_place(self) -> None:
        mine = self._event()
        self._line.append(mine)
        try:
            mine.wait()
        except BaseException:  # killed, or a time limit
            if mine.is_set():
                self._hand_on()
            else:
                self._line.remove(mine)
            raise

    def _hand_on(self) -> None:
        """Give the place to who waits longest; whoever comes now cannot take it."""
        if self._line:
            self._line.popleft().set()
        else:
            self._taken = False

    def _sit_out(self) -> None:
        self._idle(1)  # until the next turn, where others are ready and where none is

    def _was_here(self) -> None:
        self._greenlet, self._turn = id(self._current()), self._hub().loop.iteration


@cache
def _loop() -> _Loop | None:
    """Return this process's loop, or None; decided at its first request."""
    return _Loop() if is_cooperative() else None


def give_way() -> None:
    """Let others go on first, if the caller was here in this turn of the loop already.

    Called once in a request, and every few milliseconds in a body.
    """
    loop = _loop()
    if loop is not None:
        loop.give_way()


def look_at(file: int) -> Callable[[], object]:
    """Return what tells at once whether something has come on *file*, or it has ended.

    It neither waits nor lets others go on, under gevent neither.
    """
    poll = select.poll
    if is_cooperative():
        from gevent.monkey import get_original

        poll = get_original("select", "poll")
    look = poll()
    look.register(file, select.POLLIN)
    return partial(look.poll, 0)


def stand_in_line() -> None:
    """Let others go on first, and of all callers one in a turn, in their order."""
    loop = _loop()
    if loop is not None:
        loop.stand_in_line()
