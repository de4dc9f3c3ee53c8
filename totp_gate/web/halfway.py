"""Whoever has proven the password and owes the rest: what the pages for them share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from totp_gate.accounts.signin import SignIn
from totp_gate.model import LoginState, User
from totp_gate.web.admit import AUTHENTICATE
from totp_gate.web.desk import FORM_TOO_OLD, Desk
from totp_gate.web.pages import Answer
from totp_gate.web.prelogin import PreLogin
from totp_gate.web.request import PageRequest


@dataclass(frozen=True, slots=True)
class Half:
    """Somebody between the password and the code.

    Attributes:
        prelogin: what their login cookie says.
        state: the password they have proven.
        user: whom it belongs to.
    """

    prelogin: PreLogin
    state: LoginState
    user: User


Form = Callable[..., Answer]
"""Shows a form to a ``Half``, with a status and a notice."""


class HalfWay:
    """Finds out who is half-way, and leads back whoever is not."""

    def __init__(self, desk: Desk, signin: SignIn) -> None:
        self._desk = desk
        self._signin = signin

    def find(self, request: PageRequest) -> Half | None:
        """Return who is half-way in this browser, None: nobody, or too long ago."""
        prelogin = self._desk.prelogin(request)
        state = prelogin.state
        user = state and self._signin.user_of(state, now=request.now)
        return Half(prelogin, state, user) if state and user else None

    def start_over(self, request: PageRequest) -> Answer:
        """Lead back to the password."""
        return self._desk.go(self._desk.link("/login", self._desk.place(request)))

    def refuse(
        self, request: PageRequest, half: Half, token: str, page: str, form: Form
    ) -> Answer | None:
        """Return the answer to a form that is not ours, or None where it is.

        Args:
            form: shown once more where all that is wrong is its age.
        """
        again = partial(form, request, half, status=403, notice=FORM_TOO_OLD)
        return self._desk.refuse_form(
            request, token, page, half.prelogin.binding, again=again
        )

    def render(
        self,
        template: str,
        request: PageRequest,
        half: Half,
        page: str,
        *,
        status: int,
        **shown: Any,
    ) -> Answer:
        """Return the form that posts to *page*; *shown* is what the template wants."""
        desk, binding = self._desk, half.prelogin.binding
        return desk.pages.render(
            template,
            status=status,
            headers=[("WWW-Authenticate", AUTHENTICATE)] if status == 401 else [],
            form=desk.form(request, page, binding, place=desk.place(request)),
            username=half.user.name,
            cancel=desk.form(request, "/logout", binding),
            **shown,
        )
