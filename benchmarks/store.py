"""A thousand sessions to a million: what a request, a look-up and a code then cost.

Everything is held against the same with a thousand sessions, and what is written also
against the least a durable write can be on this disk: one row, one commit.
"""

from __future__ import annotations

import hashlib
import itertools
import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from benchmarks import signed_in
from benchmarks.in_process import _caller
from benchmarks.table import Row, ratios, show
from totp_gate.testing import Installation

SIZES = (1_000, 10_000, 100_000, 1_000_000)
PASSES = 10
BATCH = 50_000
UNCHANGED = 1.25

Call = Callable[[], object]


def run(rounds: int, seconds: float) -> list[Row]:
    """Measure and print the table."""
    taken: dict[int, dict[str, list[float]]] = {}
    with signed_in.installation() as made, closing(_bare(made.folder)) as bare:
        cookie = signed_in.sign_in(made)
        gate = signed_in.gate(made)
        hot = _caller(gate, signed_in.environ("/page", cookie))
        ids: list[str] = []
        for size in SIZES:
            ids += _fill(made, size - len(ids))
            calls = {"a request": hot, **_calls(made, ids), "bare write": _write(bare)}
            taken[size] = _measure(calls, rounds, seconds)
        gate.accounts.store.close()
    first, *others = SIZES
    rows = []
    for name in taken[first]:
        for size in others if name != "bare write" else ():
            ratio = ratios(taken[size][name], taken[first][name])
            budget = UNCHANGED if name == "a request" else None
            rows.append(Row(f"{name}: {size:,} / {first:,}", ratio, at_most=budget))
    last = taken[SIZES[-1]]
    rows += [
        Row(f"{name} / bare write", ratios(last[name], last["bare write"]))
        for name in ("accept a code", "begin and end a session")
    ]
    found, request = last["look a session up"], last["a request"]
    rows.append(Row("look a session up / a request", ratios(found, request)))
    return show("Sessions in the store", rows)


def _calls(made: Installation, ids: list[str]) -> dict[str, Call]:
    store = made.accounts.store
    steps = itertools.count(made.clock() + 1000)
    (template,) = store.sessions("alice")[:1]
    drawn = random.Random(1)
    numbers = itertools.count()

    def begin() -> None:
        fresh = hashlib.sha256(f"{len(ids)} {next(numbers)}".encode()).hexdigest()
        store.add_session(replace(template, id=fresh))
        store.end_session(fresh)

    return {
        "look a session up": lambda: store.session(drawn.choice(ids)),
        "accept a code": lambda: store.accept_step(
            "of nobody", int(next(steps)), now=made.clock()
        ),
        "begin and end a session": begin,
    }


def _measure(
    calls: dict[str, Call], rounds: int, seconds: float
) -> dict[str, list[float]]:
    """Return seconds of a call: the best slice of each round."""
    length = seconds / len(calls) / PASSES
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        best = dict.fromkeys(calls, float("inf"))
        for _, (name, call) in itertools.product(range(PASSES), calls.items()):
            best[name] = min(best[name], _slice(call, length))
        for name, took in best.items():
            taken[name].append(took)
    return taken


def _slice(call: Call, length: float) -> float:
    number = 0
    begun = time.perf_counter()
    while True:
        for _ in range(8):
            call()
        number += 8
        took = time.perf_counter() - begun
        if took > length:
            return took / number


def _fill(made: Installation, number: int) -> list[str]:
    """Copy alice's session *number* times, under other ids; return these."""
    database = sqlite3.connect(made.folder / "gate.db")
    with closing(database):
        database.execute("PRAGMA synchronous = OFF")
        database.row_factory = sqlite3.Row
        row = dict(database.execute("SELECT * FROM sessions LIMIT 1").fetchone())
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join(f":{name}" for name in row)
        drawn = sorted(random.randbytes(32).hex() for _ in range(number))
        for at in range(0, number, BATCH):
            with database:
                database.executemany(
                    f"INSERT INTO sessions ({names}) VALUES ({marks})",
                    (
                        {**row, "id": each, "user": f"user-{each[:4]}"}
                        for each in drawn[at : at + BATCH]
                    ),
                )
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return drawn


def _bare(folder: Path) -> sqlite3.Connection:
    database = sqlite3.connect(folder / "bare.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE steps (id TEXT PRIMARY KEY, step INTEGER)")
    database.execute("INSERT INTO steps VALUES ('of nobody', 0)")
    return database


def _write(database: sqlite3.Connection) -> Call:
    numbers = itertools.count(1)
    update = "UPDATE steps SET step = ? WHERE id = 'of nobody'"
    return lambda: database.execute(update, (next(numbers),))
