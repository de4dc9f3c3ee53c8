"""No loops: who comes back to sign-in again and again is told why.

Two things go round. A browser that is signed in is sent on to its place, and that sends
it back here: the application itself asks for a sign-in, or the session does not arrive
there. And a browser that keeps no cookie never gets past the first form. The first is
counted in the login cookie, for one place, within ``WITHIN`` seconds, so that many tabs
that come back at once are no loop; the second shows with the first form it sends.
"""

from __future__ import annotations

from totp_gate.core.signing import Tokens, digest
from totp_gate.web.desk import Desk
from totp_gate.web.pages import Answer
from totp_gate.web.request import PageRequest

MOST = 4
WITHIN = 60
_OVER_HTTP = (
    "This page came over plain http, but its cookies are only for https. Open it with "
    "https://, or let the web server in front say X-Forwarded-Proto and list it in "
    "trusted_proxies."
)
_BLOCKED = "Your browser blocks cookies for this site. Allow them, or try another one."
_OTHER_HOST = (
    "The page you go to is on another host, or under another name of this one, and "
    "your sign-in counts only here."
)
_CLOCK = (
    "The clock of this server or of your device is wrong, so cookies expire at once."
)
_APPLICATION = (
    "The application itself sends you back to sign in, although you are signed in."
)


class Loops:
    """Counts bounces, and shows what is wrong."""

    def __init__(self, desk: Desk, tokens: Tokens) -> None:
        self._desk = desk
        self._tokens = tokens

    def send_on(self, request: PageRequest) -> Answer:
        """Send somebody who is signed in on to their place, but not for ever."""
        desk = self._desk
        place = desk.place(request) or "/"
        shown = request.cookie(desk.names.login)
        if shown is not None and desk.prelogin(request).state is not None:
            return desk.go(place)
        number, carry = self._count(shown, place, request.now)
        if number > MOST:
            return self.page(request, [_APPLICATION, _OTHER_HOST, _CLOCK])
        return desk.go(place, [desk.bake(desk.names.login, carry, max_age=WITHIN)])

    def lost_cookie(self, request: PageRequest, token: str, page: str) -> Answer | None:
        """Return what to say where a form just shown came back without its cookie."""
        desk = self._desk
        if desk.names.login in request.environ.get("HTTP_COOKIE", ""):
            return None
        age = desk.forms.age(token, page, now=request.now)
        if age is None or age > WITHIN:
            return None
        in_the_clear = desk.secure and request.scheme == "http"
        first = [_OVER_HTTP] if in_the_clear else []
        return self.page(request, [*first, _BLOCKED, _CLOCK])

    def page(self, request: PageRequest, causes: list[str]) -> Answer:
        """Return the page that says what is wrong."""
        desk = self._desk
        return desk.pages.render(
            "loop.html",
            status=403,
            headers=[("Set-Cookie", desk.expire(desk.names.login))],
            causes=causes,
            login_url=desk.link("/login", desk.place(request)),
        )

    def _count(self, shown: str | None, place: str, now: float) -> tuple[int, str]:
        claims = self._tokens.read("bounce", shown) if shown else None
        where = digest(place)[:16]
        number, begun = 1, int(now)
        if claims is not None and claims["p"] == where:
            known, since = int(str(claims["n"])), int(str(claims["t"]))
            if 0 <= now - since < WITHIN:
                number, begun = known + 1, since
        return number, self._tokens.write(
            "bounce", {"p": where, "n": number, "t": begun}
        )
