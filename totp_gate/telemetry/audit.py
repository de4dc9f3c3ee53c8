"""What happened, one JSON line an event.

A line says when (UTC), what, with what outcome, from where, to whom, and under which
request id; a session appears as the first characters of its digest. Never a password, a
code, a cookie or a link. A user name nobody knows is left out, since people type
passwords there. A line is printable ASCII whatever strangers send: JSON escapes what is
outside of it, and what could end a line or move a cursor becomes a question mark. It is
shorter than ``LONGEST_LINE``, so that lines of several processes never mix in a pipe.

What costs a stranger nothing has one line a minute of each address (IPv6: each /64) and
reason, which says for how many it stands; the figures count all. Every password and
code that is judged has its line.

A line that cannot be written goes to standard error, is counted, and stops nothing: if
it did, whoever fills the disk with failures would lock everybody out, also those who
could make room. (Where the state is on the same disk, nobody can sign in anyway.)
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from totp_gate.core.headers import plain
from totp_gate.core.throttle import address_key
from totp_gate.errors import GateError
from totp_gate.model import Event
from totp_gate.telemetry.inventory import (
    LOCKED,
    MOST_ALIKE,
    MOST_KEPT,
    MOST_OF_GATE,
    THE_GATE,
    kind_of,
)
from totp_gate.telemetry.metrics import Meter
from totp_gate.telemetry.seldom import Seldom

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_LINE = 4096  # what POSIX writes to a pipe in one piece (PIPE_BUF)
_LONGEST = 256
_LONGEST_TRACE = 16_384
_log = logging.getLogger("totp_gate")
_SHORTER = 40  # six octets for a character, twelve for one beyond U+FFFF
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

    @property
    def agent(self) -> str:
        """How the browser calls itself."""
        ...


class Keep(Protocol):
    """What keeps an event for ``totp-gate audit`` (``Store.add_event``)."""

    def __call__(self, event: Event, /, *, keep: int, alike: int | None) -> None:
        """Keep *event*, *keep* of its user, of those that are like it *alike*."""
        ...


class Tell(Protocol):
    """What hears of every line, for the command of the settings (``Hook.tell``)."""

    def __call__(self, fields: Mapping[str, str], line: str, /, *, now: float) -> None:
        """Hear of *line*, which has *fields*; *now* is Unix seconds."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What an event belongs to that no request caused: a command, a start.

    Attributes:
        now: Unix seconds.
        agent: who did it, e.g. ``totp-gate user passwd``.
    """

    now: float
    address: str = ""
    request_id: str = ""
    agent: str = ""


def to_stderr(line: str) -> None:
    """Write one line to standard error."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


