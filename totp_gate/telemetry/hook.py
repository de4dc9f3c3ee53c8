"""The command that runs for chosen events: it may send a mail, or a message.

It gets the event's JSON line on standard input and nothing else: its arguments are
those of the settings, its environment holds a search path and a language. What it
prints is thrown away. One runs at a time and for at most ``LONGEST_RUN`` seconds, so
that a slow mail server costs a queue and no sign-in; what does not fit into the queue
is not told, and the audit says so.

Whoever can cause events without end must not keep anybody from hearing of others: what
is locked is never told, a failure once a minute of each event and user, and the places
of the queue are shared by users (``telemetry.fairness``). All failures have the part of
one user, since whoever fails can take any name.

The thread starts with the first event of a process. Under gevent it is a greenlet,
which is why the end of the command is asked for instead of waited for, and why it is
started by ``posix_spawn``: gevent's ``subprocess`` forks in Python, for which every
connection to the state would be closed first.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from totp_gate.telemetry.fairness import FairQueue, Waiting
from totp_gate.telemetry.inventory import LOCKED
from totp_gate.telemetry.seldom import Seldom

_log = logging.getLogger("totp_gate")

LONGEST_RUN = 10.0
LONGEST_QUEUE = 100
LAST_WORDS = 5.0
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
}


class Hook:
    """Runs *command* for each of *events*.

    Args:
        command: program (absolute path) and arguments; no shell is involved.
        failed: told in words why an event did not reach the command.
        longest_run: seconds after which it, and what it started, is killed.
        longest_queue: how many events may wait.
    """

    def __init__(
        self,
        command: Sequence[str],
        events: Iterable[str],
        failed: Callable[[str], None],
        *,
        longest_run: float = LONGEST_RUN,
        longest_queue: int = LONGEST_QUEUE,
    ) -> None:
        self._command = list(command)
        self._events = frozenset(events)
        self._failed = failed
        self._longest_run = longest_run
        self._longest_queue = longest_queue
        self._lock = threading.Lock()
        self._failures = Seldom()
        self._waiting = FairQueue(longest_queue)
        self._process = 0

    def tell(self, fields: Mapping[str, str], line: str, *, now: float) -> None:
        """Queue *line* if its event was chosen; returns at once, never raises.

        Args:
            fields: of the line: event, outcome, and user where there is one.
            now: Unix seconds.
        """
        event, user = fields["event"], fields.get("user", "")
        if event not in self._events or fields["outcome"] == LOCKED:
            return
        failed = fields["outcome"] != "success"
        if failed and not self._failures.stands_for(f"{event} {user}", now=now):
            return
        with self._lock:
            if self._process != os.getpid():
                self._begin()
        if not self._waiting.put(Waiting("" if failed else user, event, line)):
            self._failed(f"{self._longest_queue} events wait already; one was not told")

    def finish(self, patience: float = LAST_WORDS) -> bool:
        """Wait until nothing waits any more; False: *patience* seconds were too few."""
        until = time.monotonic() + patience
        while self._waiting.unfinished:
            if time.monotonic() >= until:
                return False
            time.sleep(0.02)
        return True

    def _begin(self) -> None:
        """Start this process's thread; what waited before a fork is the parent's."""
        self._process = os.getpid()
        self._waiting = FairQueue(self._longest_queue)
        threading.Thread(
            target=self._work, args=(self._waiting,), name="totp_gate-hook", daemon=True
        ).start()
        atexit.register(self.finish)

    def _work(self, waiting: FairQueue) -> None:
        while True:
            line = waiting.take().text
            try:
                self._attempt(line)
            except Exception:  # noqa: BLE001 - later events need this thread, too
                _log.exception("an event did not reach %s", self._command[0])
            finally:
                waiting.done()

    def _attempt(self, line: str) -> None:
        """Run the command with *line*, and tell what went wrong."""
        try:
            reason = self._run(line)
        except OSError as error:
            reason = f"cannot be started ({error.strerror})"
        if reason:
            self._failed(f"{self._command[0]} {reason}")

    def _run(self, line: str) -> str:
        """Run the command with *line*; return what went wrong, or nothing."""
        process = _start(self._command, line.encode("ascii") + b"\n")
        until = time.monotonic() + self._longest_run
        killed = False
        while (status := _status(process)) is None:
            if not killed and time.monotonic() >= until:
                killed = True
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process, signal.SIGKILL)
            time.sleep(0.02)
        if killed:
            return f"was ended after {self._longest_run:g} seconds"
        return f"failed (status {status})" if status else ""


def _start(command: Sequence[str], given: bytes) -> int:
    """Start *command*, with *given* to read, in a process group of its own; its id.

    Raises:
        OSError: it cannot be started.
    """
    reading, writing = os.pipe()
    try:
        # It fits into the pipe, so nobody waits for the command to read it.
        os.write(writing, given)
        os.close(writing)
        nothing = (os.devnull, os.O_WRONLY, 0)
        return os.posix_spawn(
            command[0],
            list(command),
            ENVIRONMENT,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, reading, 0),
                (os.POSIX_SPAWN_OPEN, 1, *nothing),
                (os.POSIX_SPAWN_OPEN, 2, *nothing),
                *((os.POSIX_SPAWN_CLOSE, file) for file in _inheritable()),
            ],
            setpgroup=0,
            setsigmask=[],
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
        )
    finally:
        os.close(reading)


def _inheritable() -> list[int]:
    """Return the files a child would get: gunicorn's listening sockets, for one."""
    found = []
    for each in Path("/dev/fd").iterdir():
        file = int(each.name)
        with contextlib.suppress(OSError):
            if file > 2 and os.get_inheritable(file):
                found.append(file)
    return found


def _status(process: int) -> int | None:
    """Return the exit status of *process*, None while it runs."""
    try:
        ended, status = os.waitpid(process, os.WNOHANG)
    except ChildProcessError:
        return 0  # somebody else was told it (gevent asks for all children at once)
    return os.waitstatus_to_exitcode(status) if ended else None
