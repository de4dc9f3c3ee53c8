"""A thousand attempts to a million, each for a name nobody has and from a new address.

    python -m benchmarks.unknown_names --attempts 1000000 --lazily

What is counted has to stay small, and an attempt as quick as at the beginning.
Passwords are left out (they cost the same for everybody): this is the throttle, as the
pages call it. Every attempt is a durable write; ``--lazily`` lets the system write when
it likes, for numbers for which a disk would take hours.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.table import Row, show
from totp_gate.accounts.guessing import SWEEP_EVERY, Guessing, Visitor
from totp_gate.core import throttle
from totp_gate.stores.sql import database, open_store

SIZES = (1_000, 10_000, 100_000, 1_000_000)
USUAL = 10_000
SLICES = 10
MIB = 1024 * 1024

Attempt = Callable[[], object]


def run(rounds: int, seconds: float) -> list[Row]:
    """Measure ten thousand attempts, or more where there is more time."""
    return measure(max(USUAL, int(USUAL * rounds * seconds / 7)))


def measure(attempts: int, *, lazily: bool = False) -> list[Row]:
    """Measure up to *attempts* and print the table."""
    params = throttle.Guessing()
    most = 2 * (params.most_strangers + SWEEP_EVERY)
    sizes = [size for size in SIZES if size <= attempts]
    took: dict[int, list[float]] = {}
    rows: list[Row] = []
    with _state(params, lazily=lazily) as (folder, guess, count):
        _time(guess, SWEEP_EVERY)
        memory, done = _resident(), 0
        for size in sizes:
            took[size] = _time(guess, size - done)
            done = size
            grown = _resident() - memory
            rows += [
                Row(f"{size:,}: an attempt", _micro(took[size]), unit="us"),
                Row(f"{size:,}: counts kept", [count()], at_most=most),
                Row(f"{size:,}: state", [_size(folder)], at_most=32, unit="MiB"),
                Row(f"{size:,}: more memory", [grown], at_most=32, unit="MiB"),
            ]
    first, *others = sizes
    usual = statistics.median(took[first])
    rows += [
        Row(f"an attempt: {size:,} / {first:,}", [each / usual for each in took[size]])
        for size in others
    ]
    how = "written when the system likes" if lazily else "each durable"
    return show(f"Attempts for names nobody has, {how}", rows)


@contextmanager
def _state(
    params: throttle.Guessing, *, lazily: bool
) -> Iterator[tuple[Path, Attempt, Callable[[], int]]]:
    """Open a fresh state; give its folder, one attempt, and how much is counted."""
    before = database.PRAGMAS["synchronous"]
    database.PRAGMAS["synchronous"] = "OFF" if lazily else before
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = open_store(f"sqlite:///{folder / 'gate.db'}", now=time.time)
        guessing = Guessing(store=store, params=params, key=random.randbytes(32))

        def guess() -> object:
            typed, now = random.randbytes(8).hex(), time.time()
            visitor = Visitor(address=".".join(map(str, random.randbytes(4))))
            return guessing.begin("password", typed, visitor, known=False, now=now)

        try:
            yield folder, guess, lambda: len(store.counts("", at_least=1))
        finally:
            store.close()
            database.PRAGMAS["synchronous"] = before


def _time(attempt: Attempt, number: int) -> list[float]:
    """Make *number* attempts; return the seconds of one, for each tenth of them."""
    taken = []
    for at in range(SLICES):
        part = (at + 1) * number // SLICES - at * number // SLICES
        begun = time.perf_counter()
        for _ in range(part):
            attempt()
        taken.append((time.perf_counter() - begun) / max(part, 1))
    return taken


def _micro(seconds: list[float]) -> list[float]:
    return [each * 1e6 for each in seconds]


def _size(folder: Path) -> float:
    """Return the MiB of the state with all that lies beside it."""
    return sum(path.stat().st_size for path in folder.iterdir()) / MIB


def _resident() -> float:
    """Return the MiB of memory this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / MIB


def main() -> None:
    """Measure as many attempts as are asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.unknown_names")
    parser.add_argument("--attempts", type=int, default=USUAL)
    parser.add_argument("--lazily", action="store_true", help="without durable writes")
    options = parser.parse_args()
    measure(max(options.attempts, SIZES[0]), lazily=options.lazily)


if __name__ == "__main__":
    main()
