"""Nothing lost at sign-in: keeping a request, showing it, sending it once.

Kept is what a browser sent from a page of our own while its session had ended; a form
from a foreign site never is. It is sent only by the button of its owner, and then it is
judged like any other request of theirs.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urljoin

from totp_gate.accounts.held import LENGTH_OF_MARK, LONGEST_BODY, Held, Kept
from totp_gate.accounts.live import Live
from totp_gate.accounts.references import References
from totp_gate.core.headers import declared_length
from totp_gate.web.arrival import OWN_TOKEN
from totp_gate.web.bodies import read_body
from totp_gate.web.csrf import Form
from totp_gate.web.desk import Desk
from totp_gate.web.pages import Answer
from totp_gate.web.request import PageRequest

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SENT_AGAIN = "HTTP_GATE_HELD"
"""The mark of what was kept, shown by a page that sends it again itself."""

_METHODS = frozenset({"POST", "PUT", "PATCH"})
_OF_THE_REQUEST = (
    "REQUEST_METHOD",
    "SCRIPT_NAME",
    "PATH_INFO",
    "QUERY_STRING",
    "RAW_URI",
    "REQUEST_URI",
    "CONTENT_TYPE",
)
_NOT_KEPT = frozenset(
    {
        "HTTP_COOKIE",
        "HTTP_HOST",
        "HTTP_AUTHORIZATION",
        "HTTP_PROXY_AUTHORIZATION",
        "HTTP_CONNECTION",
        "HTTP_CONTENT_LENGTH",
        "HTTP_CONTENT_TYPE",
        "HTTP_EXPECT",
        "HTTP_KEEP_ALIVE",
        "HTTP_TE",
        "HTTP_TRAILER",
        "HTTP_TRANSFER_ENCODING",
        "HTTP_UPGRADE",
        OWN_TOKEN,
        SENT_AGAIN,
    }
)
_LONGEST_HEAD = 32 * 1024
_LONGEST_PREVIEW = 4000
_PATIENCE = 60.0  # a slow line takes its time for what was typed for an hour
_PAGE = "/held"
_FOR_ANOTHER = "kept for another user"
_OF_ANOTHER = (
    "This was written by somebody else, who was signed in here before. Load the page "
    "again."
)


class Resend(Answer):
    """Stands for the answer of the application to *environ*, which the gate sends on.

    Attributes:
        environ: the request that was kept.
    """

    def __init__(self, environ: WSGIEnvironment) -> None:
        super().__init__(status=503)
        self.environ = environ
        self._place = environ.get("RAW_URI") or environ["PATH_INFO"]

    def start(
        self,
        start_response: StartResponse,
        status: str,
        headers: list[tuple[str, str]],
        exc_info: OptExcInfo | None = None,
    ) -> Callable[[bytes], object]:
        """Begin the application's answer; a relative Location keeps its meaning."""
        moved = [
            (name, _joined(self._place, value))
            if name.lower() == "location" and not value.startswith("/")
            else (name, value)
            for name, value in headers
        ]
        if exc_info is None:
            return start_response(status, moved)
        return start_response(status, moved, exc_info)


def _joined(place: str, value: str) -> str:
    """Return *value* as seen from *place*; what is no URL stays as it is."""
    try:
        return urljoin(place, value)
    except ValueError:
        return value


