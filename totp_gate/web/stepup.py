"""A fresh code from somebody who is signed in, where a rule wants one (``max_age``).

It is the page of the second factor: whoever is half-way through a sign-in finds the
sign-in there, whoever is signed in this. The place is kept, the session gets a new id.
"""

from __future__ import annotations

from totp_gate.accounts.guessing import Wait
from totp_gate.accounts.live import Live
from totp_gate.accounts.owner import Owner
from totp_gate.accounts.signin import Wrong
from totp_gate.errors import NotFound
from totp_gate.web.admit import AUTHENTICATE
from totp_gate.web.desk import DOCUMENT_ELSEWHERE, DONE, FORM_TOO_OLD, Desk
from totp_gate.web.entrance import Entrance
from totp_gate.web.onward import Onward
from totp_gate.web.pages import Answer
from totp_gate.web.request import PageRequest
from totp_gate.web.signin import SignInPages
from totp_gate.web.wrongcode import WrongCodes

PAGE = "/second-factor"
_WRONG = "That code was not right. Wait for the next one and try again."


class StepUpPages:
    """The page of the second factor, for whoever comes to it."""

    def __init__(
        self,
        desk: Desk,
        owner: Owner,
        entrance: Entrance,
        signin: SignInPages,
        *,
        onward: Onward,
        wrong: WrongCodes,
    ) -> None:
        self._desk = desk
        self._owner = owner
        self._entrance = entrance
        self._signin = signin
        self._onward = onward
        self._wrong = wrong

    def show(self, request: PageRequest) -> Answer:
        """Return the form for the code; none where the session is enough."""
        place = self._desk.place(request)
        if place is not None and self._is_enough(request, place):
            return self._desk.go(place)
        if request.live is None:
            return self._signin.show_second_factor(request)
        return self._form(request, request.live)

    def confirm(self, request: PageRequest) -> Answer:
        """Judge the code; the session gets a new id, and the person goes on."""
        live = request.live
        if live is None:
            return self._signin.second_factor(request)
        form = request.form("code", "csrf_token", optional=("trust_device",))
        refused = self._refuse(request, live, form["csrf_token"])
        if refused is not None:
            return refused
        visitor = request.visitor(self._entrance.device(request, live.user))
        try:
            result = self._owner.step_up(
                live.session,
                live.user,
                form["code"],
                visitor,
                host=request.origin.host,
                now=request.now,
            )
        except NotFound:
            return self._desk.go(self._desk.link("/login", self._desk.place(request)))
        if isinstance(result, Wait):
            self._note(request, live, "locked")
            return self._desk.wait(request, result)
        if isinstance(result, Wrong):
            self._note(request, live, "failure")
            self._desk.note_last(request, result, "code", user=live.user.name)
            notice = self._wrong.explain(request, live.user, form["code"], _WRONG)
            return self._form(request, live, status=401, notice=notice)
        self._note(request, live, "success")
        onward = self._entrance.onward(request, live.user)
        handback = self._entrance.handback
        return handback.go_on(request, live.session, result, onward)

    def _is_enough(self, request: PageRequest, place: str) -> bool:
        """Tell whether there is nothing to ask; a window that closes itself asks."""
        closing = place == self._desk.link(DONE)
        return not closing and self._onward.is_open(request, place)

    def _refuse(self, request: PageRequest, live: Live, token: str) -> Answer | None:
        """Return the answer to a form that is not ours, or None where it is."""
        desk = self._desk
        if not request.is_from_here():
            desk.audit.event(request, "form-refused", "failure", detail=PAGE)
            return desk.trouble.answer(request.environ, 403, message=DOCUMENT_ELSEWHERE)
        if desk.forms.check(token, PAGE, live.session.id, now=request.now):
            return None
        place = desk.place(request)
        if place is not None and self._is_enough(request, place):
            # A page left open while another tab typed the code: nothing to ask.
            return desk.go(place)
        desk.audit.event(request, "form-refused", "failure", detail=PAGE)
        return self._form(request, live, status=403, notice=FORM_TOO_OLD)

    def _form(
        self,
        request: PageRequest,
        live: Live,
        *,
        status: int = 200,
        notice: str | None = None,
    ) -> Answer:
        desk = self._desk
        session = live.session.id
        return desk.pages.render(
            "step_up.html",
            status=status,
            headers=[("WWW-Authenticate", AUTHENTICATE)] if status == 401 else [],
            user=live.user.display or live.user.name,
            form=desk.form(request, PAGE, session, place=desk.place(request)),
            notice=notice,
            username=live.user.name,
            **self._owner.factors.shape(live.user),
            cancel=desk.form(request, "/logout", session),
        )

    def _note(self, request: PageRequest, live: Live, outcome: str) -> None:
        self._desk.audit.event(
            request,
            "proof.code",
            outcome,
            user=live.user.name,
            session=live.session.id,
            detail="step-up",
        )
