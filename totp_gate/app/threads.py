"""Native threads for what would keep others waiting: hashes and commits.

A hash takes a tenth of a second of a whole core. Under gevent it must not stop the
loop, and under any server a flood of sign-ins must not slow down those who are signed
in: no more than half of the cores hash at once, and the threads that do have a lower
priority than those that serve. Under full load a sign-in then takes about ten times as
long as a core of its own would need, and still comes to its turn.

A commit waits for the disk. A thread of a server waits alone; under gevent all would.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from totp_gate.waiting import Runner, call_here, is_cooperative

T = TypeVar("T")

NICE = 10
"""Of the threads that hash; a thread of 0 gets about nine times the processor."""

QUEUE = 32
"""How many may wait under gevent, where waiting costs next to nothing."""

QUEUE_OF_THREADS = 2
"""How many may wait elsewhere: a thread that waits here serves nobody else."""


class Threads:
    """Runs work in so many native threads of this process, begun when first needed.

    Args:
        number: how many there are at most.
        nice: by how much they give way to others, 0 to 19.
    """

    def __init__(self, number: int, *, nice: int = 0) -> None:
        self._number = number
        self._nice = nice
        self._pool: tuple[int, Any] | None = None

    def __call__(self, work: Callable[[], T], /) -> T:
        """Return what *work* returns, or raise what it raises, when it has run."""
        pid = os.getpid()
        if self._pool is None or self._pool[0] != pid:
            self._pool = (pid, self._open())  # threads do not survive a fork
        pool = self._pool[1]
        if is_cooperative():
            done: T = pool.apply(self._giving_way, (work,))
            return done
        return pool.submit(work).result()  # type: ignore[no-any-return]

    def _open(self) -> Any:
        if is_cooperative():
            from gevent.threadpool import ThreadPool

            return ThreadPool(self._number)
        return ThreadPoolExecutor(self._number, "gate", initializer=self._give_way)

    def _giving_way(self, work: Callable[[], T]) -> T:
        self._give_way()
        return work()

    def _give_way(self) -> None:
        """Lower this thread's priority; elsewhere than on Linux it would be all."""
        if sys.platform == "linux":
            before = os.getpriority(os.PRIO_PROCESS, 0)
            if before < self._nice:
                with suppress(PermissionError):  # a sandbox may forbid even this
                    os.setpriority(os.PRIO_PROCESS, 0, self._nice)


def for_commits() -> Runner:
    """Return where commits wait for the disk: one at a time writes in a process."""
    return Threads(1) if is_cooperative() else call_here


def concurrency() -> int:
    """Return how many passwords are judged at once: half of the cores, at least one."""
    allowed = getattr(os, "sched_getaffinity", None)  # only Linux tells a process's own
    cores = len(allowed(0)) if allowed is not None else os.cpu_count() or 1
    return max(1, cores // 2)


def queue() -> int:
    """Return how many more may wait."""
    return QUEUE if is_cooperative() else QUEUE_OF_THREADS
