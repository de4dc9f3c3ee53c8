"""Who asks, and whether the policy lets them: one judgement for every way to run.

The middleware asks about the request it holds, forward-auth about the request that a
web server describes; both come here. What was found is remembered, within bounds: the
Cookie header of a live session, and what the policy permitted to it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from totp_gate.accounts import tokens
from totp_gate.accounts.live import Live, LiveSessions
from totp_gate.core import cookies
from totp_gate.core.headers import has_body
from totp_gate.core.policy import Policy
from totp_gate.core.urls import Origin, understand
from totp_gate.errors import BadRequest
from totp_gate.model import (
    AccessRequest,
    AppToken,
    Challenge,
    Decision,
    Level,
    Permit,
    Refuse,
    Subject,
)
from totp_gate.web import overrides
from totp_gate.web.arrival import OWN_TOKEN, Caller, Place, is_foreign_upgrade
from totp_gate.web.forgeries import Forgeries
from totp_gate.web.request import CookieNames

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MAX_KNOWN = 8192
LONGEST_KNOWN = 4096
MAX_PERMITS = 128
LONGEST_PERMIT = 1024
DESTINATION = "HTTP_DESTINATION"
"""Environ key of the header by which WebDAV names where to copy or to move."""

_NOBODY = Subject()
_FOREIGN = Refuse("", "an upgrade from another origin")


@dataclass(slots=True)
class Asked:
    """One request that is judged.

    Attributes:
        environ: the request the server holds; its headers say who asks.
        method: what is asked for; with forward-auth not the environ's.
        live: who asks, or None.
    """

    environ: WSGIEnvironment
    method: str
    caller: Caller
    origin: Origin
    place: Place
    query: str
    now: float
    live: Live | None = None

    @property
    def subject(self) -> Subject:
        """Who asks, for the policy."""
        return _NOBODY if self.live is None else self.live.subject


class Judgement:
    """Finds out who asks and asks the policy."""

    def __init__(
        self,
        live: LiveSessions,
        policy: Policy,
        names: CookieNames,
        forgeries: Forgeries,
    ) -> None:
        self.live = live
        self.forgeries = forgeries
        self.policy = policy
        self._by_method = any(rule.methods for rule in policy.rules)
        self._session_cookie = names.session
        self._cookie_names = names.all()
        self._known: dict[str, tuple[Live, str | None]] = {}

    def identify(
        self, header: str | None, host: str, now: float
    ) -> tuple[Live | None, str | None]:
        """Return the live session, and the Cookie header that the application gets.

        Args:
            host: of the origin that was asked; a cookie of another one is nobody's.

        ``LiveSessions.catch_up`` must have been called for this request.

        Raises:
            StoreUnavailable: the store was needed and did not answer.
        """
        if header is None:
            return None, None
        known = self._known.get(header)
        if known is not None:
            live = known[0]
            if (
                live.host == host
                and live.alive
                and live.since <= now < live.until
                and (now < live.write_at or self.live.touch(live, now))
            ):
                return known
            self._known.pop(header, None)
        rest = cookies.without(header, self._cookie_names)
        token = cookies.find(header, self._session_cookie)
        if token is None:
            return None, rest
        found = self.live.find(token, host=host, now=now)
        if found is not None and len(header) <= LONGEST_KNOWN:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[header] = (found, rest)
        return found, rest

    def identify_program(
        self, environ: WSGIEnvironment, caller: Caller, now: float
    ) -> Live | None:
        """Take an app token out of the headers; return who it stands for, or None.

        What is in ``Authorization`` and no token of ours is the application's, and
        stays.

        Raises:
            StoreUnavailable: the store was needed and did not answer.
        """
        own = environ.pop(OWN_TOKEN, None)
        text, used_up = tokens.shown(own, environ.get("HTTP_AUTHORIZATION"))
        if used_up:
            del environ["HTTP_AUTHORIZATION"]
        program = None if text is None else self.live.find_token(text, now=now)
        if program is None and (own or used_up):
            self.forgeries.tell_token(environ, caller)
        return program

    def weigh(  # noqa: PLR0917 - by keyword it would take longer, at every request
        self,
        environ: WSGIEnvironment,
        method: str,
        caller: Caller,
        origin: Origin,
        place: Place,
        query: str,
        now: float,
    ) -> tuple[Live | None, str | None, Challenge | Refuse | None, float]:
        """Find out who asks, and whether they may.

        Returns:
            Who asks; the Cookie header that the application gets; what stands against
            it, None where nothing does; until when that holds for the same session.

        Raises:
            BadRequest: no two servers need agree on what is meant.
            StoreUnavailable: nobody can tell who asks.
        """
        self.live.catch_up(now)
        live, rest = self.identify(environ.get("HTTP_COOKIE"), origin.host, now)
        if OWN_TOKEN in environ or "HTTP_AUTHORIZATION" in environ:
            program = self.identify_program(environ, caller, now)
            live = live or program
        if is_foreign_upgrade(environ, origin):
            return live, rest, _FOREIGN, now
        if (
            live is not None
            and DESTINATION not in environ
            and not (self._by_method and overrides.methods(environ))
        ):
            key = self.permit_key(method, caller, place, query)
            until = live.permits.get(key, 0.0)
            if until > now:
                return live, rest, None, until
        if live is None:
            self.forgeries.look_at_cookies(environ, caller)
        asked = Asked(environ, method, caller, origin, place, query, now, live)
        decision = self.decide(asked)
        if isinstance(decision, Permit):
            return asked.live, rest, None, decision.until
        return live, rest, decision, now

    def permit_key(
        self, method: str, caller: Caller, place: Place, query: str
    ) -> tuple[str | None, ...]:
        """Return what an answer of the policy for one session depends on."""
        if self.policy.reads_more:
            return (method, place.target.raw, caller.host, query, caller.address)
        return (method, place.target.raw, caller.host)

    def decide(self, asked: Asked) -> Decision:
        """Return what is decided of a request, and of where it copies or moves to.

        Raises:
            BadRequest: no two servers need agree on what is meant, or the second
                address is none of the origin that was asked.

        Source:
            RFC 4918 section 10.3.
        """
        here = self._decide_place(asked)
        if DESTINATION not in asked.environ or not isinstance(here, Permit):
            return here
        authority = asked.origin.text.partition("://")[2]
        target, query = understand(asked.environ[DESTINATION], host=authority)
        second = replace(asked, place=Place(target, own=False), query=query)
        there = self._decide_place(second)
        if not isinstance(there, Permit):
            return there
        return replace(here, until=min(here.until, there.until))

    def _decide_place(self, asked: Asked) -> Decision:
        """Return what the policy says, within the scope of an app token; remember it.

        Where everybody may, a session of the password alone stands for nobody
        (``asked.live`` becomes None): the application knows its user by a password
        only where a rule says so.

        Raises:
            BadRequest: no two servers need agree on which rule is meant.
        """
        request = _access_request(asked)
        decision = self.policy.decide(asked.subject, request, now=asked.now)
        for method in overrides.methods(asked.environ) if self._by_method else ():
            meant = replace(request, method=method, preflight=False)
            other = self.policy.decide(asked.subject, meant, now=asked.now)
            if other.rule != decision.rule:
                raise BadRequest("a header asks for a method that another rule decides")
        live = asked.live
        if live is None:
            return decision
        if live.scope is not None:
            return _within_scope(live.scope, asked, decision)
        if not isinstance(decision, Permit):
            return decision
        if live.session.level is Level.PASSWORD:
            for_all = self.policy.decide(_NOBODY, request, now=asked.now)
            if isinstance(for_all, Permit):
                asked.live = None
                return for_all
        if len(asked.place.target.raw) + len(asked.query) <= LONGEST_PERMIT:
            if len(live.permits) >= MAX_PERMITS:
                live.permits.clear()
            key = self.permit_key(asked.method, asked.caller, asked.place, asked.query)
            live.permits[key] = decision.until
        return decision


def _is_preflight(method: str, environ: WSGIEnvironment) -> bool:
    """Tell whether a browser asks what it may send, and nothing else: without a body.

    What overrides the method is not asked for so: who reads it would run that method.

    Source:
        Fetch (WHATWG), CORS-preflight fetch.
    """
    return (
        method == "OPTIONS"
        and "HTTP_ORIGIN" in environ
        and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
        and "HTTP_UPGRADE" not in environ
        and not has_body(environ)
        and not any(key in environ for key in overrides.KEYS)
    )


def _access_request(asked: Asked) -> AccessRequest:
    return AccessRequest(
        host=asked.origin.host,
        method=asked.method,
        path=asked.place.target.path,
        readings=asked.place.target.readings,
        query=asked.query,
        address=asked.caller.address,
        preflight=_is_preflight(asked.method, asked.environ),
    )


def _within_scope(token: AppToken, asked: Asked, decision: Decision) -> Decision:
    """Return *decision*, or why *token* is no answer to it: no program types codes."""
    if isinstance(decision, Challenge):
        return Refuse(decision.rule, "an app token stands for no fresh code")
    others = overrides.methods(asked.environ) if token.methods else ()
    covered = all(
        tokens.covers(
            token,
            method=method,
            readings=asked.place.target.readings,
            address=asked.caller.address,
        )
        for method in (asked.method, *others)
    )
    if isinstance(decision, Permit) and not covered:
        return Refuse("app token", f"outside the scope of {token.id}")
    return decision
