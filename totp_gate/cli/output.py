"""How results look: tables for people, JSON for programs, QR codes for phones."""

from __future__ import annotations

import io
import json
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import IO, Any, TypeVar

import click
import segno

from totp_gate.core.headers import plain

Command = TypeVar("Command", bound=Callable[..., Any])


def json_option(command: Command) -> Command:
    """Give *command* the option ``--json``, as its argument ``as_json``."""
    option = click.option(
        "--json", "as_json", is_flag=True, help="Print JSON instead of text."
    )
    return option(command)


def print_json(value: object) -> None:
    """Print *value* as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def report(text: str, fields: Mapping[str, object], *, as_json: bool) -> None:
    """Print what was done: *text* for people, or *fields* for programs."""
    if as_json:
        print_json(dict(fields))
    else:
        click.echo(text)


def print_section(title: str, lines: Sequence[str]) -> None:
    """Print *lines* below *title*, or that there are none."""
    click.echo(f"{title}:" if lines else f"{title}: none")
    for line in lines:
        click.echo(f"  {plain(line, 4096).rstrip()}")


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print *rows* in columns under *headings*."""
    cells = [headings, *([_cell(each) for each in row] for row in rows)]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = [
            cell + " " * (width - _width(cell))
            for cell, width in zip(row, widths, strict=True)
        ]
        click.echo("  ".join(padded).rstrip())


def print_fields(fields: Iterable[tuple[str, object]]) -> None:
    """Print ``name: value`` lines; a value that is empty is left out."""
    for name, value in fields:
        text = _cell(value)
        if text:
            click.echo(f"{name}: {text}")


def local(at: float | None) -> str:
    """Return the time *at* (Unix seconds) as people here read it; None: never."""
    if at is None:
        return "never"
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def iso(at: float | None) -> str | None:
    """Return the time *at* (Unix seconds) as ISO 8601 in UTC, for programs."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def print_qr(text: str) -> None:
    """Print *text* as a QR code, where the terminal can show one."""
    code = draw_qr(text, sys.stdout)
    if code:
        click.echo(code)


def draw_qr(text: str, stream: IO[str]) -> str:
    """Return *text* as a QR code of block characters; empty: *stream* has none."""
    drawn = io.StringIO()
    code = segno.make(text, error="l", micro=False)
    code.terminal(drawn, border=2, compact=True)
    blocks = drawn.getvalue()
    try:
        blocks.encode(getattr(stream, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return ""
    return blocks


def _cell(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return plain(str(value), 4096)


def _width(text: str) -> int:
    """Return how many columns of a terminal *text* takes."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    joined = sum(bool(unicodedata.combining(char)) for char in text)
    return len(text) + wide - joined
