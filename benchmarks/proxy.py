"""The rows of the proxy: its speed, and what it keeps in memory."""

from __future__ import annotations

from benchmarks import proxy_memory, proxy_speed
from benchmarks.table import Row


def run(rounds: int, seconds: float) -> list[Row]:
    """Measure and print the tables."""
    return [*proxy_speed.run(rounds, seconds), *proxy_memory.run()]
