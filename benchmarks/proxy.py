"""The rows of the proxy, which have programs of their own."""

from __future__ import annotations

import re
import subprocess
import sys

from benchmarks.table import Row

_BUDGET = re.compile(r"(>=|<) ([\d.]+)")


def run(rounds: int, seconds: float) -> list[Row]:
    """Run them, show what they print, and return what they judge."""
    return [
        *_ask("proxy_speed", "--rounds", str(rounds), "--seconds", str(seconds)),
        *_ask("proxy_memory"),
    ]


def _ask(module: str, *arguments: str) -> list[Row]:
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    print(done.stdout, end="")
    rows = []
    for line in done.stdout.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        budget = _BUDGET.fullmatch(cells[-1])
        if budget is None:
            continue
        numbers = cells[1:-1]
        middle = float(numbers[len(numbers) // 2].strip("*"))
        bound = float(budget[2])
        if budget[1] == ">=":
            rows.append(Row(cells[0], [middle], at_least=bound))
        else:
            rows.append(Row(cells[0], [middle], at_most=bound))
    return rows
