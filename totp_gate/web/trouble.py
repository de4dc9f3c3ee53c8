"""What the gate says when something fails: a page for people, JSON for programs.

The words never tell what is inside. Whoever asks an administrator quotes the id that is
also in the log.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from totp_gate.core import headers
from totp_gate.telemetry.naming import request_id
from totp_gate.web.pages import Answer, Pages

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_log = logging.getLogger("totp_gate")

UNKNOWN_HOST = (
    "This server does not answer for that name. If it should, the name has to be added "
    "to origin in the settings."
)
ONLY_ASKED = (
    "This gate answers the questions of a web server and shows its own pages. There is "
    "no application here."
)
NOT_BY_US = (
    "The web server in front of the gate does not let this through. If you have just "
    "signed in, open the page again."
)
_CLOSED = "This page was asked for over plain http, so it stays closed."
IN_THE_CLEAR = {
    "": f"{_CLOSED} If a web server in front of the gate does the https, it has to be "
    "listed in trusted_proxies and send X-Forwarded-Proto.",
    "unlisted": f"{_CLOSED} If a web server in front of the gate does the https: it is "
    "not listed in trusted_proxies, so nothing that it says is believed.",
    "unsaid": f"{_CLOSED} If the web server in front of the gate does the https: it "
    "does not say X-Forwarded-Proto, so the gate cannot know.",
}
"""What is said of an https page in the clear, by ``Caller.doubt``."""
_WORDS = {
    400: ("The request could not be understood", "If you typed the address, check it."),
    403: ("Not allowed", "You may not open this page."),
    404: ("Nothing here", "There is no page at this address."),
    405: ("This does not work here", "This page cannot be used in that way."),
    408: ("That took too long", "What was sent did not arrive in time. Try again."),
    413: ("Too much at once", "What was sent is larger than this page accepts."),
    414: ("The address is too long", "Shorten it and try again."),
    415: ("Not a form", "This page only understands a plain web form."),
    429: (
        "Please wait a little",
        "There were too many attempts. Wait, then try again.",
    ),
    500: ("Something broke", "The error was logged. Please try again."),
    501: ("Not possible here", "This server cannot do what was asked."),
    502: ("The application does not answer", "Please try again in a moment."),
    503: ("Closed for the moment", "The gate cannot check who you are just now."),
    504: ("The application takes too long", "Please try again in a moment."),
    508: ("Going in circles", "This request has been here before."),
}
_BUSY = "Many people are signing in just now. Please try again."
_CODES = {
    400: "bad_request",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "content_too_large",
    414: "uri_too_long",
    415: "unsupported_media_type",
    429: "too_many_requests",
    500: "internal_error",
    501: "not_implemented",
    502: "bad_gateway",
    503: "unavailable",
    504: "gateway_timeout",
    508: "loop_detected",
}


class Trouble:
    """Renders error answers."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._busy: dict[int, bytes] = {}

    def answer(
        self,
        environ: WSGIEnvironment,
        status: int,
        *,
        title: str = "",
        message: str = "",
        retry_after: int | None = None,
        allow: str = "",
        login_url: str | None = None,
        home_url: str | None = None,
    ) -> Answer:
        """Return the answer for *status*.

        Args:
            title, message: instead of the usual words.
            retry_after: seconds.
            allow: methods that would be right (405).
            login_url, home_url: where a button leads.
        """
        usual = _WORDS.get(status, _WORDS[500])
        extra = []
        if retry_after is not None:
            extra.append(("Retry-After", str(retry_after)))
        if allow:
            extra.append(("Allow", allow))
        said = message or usual[1]
        if not headers.is_navigation(environ):
            return self._as_json(environ, status, said, extra)
        try:
            return self._pages.render(
                "error.html",
                status=status,
                headers=extra,
                title=title or usual[0],
                message=said,
                request_id=request_id(environ),
                retry_after=retry_after,
                login_url=login_url,
                home_url=home_url,
            )
        except Exception:  # noqa: BLE001 - a theme's template, and nobody above would answer
            _log.exception("request %s got no page", request_id(environ))
            return self._in_words(environ, status, title or usual[0], said, extra)

    def busy(self, environ: WSGIEnvironment, *, retry_after: int) -> Answer:
        """Return the answer to one sign-in too many.

        Its page is rendered once, since it is given when there is no time, and so it
        quotes no request.

        Args:
            retry_after: seconds; one of a few values.
        """
        extra = [("Retry-After", str(retry_after))]
        if not headers.is_navigation(environ):
            return self._as_json(environ, 503, _BUSY, extra)
        page = self._busy.get(retry_after)
        if page is None:
            page = self._busy[retry_after] = self._pages.render(
                "error.html",
                title=_WORDS[503][0],
                message=_BUSY,
                status=503,
                request_id=None,
                retry_after=retry_after,
                login_url=None,
                home_url=None,
            ).get_data()
        return self._pages.finish(Answer(page, status=503), extra)

    def _in_words(
        self,
        environ: WSGIEnvironment,
        status: int,
        title: str,
        said: str,
        extra: list[tuple[str, str]],
    ) -> Answer:
        """Return what needs no template."""
        text = f"{title}\n\n{said}\n\n{request_id(environ)}\n"
        answer = Answer(text, status=status, content_type="text/plain; charset=utf-8")
        return self._pages.finish(answer, extra)

    def _as_json(
        self,
        environ: WSGIEnvironment,
        status: int,
        message: str,
        extra: list[tuple[str, str]],
    ) -> Answer:
        body = {
            "error": _CODES.get(status, "internal_error"),
            "message": message,
            "request_id": request_id(environ),
        }
        answer = Answer(
            json.dumps(body) + "\n", status=status, content_type="application/json"
        )
        return self._pages.finish(answer, extra)
