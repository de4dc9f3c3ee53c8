"""What the gate costs, in ratios.

    python -m benchmarks                      all of it: some minutes
    python -m benchmarks in-process servers   parts of it
    python -m benchmarks --rounds 9           more rounds for a noisy machine

Whatever is compared is measured in turn, round by round; the ratio of the median round
is held against the budget. At the end stands every budget once more.
"""

from __future__ import annotations

import argparse
import importlib
import time

from benchmarks.table import Row

PARTS = {
    "in-process": "a request of a live session without a server, beside Flask-Login",
    "servers": "gunicorn with the gate and without",
    "store": "a thousand sessions to a million",
    "flood": "requests of people who are signed in, while others flood the sign-in",
    "names": "whether answers tell who exists",
    "unknown-names": "thousands of attempts for names nobody has",
    "proxy": "the reverse proxy, with nginx behind it",
    "forward-auth": "nginx that asks the gate, and nginx that does not",
}


def main() -> None:
    """Measure what is named, or everything."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="What the gate costs, in ratios.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"  {name:<13} {does}" for name, does in PARTS.items()),
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="parts, listed below")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="of one measurement in a round"
    )
    options = parser.parse_args()
    unknown = set(options.names) - set(PARTS)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}; see --help")
    rows: list[Row] = []
    begun = time.monotonic()
    for name in options.names or PARTS:
        module = importlib.import_module(f"benchmarks.{name.replace('-', '_')}")
        rows += module.run(options.rounds, options.seconds)
    _sum_up(rows, time.monotonic() - begun)


def _sum_up(rows: list[Row], took: float) -> None:
    judged = [row for row in rows if row.verdict]
    over = [row for row in judged if row.verdict == "over"]
    print(f"\n{len(judged) - len(over)} of {len(judged)} budgets kept, {took:.0f} s")
    for row in over:
        print(f"over: {row.what} ({row.median:.2f}, budget {row.budget})")


if __name__ == "__main__":
    main()
