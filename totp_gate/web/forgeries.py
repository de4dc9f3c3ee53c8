"""What somebody made up: a session cookie, or a header that says who asks.

Such a request is treated as if it had brought neither; only the audit says that it did,
of each address (IPv6: each /64) once a minute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from totp_gate.core import cookies
from totp_gate.core.throttle import address_key
from totp_gate.telemetry.audit import Audit, Occasion
from totp_gate.telemetry.seldom import Seldom
from totp_gate.web.arrival import Caller
from totp_gate.web.trouble import request_id

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class Forgeries:
    """Tells the audit what was made up.

    Args:
        cookie: name of the session cookie.
        is_ours: whether the gate has signed this value for whoever is asked.
        clock: Unix seconds.
    """

    def __init__(
        self,
        audit: Audit,
        *,
        cookie: str,
        is_ours: Callable[[str, Caller], bool],
        clock: Callable[[], float],
    ) -> None:
        self._audit = audit
        self._cookie = cookie
        self._is_ours = is_ours
        self._clock = clock
        self._cookies = Seldom()
        self._headers = Seldom()

    def look_at_cookie(self, environ: WSGIEnvironment, caller: Caller) -> None:
        """Say so if nobody's session is that because its signature is wrong."""
        token = cookies.find(environ.get("HTTP_COOKIE", ""), self._cookie)
        if token is None or self._is_ours(token, caller):
            return
        now = self._clock()
        if self._cookies.may_say(address_key(caller.address), now=now):
            self._audit.event(
                _occasion(environ, caller, now), "session.forged", "failure"
            )

    def tell_headers(
        self, environ: WSGIEnvironment, caller: Caller, keys: Iterable[str]
    ) -> None:
        """Say which identity headers were taken out.

        Args:
            keys: of environ; their values are told to nobody.
        """
        now = self._clock()
        if self._headers.may_say(address_key(caller.address), now=now):
            self._audit.event(
                _occasion(environ, caller, now),
                "identity.forged",
                "failure",
                detail=", ".join(sorted(map(_name, keys))),
            )


def _occasion(environ: WSGIEnvironment, caller: Caller, now: float) -> Occasion:
    return Occasion(now=now, address=caller.address, request_id=request_id(environ))


def _name(key: str) -> str:
    return key.removeprefix("HTTP_").replace("_", "-").title()
