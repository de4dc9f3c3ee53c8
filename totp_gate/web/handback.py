"""A session that got a new id at another host than home, and home's cookie for it.

Proving something once more gives a session a new id, so that a copy of its cookie made
before is worth nothing. Where the session began at home, home's cookie would be such a
copy, and its owner would have to sign in again for every host. So the way onward leads
over home, with a code: it is good where the cookie of the session as it was is shown,
which is the browser where that began.
"""

from __future__ import annotations

from collections.abc import Iterable

from totp_gate.accounts.handoff import Arrived, HandOffs
from totp_gate.model import Session
from totp_gate.web.asking import Asks, is_visit, quiet
from totp_gate.web.desk import HAND_BACK, Desk
from totp_gate.web.pages import Answer
from totp_gate.web.request import PageRequest

_NO_WAY = "This page is part of signing in and cannot be opened directly."


class HandBack:
    """Leads on where a session has got a new id."""

    def __init__(self, desk: Desk, handoffs: HandOffs, asks: Asks) -> None:
        self._desk = desk
        self._handoffs = handoffs
        self._asks = asks

    def go_on(
        self,
        request: PageRequest,
        before: Session,
        token: str,
        place: str,
        more: Iterable[str] = (),
    ) -> Answer:
        """Return the way to *place*, and the cookie of the new session.

        Args:
            before: the session as it was.
            token: the cookie's value from now on.
            more: further Set-Cookie lines.
        """
        desk = self._desk
        cookies = [desk.bake(desk.names.session, token), *more]
        way = self._over_home(request, before, token, place)
        return quiet(desk.go(way, cookies)) if way else desk.go(place, cookies)

    def arrive(self, request: PageRequest) -> Answer:
        """Give home its new cookie, where it had the old one, and lead on."""
        desk = self._desk
        if request.origin.host != desk.home.host:
            return desk.trouble.answer(request.environ, 404, home_url="/")
        ask = self._asks.read(request.argument("ask") or "")
        if ask is None or not is_visit(request):
            desk.audit.event(request, "hand-off.taken", "failure", detail="no visit")
            return desk.trouble.answer(request.environ, 403, message=_NO_WAY)
        arrived = self._handoffs.take(
            request.argument("code") or "",
            there=request.origin,
            browser=self._handoffs.name_of(request.token or "", request.origin.host),
            now=request.now,
        )
        onward = ask.origin.text + ask.place
        if not isinstance(arrived, Arrived):
            desk.audit.event(
                request, "hand-off.taken", "failure", detail=arrived.reason
            )
            return quiet(desk.go(onward))
        live = arrived.live
        desk.audit.event(
            request,
            "hand-off.taken",
            "success",
            user=live.user.name,
            session=live.session.id,
            detail=request.origin.text,
        )
        return quiet(desk.go(onward, [desk.bake(desk.names.session, arrived.token)]))

    def _over_home(
        self, request: PageRequest, before: Session, token: str, place: str
    ) -> str | None:
        """Return the way over home; None: home has no cookie of this session."""
        desk, here = self._desk, request.origin
        if here.host == desk.home.host or before.host != desk.home.host:
            return None
        ask = self._asks.write(request, place) if place.startswith("/") else None
        if ask is None:
            return None
        code = self._handoffs.give(
            token,
            here=here,
            there=desk.home,
            browser=self._handoffs.name(before.id),
            now=request.now,
        )
        page = f"{desk.home.text}{desk.link(HAND_BACK)}"
        return f"{page}?code={code}&ask={ask}" if code else None
