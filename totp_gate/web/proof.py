"""Proving everything once more: before something sensitive, and for a new password."""

from __future__ import annotations

from collections.abc import Mapping

from totp_gate.accounts.enrollment import Enrollment
from totp_gate.accounts.guessing import Wait
from totp_gate.accounts.live import Live
from totp_gate.accounts.owner import Owner
from totp_gate.accounts.signin import Wrong
from totp_gate.errors import NotFound
from totp_gate.model import User
from totp_gate.web.admit import AUTHENTICATE
from totp_gate.web.desk import Desk
from totp_gate.web.entrance import Entrance
from totp_gate.web.pages import Answer
from totp_gate.web.request import PageRequest
from totp_gate.web.wrongcode import WrongCodes

_CONFIRM = "/account/confirm"
_SECTIONS = ("authenticators", "recovery", "tokens")
_PASSWORD = "/account/password"  # noqa: S105 - a path
_WHAT = (
    "What you want to do needs your password and a fresh code first. Then press the "
    "button for it again."
)
_DIFFERENT = "The two new passwords are not the same. Please type them again."
_WRONG = "That did not match. Check the password, and wait for the next code."
_ELSEWHERE = (
    "Your password is set in the settings of this server. Ask its administrator."
)


class ProofPages:
    """The page that asks again, and the page that changes the password."""

    def __init__(
        self,
        desk: Desk,
        owner: Owner,
        enrollment: Enrollment,
        entrance: Entrance,
        wrong: WrongCodes,
    ) -> None:
        self._desk = desk
        self._owner = owner
        self._enrollment = enrollment
        self._entrance = entrance
        self._wrong = wrong

    def show_confirm(self, request: PageRequest) -> Answer:
        """Return the form for password and code."""
        if request.live is None:
            return self._desk.go(self._desk.link("/login"))
        section = request.argument("section") or ""
        return self._confirm_form(request, request.live, section)

    def confirm(self, request: PageRequest) -> Answer:
        """Judge password and code; the session gets a new id and is fresh."""
        form = request.form("password", "code", "csrf_token", optional=("section",))
        live = request.live
        if live is None:
            return self._desk.go(self._desk.link("/login"))
        refused = self._refuse(request, live, form["csrf_token"], _CONFIRM)
        if refused is not None:
            return refused
        wrong = self._judge(request, live, form["password"], form["code"])
        if isinstance(wrong, Answer):
            return wrong
        if wrong is not None:
            return self._confirm_form(request, live, form["section"], wrong)
        try:
            token = self._owner.renew(
                live.session, live.user, host=request.origin.host, now=request.now
            )
        except NotFound:
            return self._desk.go(self._desk.link("/login"))
        section = form["section"] if form["section"] in _SECTIONS else ""
        return self._to_account(request, live, token, "confirmed", section)

    def show_password(self, request: PageRequest) -> Answer:
        """Return the form for a new password."""
        if request.live is None:
            return self._desk.go(self._desk.link("/login"))
        if request.live.user.source != "store":
            return self._elsewhere(request)
        return self._password_form(request, request.live)

    def change_password(self, request: PageRequest) -> Answer:
        """Judge the proof and the new password, and change it."""
        form = request.form(
            "current_password", "password", "password_again", "code", "csrf_token"
        )
        live = request.live
        if live is None:
            return self._desk.go(self._desk.link("/login"))
        refused = self._refuse(request, live, form["csrf_token"], _PASSWORD)
        if refused is not None:
            return refused
        poor = self._objection(form, live.user)
        if poor is not None:
            return self._password_form(request, live, *poor)
        wrong = self._judge(request, live, form["current_password"], form["code"])
        if isinstance(wrong, Answer):
            return wrong
        if wrong is not None:
            return self._password_form(request, live, wrong)
        return self._changed(request, live, form["password"])

    def _objection(self, form: Mapping[str, str], user: User) -> tuple[str, str] | None:
        """Return what speaks against the new password, and in which field, or None."""
        if form["password"] != form["password_again"]:
            return _DIFFERENT, "password_again"
        reasons = self._enrollment.judge(form["password"], user)
        return (" ".join(reasons), "password") if reasons else None

    def _changed(self, request: PageRequest, live: Live, password: str) -> Answer:
        try:
            token = self._owner.change_password(
                live.session,
                live.user,
                password,
                host=request.origin.host,
                now=request.now,
            )
        except NotFound:
            return self._desk.go(self._desk.link("/login"))
        self._desk.audit.event(
            request, "password-changed", "success", user=live.user.name
        )
        # What knew the owner ended with the old password; this browser goes on.
        known = self._entrance.make_known(request, live.user)
        answer = self._to_account(request, live, token, "password")
        answer.headers.add("Set-Cookie", known)
        return answer

    def _to_account(
        self,
        request: PageRequest,
        live: Live,
        token: str,
        what: str,
        section: str = "",
    ) -> Answer:
        account = self._desk.tell(
            request, "/account", what, live.user.name, section=section
        )
        return self._entrance.handback.go_on(request, live.session, token, account)

    def _elsewhere(self, request: PageRequest) -> Answer:
        return self._desk.trouble.answer(
            request.environ,
            403,
            title="Your password is not changed here",
            message=_ELSEWHERE,
            home_url=self._desk.link("/account"),
        )

    def _judge(
        self, request: PageRequest, live: Live, password: str, code: str
    ) -> Answer | str | None:
        """Return None where both are right, what to say, or the answer that refuses."""
        user = live.user
        visitor = request.visitor(self._entrance.device(request, user))
        result = self._owner.prove(user, password, code, visitor, now=request.now)
        if result is None:
            self._note(request, live, "code", "success")
            return None
        if isinstance(result, Wait):
            self._note(request, live, "password", "locked")
            return self._desk.wait(request, result)
        step = _step(result)
        self._note(request, live, step, "failure")
        self._desk.note_last(request, result, step, user=user.name)
        if step == "password":
            return _WRONG
        return self._wrong.explain(request, user, code, _WRONG)

    def _note(self, request: PageRequest, live: Live, step: str, outcome: str) -> None:
        event = "proof.password" if step == "password" else "proof.code"
        self._desk.audit.event(
            request, event, outcome, user=live.user.name, session=live.session.id
        )

    def _refuse(
        self, request: PageRequest, live: Live, token: str, page: str
    ) -> Answer | None:
        refused = self._desk.refuse_form(
            request, token, page, live.session.id, user=live.user.name
        )
        if refused is None and page == _PASSWORD and live.user.source != "store":
            return self._elsewhere(request)
        return refused

    def _confirm_form(
        self, request: PageRequest, live: Live, section: str, notice: str | None = None
    ) -> Answer:
        return self._desk.pages.render(
            "confirm.html",
            status=401 if notice else 200,
            headers=[("WWW-Authenticate", AUTHENTICATE)] if notice else [],
            user=live.user.display or live.user.name,
            form=self._desk.form(
                request, _CONFIRM, live.session.id, hidden={"section": section}
            ),
            notice=notice,
            username=live.user.name,
            **self._owner.factors.shape(live.user),
            what=_WHAT,
        )

    def _password_form(
        self,
        request: PageRequest,
        live: Live,
        notice: str | None = None,
        field: str | None = None,
    ) -> Answer:
        return self._desk.pages.render(
            "change_password.html",
            status=400 if notice else 200,
            user=live.user.display or live.user.name,
            form=self._desk.form(request, _PASSWORD, live.session.id),
            notice=notice,
            notice_field=field,
            username=live.user.name,
            min_length=self._enrollment.requirements.min_length,
            **self._owner.factors.shape(live.user),
        )


def _step(result: Wrong) -> str:
    return "password" if result.reason == "password" else "code"
