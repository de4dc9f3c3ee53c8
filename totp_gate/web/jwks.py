"""The assertion in a request's headers, and the keys it is verified with."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from totp_gate.accounts.live import Live
from totp_gate.core.assertion import Claims, Signer
from totp_gate.core.headers import environ_key
from totp_gate.core.urls import Origin
from totp_gate.model import Level, Session
from totp_gate.web.desk import Desk
from totp_gate.web.pages import Answer
from totp_gate.web.request import PageRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

EVERY = 20
"""Seconds for which an assertion is used again, so 40 are left to whoever gets it."""


class Assertions:
    """States who asks, in a header of every request of somebody known.

    Args:
        header: its name.
        issuer: the gate's main origin.
        clock: Unix seconds.
    """

    def __init__(
        self, signer: Signer, *, header: str, issuer: str, clock: Callable[[], float]
    ) -> None:
        self._signer = signer
        self._key = environ_key(header)
        self._issuer = issuer
        self._clock = clock

    def put(self, environ: WSGIEnvironment, live: Live, origin: Origin) -> None:
        """Put the assertion about *live*, for *origin* alone, into *environ*."""
        now = self._clock()
        made, text = live.assertions.get(origin.text, (0.0, ""))
        if not 0 <= now - made < EVERY:
            text = self._signer.sign(self._claims(live, origin), now=now)
            live.assertions[origin.text] = now, text
        environ[self._key] = text

    def _claims(self, live: Live, origin: Origin) -> Claims:
        user, session = live.user, live.session
        methods: tuple[str, ...] = ()
        proven: float | None = None
        if live.scope is not None:
            level = "app-token"
        elif session.level is Level.SECOND_FACTOR:
            level = "two-factor"
            methods = ("pwd", "otp", "mfa") if _is_typed(session) else ("pwd", "mfa")
            proven = session.second_factor_at
        else:
            level, methods = "one-factor", ("pwd",)
            proven = session.password_at
        return Claims(
            issuer=self._issuer,
            audience=origin.text,
            user=user.name,
            groups=user.groups,
            name=user.display,
            email=user.email,
            level=level,
            methods=methods,
            proven=proven,
            session=session.id[:12],
        )


class KeyPages:
    """Publishes the keys; without assertions there is no such page."""

    def __init__(self, desk: Desk, signer: Signer | None) -> None:
        self._desk = desk
        self._text = None if signer is None else json.dumps(signer.public) + "\n"

    def show(self, request: PageRequest) -> Answer:
        """Return the public keys as a JWK set (RFC 7517)."""
        if self._text is None:
            return self._desk.trouble.answer(request.environ, 404, home_url="/")
        answer = Answer(self._text, content_type="application/jwk-set+json")
        return self._desk.pages.finish(answer)


def _is_typed(session: Session) -> bool:
    """Tell whether a one-time password was typed since the password.

    Otherwise a trusted browser or a recovery code stood for it.

    Source:
        RFC 8176 section 2 (``otp``, ``mfa``).
    """
    at = session.second_factor_at
    return at is not None and at >= session.password_at and not session.recovered
