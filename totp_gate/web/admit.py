"""How somebody who may not pass yet is told so.

A person is sent to the sign-in page and comes back to where they were going; a program
gets a 401 that says where to sign in, and never a redirect that it would follow to a
page it cannot use.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from totp_gate.core import headers
from totp_gate.core.urls import Origin, safe_next
from totp_gate.model import Challenge
from totp_gate.web.pages import Answer, Pages

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

AUTHENTICATE = 'Cookie realm="totp_gate"'
_INSUFFICIENT = (
    ', error="insufficient_user_authentication"'
    ', error_description="A fresh code is needed"'
)
_BASIC = 'Basic realm="totp_gate", charset="UTF-8"'
_OF_A_BROWSER = ("HTTP_SEC_FETCH_MODE", "HTTP_ORIGIN", "HTTP_X_REQUESTED_WITH")
_NOT_A_PLACE = ("/favicon.ico", "/robots.txt", "/apple-touch-icon", "/sw.js")
_NO_PAGES = (".js", ".mjs", ".css", ".map", ".ico", ".png", ".svg", ".woff2", ".json")


class Admission:
    """Makes the answers to a challenge.

    Args:
        prefix: where the gate's own pages live.
        home: the origin that the others ask who somebody is (``web.handoff``).
    """

    def __init__(self, pages: Pages, *, prefix: str, home: Origin) -> None:
        self._pages = pages
        self._prefix = prefix
        self._home = home

    def challenge(
        self,
        environ: WSGIEnvironment,
        *,
        raw: str,
        query: str,
        origin: Origin,
        owed: Challenge | None = None,
    ) -> Answer:
        """Return the answer to a request for which more has to be proven.

        Args:
            raw: path as received. query: as received.
            origin: which of the gate's origins was asked.
            owed: what somebody who is signed in has to prove; None: nobody is.

        Source:
            RFC 9110 section 15.4.4 (303) and 15.5.2 (401 with WWW-Authenticate);
            RFC 9470 section 3 (what is insufficient, and which age would do).
        """
        page = "/login" if owed is None else "/second-factor"
        if headers.is_navigation(environ):
            place = self._place(environ, raw, query, origin)
            return self._to(page, place, also_start=origin.host != self._home.host)
        url = origin.text + login_url(self._prefix, None, page)
        said: dict[str, object] = {"error": "login_required", "login_url": url}
        authenticate = AUTHENTICATE
        if owed is not None:
            said["error"] = "step_up_required"
            authenticate += _INSUFFICIENT
            if owed.max_age is not None:
                said["max_age"] = owed.max_age
                authenticate += f', max_age="{owed.max_age}"'
        answer = Answer(
            json.dumps(said) + "\n", status=401, content_type="application/json"
        )
        added = [("Gate-Login-URL", url), ("WWW-Authenticate", authenticate)]
        if owed is None and _is_no_browser(environ):
            added.append(("WWW-Authenticate", _BASIC))
        return self._pages.finish(answer, added)

    def nothing(self) -> Answer:
        """Return the answer to ``OPTIONS *``: the gate is there, and says no more."""
        return self._pages.finish(Answer(status=204))

    def to_https(self, origin: Origin, *, raw: str, query: str) -> Answer:
        """Return the redirect of a page of ours from plain http to https."""
        answer = Answer(status=308)
        answer.headers["Location"] = origin.text + (f"{raw}?{query}" if query else raw)
        return self._pages.finish(answer)

    def _to(self, page: str, place: str | None, *, also_start: bool) -> Answer:
        answer = Answer(status=303)
        url = login_url(self._prefix, place, page, also_start=also_start)
        answer.headers["Location"] = url
        return self._pages.finish(answer)

    def _place(
        self, environ: WSGIEnvironment, raw: str, query: str, origin: Origin
    ) -> str | None:
        """Return where to come back to: only what a person could have been reading."""
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return None
        said = environ.get("HTTP_SEC_FETCH_DEST")
        if said is None and raw.lower().endswith(_NO_PAGES):
            return None
        if said not in {None, "document"} or raw.startswith(_NOT_A_PLACE):
            return None
        wanted = f"{raw}?{query}" if query else raw
        return safe_next(wanted, origins=[origin.text], prefix=self._prefix)


def _is_no_browser(environ: WSGIEnvironment) -> bool:
    """Tell whether to say that Basic would do, with an app token for the password.

    git and curl send what they have only if asked; a browser would ask its user for it.
    """
    if any(key in environ for key in _OF_A_BROWSER):
        return False
    agent = environ.get("HTTP_USER_AGENT", "")
    return bool(agent) and not agent.startswith("Mozilla/")


def login_url(
    prefix: str, place: str | None, page: str = "/login", *, also_start: bool = False
) -> str:
    """Return the URL of *page* that leads on to *place* (checked by ``safe_next``).

    Args:
        also_start: name the place also where it is ``/``, to which all pages lead.
    """
    if place is None or (place == "/" and not also_start):
        return prefix + page
    return f"{prefix}{page}?next={quote(place, safe='/')}"
