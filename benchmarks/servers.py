"""gunicorn with the gate in front of hello world, and without.

The same worker class, the same parser, the same requests over kept-alive connections
(a sync worker closes each). What is judged is how many answers one worker gives for the
same processor time: that is what bounds its answers a second when it has work enough,
and other programs on the machine disturb it less. Where a process lies in memory is
worth a hundredth or two, so each round has processes of its own; of each the best slice
counts. Which core a thread wakes up on is worth ten, so what is measured has one core,
and the load has the others. The same server measured against itself shows what a ratio
is worth here.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import signed_in
from benchmarks.load import measure, request
from benchmarks.table import Row, in_turn, ratios, show
from tests.servers import Gunicorn, Server
from totp_gate import Gate

BUDGET = 0.95
CONNECTIONS = 8
ARGUMENTS = (
    *("--http-parser", "python", "--keep-alive", "30", "--header-map", "drop"),
    *("--forwarded-allow-ips", "", "--forwarder-headers", "", "--log-level", "info"),
)
SLICES = 6


def gated() -> Gate:
    """Return what a server imports: the gate of ``BENCHMARK_SETTINGS``."""
    return Gate(signed_in.hello, os.environ["BENCHMARK_SETTINGS"])


def run(rounds: int, seconds: float) -> list[Row]:
    """Measure and print the tables."""
    rows = []
    for worker_class in ("gthread", "sync"):
        rows += show(
            f"gunicorn, one {worker_class} worker: hello world with the gate / without",
            _compare(worker_class, rounds, seconds),
        )
    return rows


def serve(app: str, settings: Path, *, worker_class: str, threads: int = 4) -> Gunicorn:
    """Return a server of *app*, which finds *settings*."""
    return Gunicorn(
        app,
        worker_class=worker_class,
        threads=threads,
        env={"BENCHMARK_SETTINGS": str(settings)},
        arguments=ARGUMENTS,
    )


def processor(server: Server) -> float:
    """Return the seconds for which the workers' threads have had a processor."""
    threads = [
        thread
        for pid in server.children
        for thread in Path(f"/proc/{pid}/task").glob("*/schedstat")
    ]
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def _compare(worker_class: str, rounds: int, seconds: float) -> list[Row]:
    with contextlib.ExitStack() as stack:
        # A trusted peer is asked for more, so the direct way has a gate of its own.
        direct = stack.enter_context(signed_in.installation(trusted=()))
        behind = stack.enter_context(signed_in.installation())
        apps = {
            "without": ("benchmarks.signed_in:hello", direct, {}),
            "again": ("benchmarks.signed_in:hello", direct, {}),
            "gate": ("benchmarks.servers:gated()", direct, {}),
            "behind": ("benchmarks.servers:gated()", behind, signed_in.PROXIED),
            "behind, without": (
                "benchmarks.signed_in:hello",
                direct,
                signed_in.PROXIED,
            ),
        }
        cookies = {made.path: signed_in.sign_in(made) for made in (direct, behind)}
        contestants = {
            name: Contestant(
                partial(serve, app, made.path, worker_class=worker_class),
                _headers(cookies[made.path], further),
            )
            for name, (app, made, further) in apps.items()
        }
        rates, costs = compare(contestants, rounds, seconds)
    return [
        *_rows("answers for the same processor time", costs, BUDGET),
        *_rows("answers a second", rates),
    ]


@dataclass(frozen=True)
class Contestant:
    """A server that is compared, and the request it is asked.

    Attributes:
        begin: makes it anew.
    """

    begin: Callable[[], AbstractContextManager[Server]]
    sent: bytes


def compare(
    contestants: Mapping[str, Contestant],
    rounds: int,
    seconds: float,
    connections: int = CONNECTIONS,
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Measure all in each round, each in a fresh process, in slices that take turns.

    Whatever is begun here has the first core, and this process has the others.

    Returns:
        By name, of each round: answers a second, and answers for a second of
        processor time.
    """
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    costs: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        with contextlib.ExitStack() as stack:
            with on_first_core():
                begun = {
                    name: stack.enter_context(one.begin())
                    for name, one in contestants.items()
                }
            slices: dict[str, list[float]] = {name: [] for name in contestants}
            runs = {
                name: measured(
                    begun[name],
                    one.sent,
                    seconds / SLICES,
                    slices[name],
                    connections,
                )
                for name, one in contestants.items()
            }
            with on_other_cores():
                measures = in_turn(runs, SLICES)
            for name, found in measures.items():
                rates[name].append(max(found))
                costs[name].append(max(slices[name]))
    return rates, costs


def on_first_core() -> AbstractContextManager[None]:
    """Keep what this process starts on one core: what is measured is begun here."""
    return _only_on(sorted(os.sched_getaffinity(0))[:1])


def on_other_cores() -> AbstractContextManager[None]:
    """Keep this process, the load, on the other cores, where there are more."""
    cores = sorted(os.sched_getaffinity(0))
    return _only_on(cores[1:] or cores)


@contextlib.contextmanager
def _only_on(cores: Sequence[int]) -> Iterator[None]:
    """Keep this process, and what it starts meanwhile, on *cores*."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _rows(what: str, values: dict[str, list[float]], budget: float | None = None):
    gate = ratios(values["gate"], values["without"])
    behind = ratios(values["behind"], values["behind, without"])
    again = ratios(values["again"], values["without"])
    return [
        Row(what, gate, budget),
        Row(f"{what}, behind a web server", behind, budget),
        Row(f"{what}, without / without", again),
    ]


def _headers(cookie: str, further: dict[str, str]) -> bytes:
    headers = {**signed_in.BROWSER, "Host": signed_in.HOST, "Cookie": cookie, **further}
    return request("/page", headers)


def measured(
    server: Server,
    sent: bytes,
    seconds: float,
    costs: list[float],
    connections: int = CONNECTIONS,
) -> Callable[[], float]:
    """Return what measures *server*: answers a second.

    Args:
        costs: gets the answers for a second of processor time.
    """

    def run() -> float:
        before = processor(server)
        result = measure(
            server.port, lambda: sent, connections=connections, seconds=seconds
        )
        assert set(result.statuses) == {200}, result.statuses
        costs.append(len(result.times) / (processor(server) - before))
        return result.rate

    return run
