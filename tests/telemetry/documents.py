"""The tables in ``docs/`` that are made from the code.

python -m tests.telemetry.documents      # writes them
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from totp_gate.telemetry.figures import METRICS
from totp_gate.telemetry.inventory import EVENTS

DOCS = Path(__file__).resolve().parents[2] / "docs"


def events() -> Iterator[str]:
    """The lines of the table of events."""
    yield "| event | what happened | |"
    yield "|---|---|---|"
    for name, kind in EVENTS.items():
        marks = ["*gate*" if kind.gate else "*owner*"] * kind.kept
        marks += ["*command*"] * kind.told
        marks += ["*flood*"] * bool(kind.free)
        yield f"| `{name}` | {kind.meaning} | {', '.join(marks)} |"


def metrics() -> Iterator[str]:
    """The lines of the table of metrics."""
    yield "| metric | kind | labels | what it says |"
    yield "|---|---|---|---|"
    for metric in METRICS:
        labels = [
            f"`{label}`: {' '.join(values)}" if label != "event" else "`event`"
            for label, values in metric.labels.items()
        ]
        shown = "; ".join(labels)
        yield f"| `{metric.name}` | {metric.kind} | {shown} | {metric.help} |"
    yield "| `gate_build_info` | gauge | `version`, `python` | What is running |"


PAGES = {"audit.md": ("events", events), "metrics.md": ("metrics", metrics)}


def written(page: str) -> str:
    """Return the text of a page with its table as it should be."""
    word, table = PAGES[page]
    between = re.compile(f"(<!-- {word} -->\n).*?(<!-- end of {word} -->)", re.DOTALL)
    lines = "".join(f"{line}\n" for line in table())
    text = (DOCS / page).read_text("utf-8")
    new, found = between.subn(lambda mark: mark[1] + lines + mark[2], text)
    assert found == 1, f"{page} has no place for its table"
    return new


if __name__ == "__main__":
    for each in PAGES:
        (DOCS / each).write_text(written(each), "utf-8")
