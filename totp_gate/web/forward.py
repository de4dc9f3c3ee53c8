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

All of them want ``X-Forwarded-For`` too. A description is believed from trusted proxies
only, whole or not at all, and one that mixes two conventions is refused: half of it
would be a visitor's own (CVE-2026-40575).
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import unquote_to_bytes

from totp_gate.errors import BadRequest
from totp_gate.telemetry.audit import Audit
from totp_gate.web.admit import AUTHENTICATE
from totp_gate.web.arrival import NEVER, TOLD, Arrivals, Caller, check_upgrade
from totp_gate.web.judgement import Asked
from totp_gate.web.pages import Answer
from totp_gate.web.request import PageRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

NGINX = "/auth/nginx"
FORWARD = "/auth/forward"
ENVOY = "/auth/envoy"
ANSWER = "/auth/answer"

CACHE_SECONDS = 5
"""How long nginx may repeat an answer; so much later the end of a session is felt."""

ECHO = "HTTP_SEC_GATE_ECHO"
"""Asks for ``Cookie`` and ``Authorization`` as the application may see them.

No script can send a header that begins with ``Sec-`` (Fetch standard, forbidden request
headers), so none can read an HttpOnly cookie from the answer.
"""

_ORIGINAL = ("X-Original-URL", "X-Original-Method")
_FORWARDED = ("X-Forwarded-Uri", "X-Forwarded-Method")
_URL = re.compile(r"(https?)://([^/?#,]+)(/.*)", re.ASCII)
_METHOD = re.compile(r"[A-Z][A-Z_-]{0,31}", re.ASCII)
_SCHEMES = {"https": "https", "wss": "https", "http": "http", "ws": "http"}
_SOCKETS = ("HTTP_SEC_WEBSOCKET_KEY", "HTTP_SEC_WEBSOCKET_VERSION")
_NOT_THEIRS = frozenset({TOLD, "REQUEST_URI"})
_BODY = frozenset({"HTTP_TRANSFER_ENCODING", "wsgi.input_terminated"})


@dataclass(frozen=True, slots=True)
class Described:
    """What a web server says of a request, not checked yet.

    Attributes:
        scheme: ``http`` or ``https``.
        target: path and query, as received by the web server.
    """

    method: str
    scheme: str
    host: str
    target: str


class _Unclear(Exception):
    """The description is not what this endpoint expects; the text says why."""


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
        self._identity = [(name, _environ_key(name)) for name in identity]
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
        except _Unclear as error:
            self._unclear(request, str(error))
        inner = _environ(environ, described)
        if request.path != ANSWER:
            _forget_body(inner)
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
        if "HTTP_UPGRADE" in inner:
            check_upgrade(inner, origin)
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
        _one(told, "X-Forwarded-For")
        if request.path == NGINX:
            described = _as_nginx(told)
            self._refuse_joined(told)
        elif request.path in {FORWARD, ANSWER}:
            described = _as_forward(told)
        else:
            described = self._as_envoy(request, raw, told)
        if not _METHOD.fullmatch(described.method) or described.method in NEVER:
            raise _Unclear("the method is none that may pass")
        if not described.target.startswith("/") or described.target[1:2] == "/":
            raise _Unclear("the path does not begin with one slash")
        return described

    def _as_envoy(
        self, request: PageRequest, raw: str, told: Mapping[str, str]
    ) -> Described:
        _none(told, _ORIGINAL + _FORWARDED)
        start = self._prefix + ENVOY
        if not raw.startswith(start):
            raise _Unclear("the endpoint is spelled in another way")
        query = f"?{request.query}" if request.query else ""
        return Described(
            method=request.method,
            scheme=_scheme(told),
            host=request.environ.get("HTTP_HOST", ""),
            target=raw.removeprefix(start) + query,
        )

    def _refuse_joined(self, told: Mapping[str, str]) -> None:
        """Refuse two ``X-Original-URL`` that a server has joined."""
        url = told["HTTP_X_ORIGINAL_URL"]
        for origin in self._arrivals.origins:
            if f",{origin.text}/" in url:
                raise _Unclear("X-Original-URL is there twice")

    def _unclear(self, request: PageRequest, detail: str) -> NoReturn:
        self._audit.event(request, "forward.unclear", "failure", detail=detail)
        raise BadRequest(detail, status=403)


def _as_nginx(told: Mapping[str, str]) -> Described:
    _none(told, _FORWARDED)
    url = _URL.fullmatch(_one(told, "X-Original-URL"))
    if url is None:
        raise _Unclear("X-Original-URL is no https://host/path")
    scheme, host, target = url.groups()
    return Described(_one(told, "X-Original-Method"), scheme, host, target)


def _as_forward(told: Mapping[str, str]) -> Described:
    _none(told, _ORIGINAL)
    return Described(
        method=_one(told, "X-Forwarded-Method"),
        scheme=_scheme(told),
        host=_one(told, "X-Forwarded-Host"),
        target=_one(told, "X-Forwarded-Uri"),
    )


def _one(told: Mapping[str, str], name: str) -> str:
    value = told.get(_environ_key(name), "")
    if not value:
        raise _Unclear(f"{name} is missing or empty")
    return value


def _none(told: Mapping[str, str], names: Iterable[str]) -> None:
    for name in names:
        if _environ_key(name) in told:
            raise _Unclear(f"{name} belongs to another endpoint")


def _scheme(told: Mapping[str, str]) -> str:
    said = _one(told, "X-Forwarded-Proto").lower()
    if said not in _SCHEMES:
        raise _Unclear("X-Forwarded-Proto is neither http nor https")
    return _SCHEMES[said]


def _environ(environ: WSGIEnvironment, described: Described) -> WSGIEnvironment:
    """Return what a server would have made of the described request."""
    inner = {key: environ[key] for key in environ if key not in _NOT_THEIRS}
    path, _, query = described.target.partition("?")
    inner.update(
        {
            "REQUEST_METHOD": described.method,
            "RAW_URI": described.target,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "HTTP_HOST": described.host,
            "HTTP_X_FORWARDED_FOR": environ[TOLD]["HTTP_X_FORWARDED_FOR"],
            "HTTP_X_FORWARDED_PROTO": described.scheme,
        }
    )
    return inner


def _forget_body(inner: WSGIEnvironment) -> None:
    """Make *inner* a request whose body stays with the web server."""
    for key in _BODY:
        inner.pop(key, None)
    inner["CONTENT_LENGTH"] = "0"
    inner["wsgi.input"] = io.BytesIO()


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


def _environ_key(name: str) -> str:
    return "HTTP_" + name.upper().replace("-", "_")
