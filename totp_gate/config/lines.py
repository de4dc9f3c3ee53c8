"""In which line of a TOML file each key stands; tomllib does not say.

The text is known to be valid TOML here, so it is enough to tell strings, comments and
brackets from the rest. What is left of a statement's head is read by tomllib again.
Needed only where there is something to complain about.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

from totp_gate.config.base import Place

_PIECES = re.compile(
    r'''
    (?P<string> """ (?: \\. | (?!""")[^\\] )* "{3,5}
              | \'\'\' (?: (?!\'\'\'). )* \'{3,5}
              | " (?: \\. | [^"\\\n] )* "
              | ' [^'\n]* ' )
    | (?P<comment> \# [^\n]* )
    | (?P<open> [\[{] )
    | (?P<close> [\]}] )
    | (?P<equals> = )
    | (?P<end> \n )
    ''',
    re.VERBOSE | re.DOTALL,
)


class Lines:
    """The lines of a file's keys and tables.

    Args:
        text: valid TOML.
    """

    def __init__(self, text: str) -> None:
        self._lines: dict[Place, int] = {}
        self._headers: set[Place] = set()
        self._counts: dict[Place, int] = {}
        table: Place = ()
        for head, line in _statements(text):
            if head.startswith("["):
                table = self._enter(head)
                self._headers.add(table)
                self._lines[table] = line
            else:
                place = table
                for key in _keys(tomllib.loads(f"{head} = 0")):
                    place = (*place, key)
                self._lines[place] = line

    def find(self, place: Place) -> int | None:
        """Return the line in which *place* is set; None where it is not in the file.

        A key that an entry of a list of tables (``[[users]]``) lacks is found in the
        line where the entry begins.
        """
        for length in range(len(place), 0, -1):
            line = self._lines.get(place[:length])
            if line is not None:
                missing = length < len(place) and place[:length] in self._headers
                entry = isinstance(place[length - 1], int)
                return None if missing and not entry else line
        return None

    def near(self, place: Place) -> int:
        """Return the line in which *place* is set, or its table begins; else 0."""
        for length in range(len(place), 0, -1):
            if (line := self._lines.get(place[:length])) is not None:
                return line
        return 0

    def _enter(self, head: str) -> Place:
        """Return the table that *head* opens, with the number of a list's entry."""
        place: Place = ()
        for key in _keys(tomllib.loads(head)):
            place = self._last(place)
            place = (*place, key)
        if head.startswith("[["):
            self._counts[place] = self._counts.get(place, 0) + 1
        return self._last(place)

    def _last(self, place: Place) -> Place:
        count = self._counts.get(place)
        return place if count is None else (*place, count - 1)


def _statements(text: str) -> Iterator[tuple[str, int]]:
    """Yield the head (table header, or key) of each statement, and its line."""
    start = depth = seen = 0
    line = 1
    head = ""
    text += "\n"
    for piece in _PIECES.finditer(text):
        kind = piece.lastgroup
        if kind == "open":
            depth += 1
        elif kind == "close":
            depth -= 1
            if depth == 0 and not head:
                head = text[start : piece.end()].strip()
        elif kind == "equals" and depth == 0 and not head:
            head = text[start : piece.start()].strip()
        elif kind == "end" and depth == 0:
            if head:
                yield head, line
            line += text.count("\n", seen, piece.end())
            start = seen = piece.end()
            head = ""


def _keys(table: Any) -> Iterator[str]:
    """Yield the keys of *table*, of which each level has one."""
    while isinstance(table, dict | list) and table:
        if isinstance(table, list):
            table = table[0]
        else:
            ((key, table),) = table.items()
            yield key
