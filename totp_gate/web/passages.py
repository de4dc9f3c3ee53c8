"""The way of most requests: what was permitted a moment ago is permitted again.

Strategy: pages, images and programs are asked for again and again, with the same
headers. What the judgement permitted to a live session is remembered under everything
it depends on (`key_for`), and found by one look-up. This never permits anything by
itself, and never refuses: whatever was not asked like this before, has a header that
could make a difference, or belongs to a session that may have changed, is judged.

Two things keep that true. A header that the judgement reads is part of the key or among
`NOTICED`; a test watches what it reads. And a passage ends with whatever it stands on:
with its session, when that has to be written down or looked at again, when the answer
of the policy does, and, at the latest, when there are too many.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias

from totp_gate.accounts.live import Live, LiveSessions
from totp_gate.core.urls import Origin
from totp_gate.web import overrides
from totp_gate.web.arrival import BELIEVED, OWN_TOKEN, Caller
from totp_gate.web.dressing import Dressing
from totp_gate.web.held import SENT_AGAIN
from totp_gate.web.judgement import DESTINATION

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed.wsgi import WSGIEnvironment

MAX_PASSAGES = 4096
LONGEST_KEY = 2048

NOTICED = frozenset(
    {
        OWN_TOKEN,
        SENT_AGAIN,
        *overrides.KEYS,
        DESTINATION,
        "HTTP_AUTHORIZATION",
        "HTTP_UPGRADE",
        "HTTP_TRANSFER_ENCODING",
        "CONTENT_LENGTH",
    }
)
"""Environ keys that the judgement reads and no key holds: who has one is judged."""

_METHODS = frozenset({"GET", "HEAD"})

Key: TypeAlias = tuple[str | None, ...]

_KEY = itemgetter(
    "REQUEST_METHOD",
    "RAW_URI",
    "SCRIPT_NAME",
    "PATH_INFO",
    "HTTP_HOST",
    "HTTP_COOKIE",
    "REMOTE_ADDR",
    "wsgi.url_scheme",
)
_FOR, _PROTO, _HOST = BELIEVED


Passage: TypeAlias = tuple[Live, float, float, dict[str, object], str | None, Origin]
"""Who was permitted it; since and until when that holds (Unix seconds); what such a
request carries; its Cookie header without the gate's cookies; the origin it asked."""


class Passages:
    """Remembers which requests were permitted to whom.

    Args:
        live: the sessions they were permitted to.
        dressing: what such a request carries.
        plain: environ keys that make no difference, as ``Arrivals`` learns them.
        clock: Unix seconds.

    Attributes:
        open: dresses the request *environ* and returns True if it may pass as it did
            before. False says nothing about it: it has to be judged. Raises
            ``StoreUnavailable`` where nobody can tell whether its session goes on.
    """

    def __init__(
        self,
        live: LiveSessions,
        dressing: Dressing,
        plain: set[str],
        clock: Callable[[], float],
    ) -> None:
        self._dressing = dressing
        self._known: dict[Key | None, Passage] = {}
        self.open = self._opener(live, plain, clock)

    def _opener(
        self,
        sessions: LiveSessions,
        plain: set[str],
        clock: Callable[[], float],
    ) -> Callable[[WSGIEnvironment], bool]:
        """Return ``open``; each request goes through it, so all it needs is at hand."""
        key_of, known = _key_of, self._known.get
        catch_up, mark = sessions.catch_up, sessions.mark
        assertions = self._dressing.assertions

        def open_(environ: WSGIEnvironment) -> bool:
            passage = known(key_of(environ))
            if passage is None or not plain.issuperset(environ):
                return False
            now = clock()
            # FeedMark.covers, without a call.
            if mark.bell.cell[0] != mark.rung or not mark.since <= now < mark.until:
                catch_up(now)
            live, since, until, dress, cookie, origin = passage
            if not (live.alive and since <= now < until):
                return False
            environ.update(dress)
            if cookie is None:
                del environ["HTTP_COOKIE"]
            else:
                environ["HTTP_COOKIE"] = cookie
            if assertions is not None:
                assertions.put(environ, live, origin)
            return True

        return open_

    def remember(
        self,
        key: Key | None,
        caller: Caller,
        live: Live | None,
        cookie: str | None,
        until: float,
    ) -> None:
        """Remember that *live* may do this until *until* (Unix seconds).

        Args:
            key: of the request as it came (``key_for``).
            cookie: the Cookie header that the application got.
        """
        origin = caller.origin
        if key is None or live is None or origin is None or caller.doubt:
            return
        method, target, *_ = key
        if method not in _METHODS or not (target or "").startswith("/"):
            return
        if sum(len(part or "") for part in key) > LONGEST_KEY:
            return
        if len(self._known) >= MAX_PASSAGES:
            self._known.clear()
        until = min(until, live.until, live.write_at)
        dress = self._dressing.of(caller, live)
        self._known[key] = live, live.since, until, dress, cookie, origin


def key_for(environ: WSGIEnvironment) -> Key | None:
    """Return under what to remember the answer to a request; None: not at all."""
    return _key_of(environ) if NOTICED.isdisjoint(environ) else None


def _key_of(environ: WSGIEnvironment) -> Key | None:
    """Return all that the answer to the request depends on, but for `NOTICED`.

    None: it has no cookie, or its server does not say the target as it came.
    """
    if "HTTP_COOKIE" not in environ or "RAW_URI" not in environ:
        return None
    try:
        key: Key = _KEY(environ)
    except KeyError:
        return None
    if _FOR in environ or _PROTO in environ or _HOST in environ:
        get = environ.get
        return (*key, get(_FOR), get(_PROTO), get(_HOST))
    return key
