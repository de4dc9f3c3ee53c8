"""What the pages share: their parts, and the few things every one of them does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from totp_gate.accounts.guessing import Wait
from totp_gate.accounts.signin import Wrong
from totp_gate.core import cookies
from totp_gate.core.signing import is_token
from totp_gate.core.urls import Origin, safe_next
from totp_gate.telemetry.audit import Audit
from totp_gate.web.admit import login_url
from totp_gate.web.csrf import Form, FormTokens
from totp_gate.web.notes import Notes
from totp_gate.web.pages import Answer, Pages
from totp_gate.web.prelogin import LoginCookie, PreLogin
from totp_gate.web.request import CookieNames, PageRequest
from totp_gate.web.trouble import Trouble
from totp_gate.web.words import Told

DOCUMENT_ELSEWHERE = "This form was sent from another site, so nothing was done."
DONE = "/done"
"""The page that ends a sign-in in a window of its own."""

NEWS = "/account/news"
"""The page that tells whom a trusted browser let in what happened meanwhile."""

HAND_OFF = "/hand-off"
"""The page of home that carries a session to another host, which asks for it."""

ARRIVE = "/arrive"
"""The page of the other host where it arrives."""

HAND_BACK = "/hand-back"
"""The page of home where it arrives when it got a new id at another host."""

_NO_MORE = "Too many attempts"
_KNOWN_ONLY = (
    "There were too many failed attempts in a row, so waiting does not help any more. "
    "Use a browser in which you have signed in before, or ask the administrator to "
    "unlock your account."
)
FORM_TOO_OLD = (
    "This page was open for too long, or cookies are blocked. Nothing was done; please "
    "try again."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The parts every page needs.

    Attributes:
        origins: those the gate answers for, home first.
        secure: cookies only over https.
    """

    pages: Pages
    trouble: Trouble
    forms: FormTokens
    notes: Notes
    login_cookie: LoginCookie
    names: CookieNames
    origins: tuple[Origin, ...]
    prefix: str
    secure: bool
    audit: Audit

    def prelogin(self, request: PageRequest) -> PreLogin:
        """Return what the login cookie of *request* says."""
        return self.login_cookie.read(request.cookie(self.names.login))

    @property
    def home(self) -> Origin:
        """The origin where people sign in for all of them."""
        return self.origins[0]

    def place(self, request: PageRequest) -> str | None:
        """Return where to go after signing in, or None: to the start.

        It is a place of the application, or the page that closes its window, or the
        page that leads back to another host.
        """
        wanted = request.argument("next")
        if wanted == self.link(DONE) or self._is_question(wanted):
            return wanted
        return safe_next(
            wanted,
            origins=[origin.text for origin in self.origins],
            prefix=self.prefix,
        )

    def _is_question(self, wanted: str | None) -> bool:
        """Tell whether *wanted* is the page of the hand-off, with any question."""
        before, found, ask = (wanted or "").partition("?ask=")
        return bool(found) and before == self.link(HAND_OFF) and is_token(ask)

    def link(self, page: str, place: str | None = None) -> str:
        """Return the URL of a page of the gate that leads on to *place*."""
        return login_url(self.prefix, place, page)

    def form(
        self,
        request: PageRequest,
        page: str,
        binding: str,
        *,
        place: str | None = None,
        hidden: dict[str, str] | None = None,
    ) -> Form:
        """Return a form that posts to *page*."""
        token = self.forms.make(page, binding, now=request.now)
        return Form(self.link(page, place), token, hidden or {})

    def go(self, place: str, set_cookies: Iterable[str] = ()) -> Answer:
        """Return a 303 to *place*, which was checked or is ours."""
        answer = Answer(status=303)
        answer.headers["Location"] = place
        return self.pages.finish(answer, [("Set-Cookie", line) for line in set_cookies])

    def tell(
        self,
        request: PageRequest,
        page: str,
        what: str,
        binding: str,
        *,
        section: str = "",
    ) -> str:
        """Return the URL of *page* on which ``words.DONE[what]`` stands.

        Args:
            binding: whom it is for: the user, or the pre-login id.
            section: part of the page to begin at.
        """
        note = self.notes.write(what, binding, now=request.now)
        at = f"#{section}" if section else ""
        return f"{self.link(page)}?told={note}{at}"

    def told(self, request: PageRequest, binding: str) -> Told | None:
        """Return what the address of *request* says to *binding*, if anything."""
        note = request.argument("told")
        if note is None:
            return None
        return self.notes.read(note, binding, now=request.now)

    def refuse_form(
        self,
        request: PageRequest,
        token: str,
        page: str,
        binding: str,
        *,
        user: str = "",
        detail: str = "",
        again: Callable[[], Answer] | None = None,
    ) -> Answer | None:
        """Return the answer to a form that is not ours, or None where it is.

        Args:
            page: what the form posts to. binding: whose it has to be.
            user: who is signed in, for the audit.
            detail: what the audit names in place of *page*, which may hold a secret.
            again: shows the form once more, where all that is wrong is its age.
        """
        here = request.is_from_here()
        if here and self.forms.check(token, page, binding, now=request.now):
            return None
        self.audit.event(
            request, "form-refused", "failure", user=user, detail=detail or page
        )
        if here and again is not None:
            return again()
        message = FORM_TOO_OLD if here else DOCUMENT_ELSEWHERE
        return self.trouble.answer(request.environ, 403, message=message)

    def wait(self, request: PageRequest, wait: Wait) -> Answer:
        """Return the answer to an attempt that comes too soon, or too late."""
        if wait.hard:
            return self.trouble.answer(
                request.environ, 429, title=_NO_MORE, message=_KNOWN_ONLY
            )
        return self.trouble.answer(request.environ, 429, retry_after=wait.seconds)

    def note_last(
        self,
        request: PageRequest,
        wrong: Wrong,
        step: str,
        *,
        user: str,
        known: bool = True,
    ) -> None:
        """Tell the audit if strangers had no more attempts after *wrong*.

        Args:
            user, known: as in ``Audit.sign_in``.
        """
        if wrong.last:
            self.audit.event(
                request,
                "account-locked",
                "failure",
                user=user if known else "",
                detail=step,
                known=known,
            )

    def with_login(
        self, prelogin: PreLogin, value: str | None = None
    ) -> list[tuple[str, str]]:
        """Return the Set-Cookie of the login cookie, where it has to change."""
        new = value or prelogin.fresh
        return [("Set-Cookie", self.bake(self.names.login, new))] if new else []

    def carry(
        self, lines: Iterable[str], value: str, *, max_age: int | None = None
    ) -> list[str]:
        """Return Set-Cookie *lines* in which the login cookie has *value* instead."""
        name = self.names.login
        kept = [line for line in lines if not line.startswith(f"{name}=")]
        return [*kept, self.bake(name, value, max_age=max_age)]

    def bake(self, name: str, value: str, *, max_age: int | None = None) -> str:
        """Return the Set-Cookie line of a cookie of the gate."""
        return cookies.bake(name, value, secure=self.secure, max_age=max_age)

    def expire(self, name: str) -> str:
        """Return the Set-Cookie line that removes a cookie of the gate."""
        return cookies.expire(name, secure=self.secure)
