"""Stores to hold the promises of ``stores.base`` against.

Another backend joins the contract by one more parameter of ``store``.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from totp_gate.stores.sql import SqlStore, open_store

START = 1_700_000_000.0


class Clock:
    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def tick(self, seconds: float) -> float:
        self.now += seconds
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def state() -> Iterator[Path]:
    """Where a state file may be made: in memory, where the machine has such a place.

    The same calls are made there; only nobody has to wait for a disk.
    """
    memory = Path("/dev/shm")
    place = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place) as directory:
        yield Path(directory) / "gate.db"


@pytest.fixture
def open_file(state: Path, clock: Clock):
    """Open the state file, as often as a test likes."""
    opened: list[SqlStore] = []

    def open_it(**options: object) -> SqlStore:
        opened.append(open_store(f"sqlite:///{state}", now=clock, **options))
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, clock: Clock):
    if request.param == "file":
        yield request.getfixturevalue("open_file")()
        return
    store = open_store("sqlite://", now=clock)
    yield store
    store.close()
