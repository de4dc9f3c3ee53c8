"""A request to the gate's own pages, read as narrowly as possible.

Strategy: whatever a form of ours would not send is refused before anybody looks at it.
A body is a small urlencoded form in UTF-8 with the expected fields, each once; all else
is a ``BadRequest`` with its status, and counts as no attempt at anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qsl

from totp_gate.accounts.guessing import Visitor
from totp_gate.accounts.live import Live
from totp_gate.core import cookies, headers
from totp_gate.core.urls import Origin
from totp_gate.errors import BadRequest
from totp_gate.web.bodies import read_body

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MAX_BODY = 64 * 1024
MAX_FIELDS = 20
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class CookieNames:
    """What the gate's cookies are called."""

    session: str
    login: str
    device: str

    @classmethod
    def under(cls, *, insecure: bool) -> Self:
        """Return the names for https, or for plain http on purpose."""
        start = "" if insecure else "__Host-"
        base = f"{start}totp_gate"
        return cls(base, f"{base}_login", f"{base}_device")

    def all(self) -> tuple[str, str, str]:
        """Return all of them."""
        return (self.session, self.login, self.device)


@dataclass(slots=True, kw_only=True)
class PageRequest:
    """One request to a page of the gate.

    Attributes:
        path: canonical, below the prefix: ``/login``.
        query: as received, without the question mark.
        origin: which of the gate's origins was asked.
        address: the client's, behind trusted proxies.
        scheme: ``http`` or ``https``, as the client sees it.
        now: Unix seconds, one reading for the whole request.
        live: the session of somebody who is signed in, where there is one.
        partial: the session of somebody who has proven the password alone
            (``one-factor`` rules); to the pages of the gate that is not signed in.
        token: the session cookie's value, whether it counts or not.
        request_id: quoted on error pages and in every line about this request.
    """

    environ: WSGIEnvironment
    method: str
    path: str
    query: str
    origin: Origin
    address: str
    scheme: str
    now: float
    request_id: str
    live: Live | None = None
    partial: Live | None = None
    token: str | None = None

    def cookie(self, name: str) -> str | None:
        """Return the cookie's value if it is there once and well-formed."""
        return cookies.find(self.environ.get("HTTP_COOKIE", ""), name)

    def argument(self, name: str) -> str | None:
        """Return a field of the query, None where it is missing.

        Raises:
            BadRequest: it is there twice, or there are more fields than any page has.
        """
        try:
            pairs = parse_qsl(
                self.query, keep_blank_values=True, max_num_fields=MAX_FIELDS
            )
        except ValueError:
            raise BadRequest("the query has too many fields") from None
        found = [value for key, value in pairs if key == name]
        if len(found) > 1:
            raise BadRequest(f"the query has {name} twice")
        return found[0] if found else None

    def form(self, *fields: str, optional: tuple[str, ...] = ()) -> Mapping[str, str]:
        """Return the fields of the posted form; optional ones may be missing.

        Raises:
            BadRequest: 400 for a field that is missing, there twice, unknown or not
                UTF-8; 415 for anything but a form; the others as ``read_body``.
        """
        found: dict[str, str] = {}
        for name, value in self._pairs():
            shown = headers.plain(name, 40)
            if name in found:
                raise BadRequest(f"the field {shown} is there twice")
            if name not in fields and name not in optional:
                raise BadRequest(f"the form has no field {shown}")
            found[name] = value
        missing = [name for name in fields if name not in found]
        if missing:
            raise BadRequest(f"the field {missing[0]} is missing")
        return {name: found.get(name, "") for name in (*fields, *optional)}

    @property
    def agent(self) -> str:
        """How the browser calls itself, made harmless for store and log."""
        return headers.plain(self.environ.get("HTTP_USER_AGENT", ""), 200)

    def visitor(self, device: str = "") -> Visitor:
        """Return who is at the other end."""
        return Visitor(address=self.address, agent=self.agent, device=device)

    def is_from_here(self) -> bool:
        """Tell whether nothing speaks against this POST coming from our own page.

        Source:
            OWASP Cross-Site Request Forgery Prevention, Fetch Metadata and Origin.
        """
        site = self.environ.get("HTTP_SEC_FETCH_SITE")
        if site is not None and site not in {"same-origin", "none"}:
            return False
        origin = self.environ.get("HTTP_ORIGIN", "null")
        return origin in {"null", self.origin.text}

    def _pairs(self) -> list[tuple[str, str]]:
        kind, _, parameters = self.environ.get("CONTENT_TYPE", "").partition(";")
        if kind.strip().lower() != _FORM:
            raise BadRequest("a form must be sent urlencoded", status=415)
        charset = parameters.strip().lower()
        if charset not in {"", "charset=utf-8", 'charset="utf-8"'}:
            raise BadRequest("a form must be sent as UTF-8", status=415)
        body = read_body(self.environ, MAX_BODY)
        try:
            return parse_qsl(
                body.decode("ascii"),
                keep_blank_values=True,
                strict_parsing=bool(body),
                errors="strict",
                max_num_fields=MAX_FIELDS,
            )
        except ValueError:
            raise BadRequest("the form is malformed or has too many fields") from None
