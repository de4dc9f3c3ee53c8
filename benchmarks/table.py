"""Figures as tables: the spread over rounds, the budget, and whether it is kept.

A machine is never quiet, so nothing is judged by seconds. Whatever is compared is
measured in turn within a round, the ratio is taken within the round, and the median of
the rounds is held against the budget.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        what: in words.
        values: one for each round.
        at_least, at_most: the budget of the median, where there is one.
        unit: written behind the words.
    """

    what: str
    values: Sequence[float]
    at_least: float | None = None
    at_most: float | None = None
    unit: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def budget(self) -> str:
        if self.at_least is not None:
            return f">= {figure(self.at_least)}"
        return "" if self.at_most is None else f"<= {figure(self.at_most)}"

    @property
    def verdict(self) -> str:
        """``ok``, ``over``, or nothing where there is no budget."""
        if not self.budget:
            return ""
        too_low = self.at_least is not None and self.median < self.at_least
        too_high = self.at_most is not None and self.median > self.at_most
        return "over" if too_low or too_high else "ok"


def show(title: str, rows: Iterable[Row]) -> list[Row]:
    """Print a table; return its rows."""
    rows = list(rows)
    cells = [("what", "min", "median", "max", "budget", "")]
    for row in rows:
        spread = (min(row.values), row.median, max(row.values))
        what = f"{row.what}, {row.unit}" if row.unit else row.what
        cells.append((what, *map(figure, spread), row.budget, row.verdict))
    widths = [max(len(line[at]) for line in cells) for at in range(6)]
    print(f"\n{title}\n")
    for number, line in enumerate(cells):
        print(_line(line, widths))
        if number == 0:
            print(_line(["-" * width for width in widths], widths))
    return rows


def figure(value: float) -> str:
    """Return *value* in three digits or so, as a person reads it."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def ratios(upper: Sequence[float], lower: Sequence[float]) -> list[float]:
    """Return the ratio of each round."""
    return [a / b for a, b in zip(upper, lower, strict=True)]


def in_turn(
    contestants: dict[str, Callable[[], float]], rounds: int
) -> dict[str, list[float]]:
    """Measure every contestant once a round; each round begins with another one."""
    names = list(contestants)
    values: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            values[name].append(contestants[name]())
    return values


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.ljust(width) if at == 0 else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |"
