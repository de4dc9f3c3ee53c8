"""Forward-auth: a web server asks whether a request of its own may pass.

Strategy: the request that a web server describes becomes an environ of its own and
goes through the same understanding and judgement as any other; what the judgement would
give to an application becomes the headers of a 200. Each convention has an endpoint,
which reads nothing but what its web server surely sets:

========================  =========================================================
``/auth/nginx``           ``X-Original-URL``, ``X-Original-Method``; answers 200, 401
                          and 403 and nothing else, since ``auth_request`` knows no
                          other
``/auth/forward``         ``X-Forwarded-Method``, ``-Proto``, ``-Host``, ``-Uri``, as
                          Caddy and Traefik send them; answers as the gate itself would
``/auth/envoy/...``       ``ext_authz``: method, ``Host`` and what follows in the path;
                          ``X-Forwarded-Proto``
``/auth/answer``          as ``/auth/forward``, with the visitor's own method and body:
                          what to show to whom an endpoint turned away; never a 200
========================  =========================================================

The first two are asked with ``GET`` for a request of any method, or with its own method
and then with its body too, or if it has none: of a request that asks in the other way
nobody knows whether it has a body, so it is taken for no preflight. Envoy never tells.

All of them want ``X-Forwarded-For`` too. A description is believed from trusted proxies
only, whole or not at all, and one that mixes two conventions is refused: half of it
would be a visitor's own (CVE-2026-40575).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NoReturn

from totp_gate.core.headers import environ_key
from totp_gate.errors import BadRequest
from totp_gate.telemetry.audit import Audit
from totp_gate.web.admit import AUTHENTICATE
from totp_gate.web.arrival import NEVER, TOLD, Arrivals, Caller
from totp_gate.web.described import (
    Described,
    Unclear,
    as_envoy,
    as_forward,
    as_nginx,
    environ_of,
    forget_body,
)
from totp_gate.web.judgement import Asked
from totp_gate.web.pages import Answer
from totp_gate.web.request import PageRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

NGINX = "/auth/nginx"
FORWARD = "/auth/forward"
ENVOY = "/auth/envoy"
ANSWER = "/auth/answer"

_SOCKETS = ("HTTP_SEC_WEBSOCKET_KEY", "HTTP_SEC_WEBSOCKET_VERSION")

CACHE_SECONDS = 5
"""How long nginx may repeat an answer; so much later the end of a session is felt."""

ECHO = "HTTP_SEC_GATE_ECHO"
"""Asks for ``Cookie`` and ``Authorization`` as the application may see them.