class HeldPages:
    """Keeps requests, and shows them to their senders."""

    def __init__(self, desk: Desk, held: Held, references: References) -> None:
        self._desk = desk
        self._held = held
        self._references = references

    def keep(self, request: PageRequest) -> str | None:
        """Keep what *request* wants of the application, if that may be; its mark.

        Raises:
            BadRequest: its body did not arrive.
            StoreUnavailable: nothing was kept.
        """
        environ = request.environ
        if (
            request.method not in _METHODS
            or not _is_from_our_page(request)
            or not 0 < (declared_length(environ) or 0) <= LONGEST_BODY
            or not self._was_signed_in(request)
        ):
            return None
        known = _known(environ)
        if sum(map(len, known.values())) > _LONGEST_HEAD:
            return None
        body = read_body(environ, LONGEST_BODY, patience=_PATIENCE)
        cookie = request.cookie(self._desk.names.device)
        mark = self._held.keep(cookie, known, body, now=request.now)
        if mark is not None:
            self._desk.audit.event(request, "request-held", "success")
        return mark

    def of_another(self, request: PageRequest) -> Answer | None:
        """Return the answer to what was kept for somebody else than who sends it now.

        Its page does not know who has signed in meanwhile, so it would be done in their
        name.
        """
        live = request.live or request.partial
        mark = request.environ[SENT_AGAIN]
        known = len(mark) == LENGTH_OF_MARK and mark.isalnum()
        if live is None or not known or self._held.is_for(mark, live.user.name):
            return None
        self._desk.audit.event(
            request, "refused", "failure", user=live.user.name, detail=_FOR_ANOTHER
        )
        said = {"error": "held_for_another_user", "message": _OF_ANOTHER}
        answer = Answer(
            json.dumps(said) + "\n", status=409, content_type="application/json"
        )
        return self._desk.pages.finish(answer)

    def sent_again(self, request: PageRequest) -> Answer | None:
        """Drop what was kept of *request*: its own page sends it again, and may.

        Returns:
            None, or the answer where it may not (`of_another`).

        Raises:
            StoreUnavailable: it may wait still, so it must not be sent yet.
        """
        refused = self.of_another(request)
        mark = request.environ.pop(SENT_AGAIN)
        live = request.live or request.partial
        if refused is not None or live is None:
            return refused
        cookie = request.cookie(self._desk.names.device)
        if self._held.drop(cookie, live.user.name, mark, now=request.now):
            self._note(request, live, "held-sent")
        return None

    def show(self, request: PageRequest) -> Answer:
        """Show what waits, the newest first, or go on where nothing does."""
        desk = self._desk
        live = request.live
        if live is None:
            return desk.go(desk.link("/login", desk.place(request)))
        cookie = request.cookie(desk.names.device)
        kept = self._held.waiting(cookie, live.user.name, now=request.now)
        if kept is None:
            return desk.go(desk.place(request) or "/")
        kind = kept.environ.get("CONTENT_TYPE", "")
        return desk.pages.render(
            "held.html",
            user=live.user.display or live.user.name,
            form_send=self._form(request, live, kept, "send"),
            form_drop=self._form(request, live, kept, "drop"),
            method=kept.environ["REQUEST_METHOD"],
            path=kept.environ["target"],
            size=len(kept.body),
            content_type=kind.partition(";")[0] or None,
            preview=preview(kind, kept.body),
        )

    def act(self, request: PageRequest) -> Answer:
        """Send what waits, once, or drop it."""
        desk = self._desk
        live = request.live
        if live is None:
            return desk.go(desk.link("/login"))
        form = request.form("csrf_token", "which", "act")
        refused = desk.refuse_form(
            request, form["csrf_token"], _PAGE, live.session.id, user=live.user.name
        )
        if refused is not None:
            return refused
        cookie = request.cookie(desk.names.device)
        user = live.user.name
        kept = self._held.take(cookie, user, form["which"], now=request.now)
        if kept is None or form["act"] != "send":
            if kept is not None:
                self._note(request, live, "held-dropped")
            return desk.go(desk.link(_PAGE, desk.place(request)))
        self._note(request, live, "held-sent")
        return Resend(_again(request.environ, kept))

    def _was_signed_in(self, request: PageRequest) -> bool:
        """Tell whether a session began in this browser: strangers fill nothing."""
        token, host = request.token, request.origin.host
        return token is not None and self._references.id_of(token, host) is not None

    def _form(self, request: PageRequest, live: Live, kept: Kept, act: str) -> Form:
        desk = self._desk
        return desk.form(
            request,
            _PAGE,
            live.session.id,
            place=desk.place(request),
            hidden={"which": kept.id, "act": act},
        )

    def _note(self, request: PageRequest, live: Live, event: str) -> None:
        self._desk.audit.event(
            request, event, "success", user=live.user.name, session=live.session.id
        )


def preview(kind: str, body: bytes) -> str | None:
    """Return the beginning of *body* as a person reads it; None: it is no text.

    Args:
        kind: its media type, as sent.
    """
    plain = kind.partition(";")[0].strip().lower()
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if plain == "application/x-www-form-urlencoded":
        pairs = parse_qsl(text, keep_blank_values=True)
        text = "\n".join(f"{name}: {value}" for name, value in pairs)
    elif plain == "application/json":
        try:
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        except (ValueError, RecursionError):
            return text[:_LONGEST_PREVIEW]
    elif not plain.startswith("text/"):
        return None
    return text[:_LONGEST_PREVIEW]


def _is_from_our_page(request: PageRequest) -> bool:
    """Tell whether a page of this very origin says that it sent *request*.

    Source:
        Fetch Metadata (W3C); RFC 6454 section 7 (Origin).
    """
    site = request.environ.get("HTTP_SEC_FETCH_SITE")
    origin = request.environ.get("HTTP_ORIGIN")
    if site is not None:
        return site == "same-origin" and origin in {None, "null", request.origin.text}
    return origin == request.origin.text


def _known(environ: WSGIEnvironment) -> dict[str, str]:
    """Return what has to be said again for the application to get the same request."""
    known = {key: environ[key] for key in _OF_THE_REQUEST if key in environ}
    known |= {
        key: value
        for key, value in environ.items()
        if key.startswith("HTTP_") and key not in _NOT_KEPT and isinstance(value, str)
    }
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    shown = path.encode("latin-1").decode("utf-8", "replace")
    query = environ.get("QUERY_STRING", "")
    known["target"] = f"{shown}?{query}" if query else shown
    return known


def _again(now: WSGIEnvironment, kept: Kept) -> WSGIEnvironment:
    """Return the environ of *kept*, sent over the connection and session of *now*."""
    environ = {
        key: value
        for key, value in now.items()
        if not _is_of_a_request(key) and not key.startswith("totp_gate.")
    }
    environ.update(_without_target(kept.environ))
    environ["CONTENT_LENGTH"] = str(len(kept.body))
    environ["wsgi.input"] = io.BytesIO(kept.body)
    environ.pop("wsgi.input_terminated", None)
    return environ


def _is_of_a_request(key: str) -> bool:
    if key in {"HTTP_COOKIE", "HTTP_HOST"}:
        return False
    return key.startswith("HTTP_") or key in _OF_THE_REQUEST


def _without_target(known: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in known.items() if key != "target"}