class Audit:
    """Writes events.

    Args:
        write: takes one line without its end; raises OSError where it cannot.
        keep: takes what stays with an account or the gate; may raise ``GateError``.
        tell: hears of every line.
        meter: counts events, sign-ins and lines that could not be written.
    """

    def __init__(
        self,
        write: Callable[[str], None] = to_stderr,
        *,
        keep: Keep | None = None,
        tell: Tell | None = None,
        meter: Meter | None = None,
    ) -> None:
        self._write = write
        self._keep = keep
        self._tell = tell
        self._count = (meter or Meter()).count
        self._floods: dict[str, Seldom] = defaultdict(Seldom)

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
        known: bool = True,
    ) -> None:
        """Write what happened in *request*; never raises.

        Args:
            event: one name of the inventory, e.g. ``sign-out``.
            outcome: ``success``, ``failure`` or ``locked``.
            user: canonical name of a user there is, or empty.
            session: the session's id (digest).
            known: False for a name nobody has: then what a known one costs is done as
                well, for nobody, so that the time of the answer does not tell.
        """
        fields = {
            "event": event,
            "outcome": outcome,
            "address": request.address,
            "user": user,
            "request": request.request_id,
            "session": session[:_REFERENCE],
            "rule": rule,
            "detail": detail,
        }
        times = 1
        if _is_free(event, outcome, user):
            about = (address_key(request.address), rule, detail)
            times = self._times(event, " ".join(about), request.now)
        self._line(request.now, fields, times=times)
        owner = THE_GATE if kind_of(event).gate else user
        if (owner or not known) and _is_kept(event, outcome):
            self._keep_for(owner, request, fields)

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
        self._count("gate_sign_ins_total", step, outcome)
        self.event(
            request,
            f"sign-in.{step}",
            outcome,
            user=user if known else "",
            session=session,
            detail=reason,
            known=known,
        )

    def failed(self, environ: Mapping[str, object], error: Exception) -> None:
        """Write that something nobody thought of broke; where, only into the log.

        What the exception says may hold what a stranger sent, so it stays in one line.
        """
        self.trouble(environ, "failed", type(error).__name__)
        trace = "".join(traceback.format_exception(error))[-_LONGEST_TRACE:]
        name = environ.get("totp_gate.request_id", "")
        _log.error("request=%s failed inside the gate: %s", name, json.dumps(trace))

    def trouble(
        self,
        environ: Mapping[str, object],
        what: str,
        error: object,
        *,
        seldom: bool = False,
        tell: bool = True,
    ) -> None:
        """Write that a part of the gate failed; *error* says what is inside.

        Args:
            seldom: no answer quotes the id of this request, so the same has one line a
                minute.
            tell: False where telling is what failed.
        """
        now = time.time()
        fields = {
            "event": "trouble",
            "outcome": "failure",
            "request": str(environ.get("totp_gate.request_id", "")),
            "detail": f"{what}: {error}",
        }
        times = self._times("trouble", fields["detail"], now) if seldom else 1
        self._line(now, fields, times=times, tell=tell)

    def _keep_for(self, owner: str, request: Asked, fields: Mapping[str, str]) -> None:
        if self._keep is None:
            return
        kept = Event(
            user=owner,
            at=request.now,
            event=fields["event"],
            outcome=fields["outcome"],
            address=plain(request.address, _LONGEST),
            agent=plain(request.agent, _LONGEST),
            detail=plain(fields["detail"], _LONGEST),
        )
        alike = MOST_ALIKE if kept.outcome in kind_of(kept.event).cheap else None
        try:
            most = MOST_OF_GATE if owner == THE_GATE else MOST_KEPT
            self._keep(kept, keep=most, alike=alike)
        except GateError as error:
            what = "an event was not kept"
            self.trouble({}, what, error, seldom=True)

    def _times(self, event: str, about: str, now: float) -> int:
        """Return for how many of *event* a line stands now; 0: there is none now."""
        return self._floods[event].stands_for(about, now=now)

    def _line(
        self, at: float, fields: Mapping[str, str], *, times: int, tell: bool = True
    ) -> None:
        event = fields["event"]
        self._count("gate_events_total", event)
        if not times:
            return
        line = _as_line(at, fields, times)
        try:
            self._write(line)
        except (OSError, ValueError) as error:
            self._count("gate_audit_failures_total")
            self._save(line, error)
        if tell and self._tell is not None:
            self._tell(fields, line, now=at)

    def _save(self, line: str, error: Exception) -> None:
        """Put a line that could not be written where somebody may still see it."""
        now = time.time()
        lines = [line]
        said = "the audit cannot be written, so it comes here"
        if times := self._times("trouble", said, now):
            trouble = {"event": "trouble", "outcome": "failure"}
            trouble["detail"] = f"{said}: {error}"
            lines.insert(0, _as_line(now, trouble, times))
        try:
            to_stderr("\n".join(lines))
        except (OSError, ValueError):
            return  # nobody listens; it was counted


def _is_kept(event: str, outcome: str) -> bool:
    """Tell whether it stays; whoever is locked out may knock without end."""
    return kind_of(event).kept and outcome != LOCKED


def _is_free(event: str, outcome: str, user: str) -> bool:
    """Tell whether strangers can cause it without end.

    Whose name stands in what is locked does not matter: anybody can type it.
    """
    return outcome == LOCKED or (not user and outcome in kind_of(event).free)


def _as_line(at: float, fields: Mapping[str, str], times: int) -> str:
    when = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    line = ""
    for longest in (_LONGEST, _SHORTER):
        kept = {key: plain(value, longest) for key, value in fields.items() if value}
        count = {"count": times} if times > 1 else {}
        line = json.dumps({"time": when.replace("+00:00", "Z"), **kept, **count})
        if len(line) < LONGEST_LINE:
            break
    return line