No script can send a header that begins with ``Sec-`` (Fetch standard, forbidden request
headers), so none can read an HttpOnly cookie from the answer.
"""


class Forward:
    """The endpoints' part of a request: what comes before and after the judgement.

    Args:
        prefix: where the gate's own pages live.
        identity: names of the identity headers.
    """

    def __init__(
        self,
        *,
        arrivals: Arrivals,
        prefix: str,
        identity: Iterable[str],
        audit: Audit,
    ) -> None:
        self._arrivals = arrivals
        self._prefix = prefix
        self._identity = [(name, environ_key(name)) for name in identity]
        self._audit = audit

    def is_asked(self, path: str) -> bool:
        """Tell whether *path* (canonical) is one of the endpoints."""
        page = path.removeprefix(self._prefix)
        if page == path:
            return False
        return page in {NGINX, FORWARD, ANSWER} or page.startswith(ENVOY + "/")

    def knows_three_answers(self, environ: WSGIEnvironment) -> bool:
        """Tell whether who asks takes every status but 200, 401 and 403 for trouble."""
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        return bool(path == self._prefix + NGINX)

    def read(self, request: PageRequest, caller: Caller, raw: str) -> Asked:
        """Return the request that the web server *caller* describes.

        Args:
            request: what the web server asks. raw: its path, as received.

        Raises:
            BadRequest: nobody may be told (403), or no two servers need agree on what
                is meant.
        """
        environ = request.environ
        if not caller.trusted:
            detail = "list the web server's address in gate.trusted_proxies"
            self._audit.event(request, "forward.untrusted", "failure", detail=detail)
            raise BadRequest("only trusted proxies may ask this", status=403)
        try:
            described = self._described(request, raw, environ.get(TOLD, {}))
        except Unclear as error:
            self._unclear(request, str(error))
        inner = environ_of(environ, described)
        if request.path != ANSWER:
            alike = request.method == described.method
            forget_body(inner, asked_alike=alike and request.path in {NGINX, FORWARD})
        inner_caller = self._arrivals.caller(inner)
        origin = inner_caller.origin
        if origin is None:
            raise BadRequest("the gate does not answer for that name", status=403)
        if inner_caller.scheme != origin.scheme:
            self._unclear(request, f"{described.scheme} is asked, not {origin.text}")
        place, query = self._arrivals.place(inner)
        if place.own:
            self._unclear(request, "the gate's own pages have to be sent to the gate")
        if any(key in environ for key in _SOCKETS):
            inner["HTTP_UPGRADE"] = "websocket"
        return Asked(
            inner, described.method, inner_caller, origin, place, query, request.now
        )

    def permit(self, page: str, asked: Asked, *, until: float) -> WSGIApplication:
        """Return a 200 that tells the web server what to give to the application.

        Every identity header is there, empty where there is nothing to say: a web
        server that copies only what is there would let a visitor's own pass
        (GHSA-7r4p-vjf4-gxv4).

        Args:
            page: the endpoint.
            asked: the request, dressed for the application.
            until: Unix seconds until which the answer holds.
        """
        environ = asked.environ
        headers = [("Cache-Control", "no-store"), ("Content-Length", "0")]
        if page == NGINX:
            if asked.live is not None:
                until = min(until, asked.live.until)
            left = max(0, int(min(CACHE_SECONDS, until - asked.now)))
            # First, since nginx before 1.23 believes the first of the two.
            headers.insert(0, ("X-Accel-Expires", str(left)))
        headers += [(name, environ.get(key) or "") for name, key in self._identity]
        if ECHO in environ:
            headers.append(("Cookie", environ.get("HTTP_COOKIE") or ""))
            headers.append(("Authorization", environ.get("HTTP_AUTHORIZATION") or ""))

        def answer(
            _: WSGIEnvironment, start_response: StartResponse
        ) -> Iterable[bytes]:
            start_response("200 OK", headers)
            return []

        return answer

    def refuse(
        self, page: str, asked: Asked, answer: WSGIApplication
    ) -> WSGIApplication:
        """Return the gate's own *answer* so that the web server can use it.

        Its redirect becomes absolute, since Traefik takes a relative one for its own;
        for nginx it becomes a 401 with ``Gate-Login-URL``.
        """
        if not isinstance(answer, Answer):
            return answer
        location = answer.headers.get("Location", "")
        if location.startswith("/"):
            location = asked.origin.text + location
            answer.headers["Location"] = location
        if page != NGINX:
            return answer
        if answer.status_code == 303:
            return _as_401(answer, location)
        if answer.status_code != 401:
            answer.status_code = 403
        return answer

    def _described(
        self, request: PageRequest, raw: str, told: Mapping[str, str]
    ) -> Described:
        if request.path == NGINX:
            described = as_nginx(told, self._arrivals.origins)
        elif request.path in {FORWARD, ANSWER}:
            described = as_forward(told)
        else:
            start = self._prefix + ENVOY
            if not raw.startswith(start):
                raise Unclear("the endpoint is spelled in another way")
            query = f"?{request.query}" if request.query else ""
            target = raw.removeprefix(start) + query
            host = request.environ.get("HTTP_HOST", "")
            described = as_envoy(told, request.method, host, target)
        if described.method in NEVER:
            raise Unclear("the method is none that may pass")
        return described

    def _unclear(self, request: PageRequest, detail: str) -> NoReturn:
        self._audit.event(request, "forward.unclear", "failure", detail=detail)
        raise BadRequest(detail, status=403)


def _as_401(answer: Answer, location: str) -> Answer:
    """Return the redirect *answer* as a 401 that names its target."""
    del answer.headers["Location"]
    answer.status_code = 401
    answer.headers["Gate-Login-URL"] = location
    answer.headers.setdefault("WWW-Authenticate", AUTHENTICATE)
    answer.content_type = "application/json"
    told = {"error": "login_required", "login_url": location}
    answer.set_data(json.dumps(told) + "\n")
    return answer
