"""What somebody made up: a cookie, an app token, or a header that says who asks.

Such a request is treated as if it had brought nothing; only the audit says that it did,
and never what.

What only a web server may say can be made up, too. If it comes from this machine or a
private network, it may as well be a web server that the settings forgot, so the audit
says that once an hour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from totp_gate.core import cookies, headers
from totp_gate.core.throttle import address_key
from totp_gate.telemetry.audit import Audit, Occasion
from totp_gate.telemetry.naming import request_id
from totp_gate.telemetry.seldom import Seldom
from totp_gate.web.arrival import Caller
from totp_gate.web.request import CookieNames

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

UNLISTED_AGAIN = 3600.0
"""Seconds: settings that forgot somebody do not change by themselves."""

_PRIVATE = headers.Networks(
    (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"),
        *("169.254.0.0/16", "fc00::/7", "fe80::/10"),
    )
)
"""RFC 1918, 6598, 3927, 4193 and 4291: from where no stranger of the internet comes."""


class Forgeries:
    """Tells the audit what was made up.

    Args:
        names: of the cookies.
        is_session, is_browser: whether the gate has signed this value, for whoever is
            asked, as the cookie of a session, of a known browser.
        clock: Unix seconds.
    """

    def __init__(
        self,
        audit: Audit,
        *,
        names: CookieNames,
        is_session: Callable[[str, Caller], bool],
        is_browser: Callable[[str], bool],
        clock: Callable[[], float],
    ) -> None:
        self._audit = audit
        self._names = names
        self._is_session = is_session
        self._is_browser = is_browser
        self._clock = clock
        self._unlisted = Seldom(every=UNLISTED_AGAIN)

    def look_at_cookies(self, environ: WSGIEnvironment, caller: Caller) -> None:
        """Say so if nobody is known by them because a signature is wrong."""
        header = environ.get("HTTP_COOKIE")
        if header is None:
            return
        session = cookies.find(header, self._names.session)
        if session is not None and not self._is_session(session, caller):
            occasion = self._occasion(environ, caller)
            self._audit.event(occasion, "session.forged", "failure")
        browser = cookies.find(header, self._names.device)
        if browser is not None and not self._is_browser(browser):
            occasion = self._occasion(environ, caller)
            self._audit.event(occasion, "browser.forged", "failure")

    def tell_token(self, environ: WSGIEnvironment, caller: Caller) -> None:
        """Say that an app token was shown which stands for nobody."""
        occasion = self._occasion(environ, caller)
        self._audit.event(occasion, "token.refused", "failure")

    def tell_headers(
        self, environ: WSGIEnvironment, caller: Caller, keys: Iterable[str]
    ) -> None:
        """Say which identity headers were taken out.

        Args:
            keys: of environ; their values are told to nobody.
        """
        self._audit.event(
            self._occasion(environ, caller),
            "identity.forged",
            "failure",
            detail=", ".join(sorted(map(_name, keys))),
        )

    def tell_unlisted(
        self, environ: WSGIEnvironment, peer: str, keys: Iterable[str]
    ) -> None:
        """Say that *peer*, who is no trusted proxy, sent what only a proxy may.

        Args:
            peer: of the socket. keys: of environ; their values are told to nobody.
        """
        now = self._clock()
        if _may_be_ours(peer) and self._unlisted.stands_for(address_key(peer), now=now):
            names = ", ".join(sorted(map(_name, keys)))
            remedy = "if that is your web server, list it in gate.trusted_proxies"
            self._audit.event(
                Occasion(now=now, address=peer, request_id=request_id(environ)),
                "proxy.unlisted",
                "failure",
                detail=f"{names} from {peer}: {remedy}",
            )

    def _occasion(self, environ: WSGIEnvironment, caller: Caller) -> Occasion:
        return Occasion(
            now=self._clock(), address=caller.address, request_id=request_id(environ)
        )


def _may_be_ours(peer: str) -> bool:
    """Tell whether *peer* is on this machine or in a network of its owner."""
    return headers.is_local(peer) or _PRIVATE.contains(peer)


def _name(key: str) -> str:
    return key.removeprefix("HTTP_").replace("_", "-").title()
