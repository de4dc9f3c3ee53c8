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

    def find(self, request: PageRequest) -> Half | Answer:
        """Return who is half-way in this browser, else what leads to the password."""
        prelogin = self._desk.prelogin(request)
        state = prelogin.state
        user = None if state is None else self._signin.user_of(state, now=request.now)
        if state is None or user is None:
            return self.start_over(request)
        return Half(prelogin, state, user)

    def post(
        self, request: PageRequest, token: str, page: str, form: Form
    ) -> Half | Answer:
        """Return who sent a form of *page*, else the answer to it.

        Args:
            token: of the form; ours and this browser's, or the form is refused.
            form: shown once more where all that is wrong is its age.
        """
        half = self.find(request)
        if isinstance(half, Answer):
            return half
        again = partial(form, request, half, status=403, notice=FORM_TOO_OLD)
        refused = self._desk.refuse_form(
            request, token, page, half.prelogin.binding, again=again
        )
        return half if refused is None else refused

    def start_over(self, request: PageRequest) -> Answer:
        """Lead back to the password."""
        return self._desk.go(self._desk.link("/login", self._desk.place(request)))

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
