"""What happened, one JSON line an event.

A line says when (UTC), what, with what outcome, to whom, from where, and under which
request id; a session appears as the first characters of its digest. Never a password, a
code, a cookie or a link. A user name nobody knows is left out, since people type
passwords there. JSON escapes whatever could end a line, and everything outside ASCII.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST = 256
_REFERENCE = 12


class Asked(Protocol):
    """What the audit wants to know of a request."""

    @property
    def now(self) -> float:
        """Unix seconds."""
        ...

    @property
    def address(self) -> str:
        """Of the client."""
        ...

    @property
    def request_id(self) -> str:
        """Of this request."""
        ...


def to_stderr(line: str) -> None:
    """Write one line to standard error."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


class Audit:
    """Writes events.

    Args:
        write: takes one line without its end.
    """

    def __init__(self, write: Callable[[str], None] = to_stderr) -> None:
        self._write = write
        self._lock = threading.Lock()

    def event(
        self,
        request: Asked,
        event: str,
        outcome: str,
        *,
        user: str = "",
        session: str = "",
        rule: str = "",
        detail: str = "",
    ) -> None:
        """Write what happened in *request*.

        Args:
            event: one word of the inventory, e.g. ``sign-in`` or ``sign-out``.
            outcome: ``success``, ``failure`` or ``locked``.
            user: canonical name of a user there is, or empty.
            session: the session's id (digest).
        """
        self._line(
            request.now,
            {
                "event": event,
                "outcome": outcome,
                "user": user,
                "address": request.address,
                "request": request.request_id,
                "session": session[:_REFERENCE],
                "rule": rule,
                "detail": detail,
            },
        )

    def sign_in(
        self,
        request: Asked,
        step: str,
        outcome: str,
        reason: str = "",
        *,
        user: str,
        known: bool = True,
        session: str = "",
    ) -> None:
        """Write the result of one step of a sign-in (``password`` or ``code``).

        Args:
            known: whether there is such a user; otherwise the name is left out.
        """
        self.event(
            request,
            f"sign-in.{step}",
            outcome,
            user=user if known else "",
            session=session,
            detail=reason,
        )

    def trouble(self, environ: Mapping[str, object], what: str, error: object) -> None:
        """Write that a part of the gate failed; *error* says what is inside."""
        request_id = str(environ.get("totp_gate.request_id", ""))
        self._line(
            datetime.now(UTC).timestamp(),
            {
                "event": "trouble",
                "outcome": "failure",
                "request": request_id,
                "detail": f"{what}: {error}",
            },
        )

    def _line(self, at: float, fields: Mapping[str, str]) -> None:
        time = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
        kept = {key: value[:_LONGEST] for key, value in fields.items() if value}
        line = json.dumps({"time": time, **kept})
        with self._lock:
            self._write(line)
