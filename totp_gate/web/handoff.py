"""Several hosts, one sign-in: the first origin of the settings is *home*.

A visitor of another host who is not signed in there is sent home to ask, with a signed
note that says for which host and for which place. Home has their session or asks them
to sign in, and sends them back with a code for one use (``accounts.handoff``), which
the host exchanges for a cookie of its own.

A place is asked for once a minute (the login cookie of the host remembers it). So there
is no loop, and whoever cannot reach home loads the page again and signs in right here.
Only a visit asks or answers: no script, frame or prefetch does.

Source:
    RFC 6749 section 4.1 and RFC 9700 section 4.5 (a code, bound to who asked for it);
    the login cookie is what ``state`` is there (login CSRF, RFC 6749 section 10.12).
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from totp_gate.accounts.handoff import HandOffs, Lost
from totp_gate.accounts.live import Live
from totp_gate.accounts.signin import STATE_LIFE
from totp_gate.core.signing import digest
from totp_gate.core.urls import Origin
from totp_gate.web.asking import Asks, is_visit, quiet
from totp_gate.web.desk import ARRIVE, HAND_BACK, HAND_OFF, Desk
from totp_gate.web.entrance import Entrance
from totp_gate.web.onward import Onward
from totp_gate.web.pages import Answer
from totp_gate.web.prelogin import PreLogin
from totp_gate.web.request import PageRequest
from totp_gate.web.signin import SignInPages

Page = Callable[[PageRequest], Answer]

_NOT_ARRIVED = (
    "Your sign-in could not be carried over from {home}: it took too long, was used "
    "before, or began in another browser. Open the page again, or sign in here."
)
_NO_VISIT = "This page is part of signing in and cannot be opened directly."
_NO_ASK = "This link was not made by this gate. Open the page again."


class HandOffPages:
    """The sign-in page of every host, and what carries a session between them."""

    def __init__(
        self,
        desk: Desk,
        handoffs: HandOffs,
        asks: Asks,
        *,
        entrance: Entrance,
        signin: SignInPages,
        onward: Onward,
    ) -> None:
        self._desk = desk
        self._handoffs = handoffs
        self._asks = asks
        self._signin = signin
        self._entrance = entrance
        self._onward = onward

    def show_login(self, request: PageRequest) -> Answer:
        """Return the form for name and password, or the way home to ask there."""
        prelogin = self._desk.prelogin(request)
        place = self._place_to_ask_for(request, prelogin)
        if place is not None:
            ask = self._asks.write(request, place, browser=_name_of(prelogin))
            if ask is not None:
                return self._to_home(request, prelogin, place, ask)
        return self._signin.show_login(request)

    def shows(self) -> dict[str, Page]:
        """Return the pages between the hosts, by their address."""
        return {
            HAND_OFF: self.give,
            ARRIVE: self.arrive,
            HAND_BACK: self._entrance.handback.arrive,
        }

    def give(self, request: PageRequest) -> Answer:
        """Send somebody who is signed in at home back to the host that asked."""
        desk = self._desk
        if request.origin.host != desk.home.host:
            return desk.trouble.answer(request.environ, 404, home_url="/")
        text = request.argument("ask") or ""
        ask = self._asks.read(text)
        if ask is None or not is_visit(request):
            return self._refuse(
                request, "hand-off.given", _NO_ASK if ask is None else _NO_VISIT
            )
        place = quote(ask.place, safe="/")
        back = f"{ask.origin.text}{desk.link('/login')}?next={place}"
        if not ask.is_recent(request.now):
            return quiet(desk.go(back))
        if request.live is None or request.token is None:
            page = "/login" if request.partial is None else "/second-factor"
            return quiet(desk.go(desk.link(page, f"{desk.link(HAND_OFF)}?ask={text}")))
        code = self._handoffs.give(
            request.token,
            here=request.origin,
            there=ask.origin,
            browser=ask.browser,
            now=request.now,
        )
        if code is None:
            return quiet(desk.go(back))
        self._note(request, "hand-off.given", request.live, ask.origin)
        page = f"{desk.link(ARRIVE)}?code={code}&next={place}"
        return quiet(desk.go(ask.origin.text + page))

    def arrive(self, request: PageRequest) -> Answer:
        """Exchange the code for a cookie of this host, and lead on."""
        desk = self._desk
        if not is_visit(request):
            return self._refuse(request, "hand-off.taken", _NO_VISIT)
        arrived = self._handoffs.take(
            request.argument("code") or "",
            there=request.origin,
            browser=_name_of(desk.prelogin(request)),
            now=request.now,
        )
        if request.live is not None:  # another tab was here first
            return quiet(desk.go(self._entrance.onward(request, request.live.user)))
        if isinstance(arrived, Lost):
            desk.audit.event(
                request, "hand-off.taken", "failure", detail=arrived.reason
            )
            notice = _NOT_ARRIVED.format(home=desk.home.host)
            return quiet(self._signin.show_login(request, status=403, notice=notice))
        onward = self._entrance.onward(request, arrived.live.user)
        cookies = self._entrance.let_in(request, arrived)
        self._note(request, "hand-off.taken", arrived.live, request.origin)
        return quiet(desk.go(onward, cookies))

    def _place_to_ask_for(self, request: PageRequest, prelogin: PreLogin) -> str | None:
        """Return the place for which home is worth asking now, or None.

        Whoever is half-way through a sign-in here goes on here, and so does whoever
        needs a password and no more.
        """
        desk = self._desk
        place = desk.place(request)
        if place is None or not place.startswith("/"):
            return None
        if request.origin.host == desk.home.host or not is_visit(request):
            return None
        if request.live or request.partial or _is_half_way(prelogin, request.now):
            return None
        asked = prelogin.has_asked(place, now=request.now)
        return None if asked or self._onward.asks_password(request, place) else place

    def _to_home(
        self, request: PageRequest, prelogin: PreLogin, place: str, ask: str
    ) -> Answer:
        desk = self._desk
        carry = desk.login_cookie.asking(prelogin, place, now=request.now)
        page = f"{desk.home.text}{desk.link(HAND_OFF)}?ask={ask}"
        return quiet(desk.go(page, [desk.bake(desk.names.login, carry)]))

    def _refuse(self, request: PageRequest, event: str, message: str) -> Answer:
        desk = self._desk
        desk.audit.event(request, event, "failure", detail=message)
        return desk.trouble.answer(request.environ, 403, message=message, home_url="/")

    def _note(
        self, request: PageRequest, event: str, live: Live, there: Origin
    ) -> None:
        self._desk.audit.event(
            request,
            event,
            "success",
            user=live.user.name,
            session=live.session.id,
            detail=there.text,
        )


def _is_half_way(prelogin: PreLogin, now: float) -> bool:
    """Tell whether a password was proven here and the code may still follow."""
    return prelogin.state is not None and now - prelogin.state.at < STATE_LIFE


def _name_of(prelogin: PreLogin) -> str:
    """Return what names the browser at the host that asks, and opens nothing there."""
    return digest(prelogin.binding)[:32]
