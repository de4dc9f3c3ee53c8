"""What a web server says of a request of its own, in the headers of its convention.

A description is whole or not at all, and one that mixes two conventions is refused:
half of it would be a visitor's own (CVE-2026-40575).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from totp_gate.core.headers import environ_key, has_body
from totp_gate.core.urls import Origin
from totp_gate.web.arrival import TOLD

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_ORIGINAL = ("X-Original-URL", "X-Original-Method")
_FORWARDED = ("X-Forwarded-Uri", "X-Forwarded-Method")
_URL = re.compile(r"(https?)://([^/?#,]+)(/.*)", re.ASCII)
_METHOD = re.compile(r"[A-Z][A-Z_-]{0,31}", re.ASCII)
_SCHEMES = {"https": "https", "wss": "https", "http": "http", "ws": "http"}
_NOT_THEIRS = frozenset({TOLD, "REQUEST_URI"})


class Unclear(Exception):
    """The description is not what the endpoint expects; the text says why."""


@dataclass(frozen=True, slots=True)
class Described:
    """What a web server says of a request: well-formed, and no more than that.

    Attributes:
        scheme: ``http`` or ``https``.
        target: path and query, as received by the web server.

    Raises:
        Unclear: it is not well-formed.
    """

    method: str
    scheme: str
    host: str
    target: str

    def __post_init__(self) -> None:
        if not _METHOD.fullmatch(self.method):
            raise Unclear("the method is none that may pass")
        if not self.target.startswith("/") or self.target[1:2] == "/":
            raise Unclear("the path does not begin with one slash")


def as_nginx(told: Mapping[str, str], origins: Iterable[Origin]) -> Described:
    """Read ``X-Original-URL`` and ``X-Original-Method``.

    Args:
        told: the forwarding headers, by environ key.
        origins: those the gate answers for.

    Raises:
        Unclear: something is missing, there twice, or of another convention.
    """
    _whole(told, without=_FORWARDED)
    text = _one(told, "X-Original-URL")
    url = _URL.fullmatch(text)
    if url is None:
        raise Unclear("X-Original-URL is no https://host/path")
    _refuse_joined("X-Original-URL", text, [f",{one.text}/" for one in origins])
    scheme, host, target = url.groups()
    return Described(_one(told, "X-Original-Method"), scheme, host, target)


def as_forward(told: Mapping[str, str]) -> Described:
    """Read ``X-Forwarded-Method``, ``-Proto``, ``-Host`` and ``-Uri``.

    Raises:
        Unclear: as `as_nginx`.
    """
    _whole(told, without=_ORIGINAL)
    target = _one(told, "X-Forwarded-Uri")
    _refuse_joined("X-Forwarded-Uri", target, [",/", ", /"])
    return Described(
        method=_one(told, "X-Forwarded-Method"),
        scheme=_scheme(told),
        host=_one(told, "X-Forwarded-Host"),
        target=target,
    )


def as_envoy(told: Mapping[str, str], method: str, host: str, target: str) -> Described:
    """Read ``X-Forwarded-Proto``; the rest is of the question itself.

    Raises:
        Unclear: as `as_nginx`.
    """
    _whole(told, without=_ORIGINAL + _FORWARDED)
    return Described(method, _scheme(told), host, target)


def environ_of(environ: WSGIEnvironment, described: Described) -> WSGIEnvironment:
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


def forget_body(inner: WSGIEnvironment, *, asked_alike: bool) -> None:
    """Make *inner* a request whose body stays with the web server.

    Where nobody tells whether there is one, it is a request that may have one, so no
    preflight (``judgement``).

    Args:
        asked_alike: the question was asked with the same method, and so with the body.
    """
    none = asked_alike and not has_body(inner)
    inner.pop("wsgi.input_terminated", None)
    inner["wsgi.input"] = io.BytesIO()
    inner["CONTENT_LENGTH"] = "0" if none else ""
    if not none:
        inner["HTTP_TRANSFER_ENCODING"] = "chunked"


def _whole(told: Mapping[str, str], *, without: Iterable[str]) -> None:
    _one(told, "X-Forwarded-For")
    for name in without:
        if environ_key(name) in told:
            raise Unclear(f"{name} belongs to another endpoint")


def _one(told: Mapping[str, str], name: str) -> str:
    value = told.get(environ_key(name), "")
    if not value:
        raise Unclear(f"{name} is missing or empty")
    return value


def _refuse_joined(name: str, value: str, starts: Iterable[str]) -> None:
    """Refuse two lines of a header that a server has joined: one may be a visitor's."""
    if any(start in value for start in starts):
        raise Unclear(f"{name} is there twice")


def _scheme(told: Mapping[str, str]) -> str:
    said = _one(told, "X-Forwarded-Proto").lower()
    if said not in _SCHEMES:
        raise Unclear("X-Forwarded-Proto is neither http nor https")
    return _SCHEMES[said]
