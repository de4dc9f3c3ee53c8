"""A gate in a folder, served by gunicorn, with people to sign in."""

from __future__ import annotations

import itertools
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from tests.integration.visitor import Guest
from tests.servers import Gunicorn, free_port, wait_until
from totp_gate.testing import Clock, Installation, Person, new_password

T = TypeVar("T")

SESSION = "totp_gate"
CLASSES = ["sync", "gthread", "gevent"]

#: As people have it, but for the process in front.
ACCESS = 'access %(p)s "%(r)s" %(s)s "%(f)s" "%(a)s"'


class Now(Clock):
    """The time it is."""

    def __call__(self) -> float:
        return time.time()


def nothing(environ, start_response):
    """Stand where an installation wants an application; nobody calls it."""
    raise AssertionError("the application of the tests' own process was called")


class House:
    """An installation and the server in front of it.

    Args:
        folder: for settings, keys and state; empty.
        app: ``module:name``; it finds ``gate.toml`` in the current folder.
        settings: further lines of ``gate.toml``.
        gate: further keys of its first section.
        ports: where it listens, each an origin of its own.
        scheme: ``https`` needs *arguments* that name a certificate.
        arguments: for gunicorn.
    """

    def __init__(
        self,
        folder: Path,
        app: str = "tests.integration.wrapped_plain:application",
        *,
        workers: int = 1,
        worker_class: str = "gthread",
        settings: str = "",
        gate: dict[str, object] | None = None,
        ports: Sequence[int] = (),
        scheme: str = "http",
        arguments: Iterable[str] = (),
    ) -> None:
        ports = ports or [free_port()]
        origins = [f"{scheme}://127.0.0.1:{port}" for port in ports]
        self.folder = folder
        self.origins = origins
        self.origin = origins[0]
        own = {"origin": origins, "insecure_http": scheme == "http"}
        self.installation = Installation(
            nothing, folder, settings, gate=own | (gate or {}), clock=Now()
        )
        figures = folder / "figures"  # of all workers together
        figures.mkdir(mode=0o700, exist_ok=True)
        more = [f"--bind=127.0.0.1:{port}" for port in ports[1:]]
        self.server = Gunicorn(
            app,
            workers=workers,
            worker_class=worker_class,
            threads=4,
            cwd=folder,
            port=ports[0],
            env={
                "PORTS": " ".join(map(str, ports)),
                "TOTP_GATE_METRICS_DIR": str(figures),
            },
            arguments=[
                *("--access-logfile", "-", "--access-logformat", ACCESS),
                *(*more, *arguments),
            ],
        )
        self._numbers = itertools.count()

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.server.__exit__(kind, error, trace)
        self.installation.accounts.store.close()

    @property
    def sessions(self) -> int:
        """How many sessions there are."""
        return len(self.installation.accounts.store.sessions())

    def restart(self) -> None:
        """Stop the server and start it again."""
        self.server.stop()
        self.server.start()

    def person(self, name: str = "", **known: object) -> Person:
        """Add somebody; each can sign in once, since a code counts once."""
        name = name or f"person-{next(self._numbers)}"
        return self.installation.add_user(name, new_password(), **known)

    def visitor(self, origin: str = "") -> Guest:
        """Return somebody without any cookie, in front of the first origin."""
        return Guest(origin or self.origin)

    def sign_in(self, person: Person, visitor: Guest | None = None) -> Guest:
        """Return a visitor who has signed in through the pages."""
        visitor = visitor or self.visitor()
        asked = visitor.prove_password(person.name, person.password)
        answer = visitor.fill(asked, code=self.installation.code(person))
        assert answer.status == 303, answer.text
        return visitor

    def ask_every_worker(self, visitor: Guest) -> dict[int, set[int]]:
        """Let copies of *visitor* ask until every worker has answered.

        Returns:
            By process id of the worker, the statuses it gave.
        """
        given: dict[int, set[int]] = defaultdict(set)

        def all_have_answered() -> bool:
            for pid, status in self._ask_at_once(visitor, 4 * self.server.workers):
                given[pid].add(status)
            return len(given) == self.server.workers

        wait_until(all_have_answered, "an answer of every worker", seconds=30)
        return dict(given)

    def _ask_at_once(self, visitor: Guest, times: int) -> list[tuple[int, int]]:
        paths = [f"/?number={next(self._numbers)}." for _ in range(times)]
        pages = at_once(partial(visitor.copy().get, path) for path in paths)
        return [
            (self._worker_of(path), page.status)
            for path, page in zip(paths, pages, strict=True)
        ]

    def _worker_of(self, path: str) -> int:
        line = re.compile(r'access <(\d+)> "GET ' + re.escape(path))
        wait_until(lambda: line.search(self.server.stderr), f"{path} in the log")
        found = line.search(self.server.stderr)
        assert found is not None
        return int(found[1])


def at_once(calls: Iterable[Callable[[], T]]) -> list[T]:
    """Make all *calls* at the same time; return what they return."""
    calls = list(calls)
    with ThreadPoolExecutor(len(calls)) as pool:
        return [done.result() for done in [pool.submit(call) for call in calls]]
