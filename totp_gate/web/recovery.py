"""The page of the recovery codes: the way in for whoever has lost the authenticator."""

from __future__ import annotations

from totp_gate.accounts.guessing import Wait
from totp_gate.accounts.signin import SignIn, Wrong
from totp_gate.web.desk import Desk
from totp_gate.web.entrance import Entrance
from totp_gate.web.halfway import Half, HalfWay
from totp_gate.web.pages import Answer
from totp_gate.web.request import PageRequest

PAGE = "/recovery"
_WRONG = "That recovery code was not right, or it was used before."


class RecoveryPages:
    """A recovery code instead of a code of the authenticator."""

    def __init__(
        self, desk: Desk, signin: SignIn, entrance: Entrance, halfway: HalfWay
    ) -> None:
        self._desk = desk
        self._signin = signin
        self._entrance = entrance
        self._halfway = halfway

    def show(self, request: PageRequest) -> Answer:
        """Return the form for a recovery code."""
        half = self._halfway.find(request)
        return half if isinstance(half, Answer) else self._form(request, half)

    def recover(self, request: PageRequest) -> Answer:
        """Judge a recovery code; sign in, and lead on to connecting a new device."""
        form = request.form("code", "csrf_token")
        half = self._halfway.post(request, form["csrf_token"], PAGE, self._form)
        if isinstance(half, Answer):
            return half
        user, audit = half.user, self._desk.audit
        visitor = request.visitor(self._entrance.device(request, user))
        result = self._signin.prove_recovery(
            user, form["code"], visitor, now=request.now
        )
        if isinstance(result, Wait):
            audit.sign_in(request, "recovery", "locked", user=user.name)
            return self._desk.wait(request, result)
        if isinstance(result, Wrong):
            audit.sign_in(request, "recovery", "failure", user=user.name)
            self._desk.note_last(request, result, "code", user=user.name)
            return self._form(request, half, status=401, notice=_WRONG)
        return self._enter(request, half)

    def _enter(self, request: PageRequest, half: Half) -> Answer:
        """Begin the session, which remembers that the device is lost."""
        desk = self._desk
        session, cookies = self._entrance.enter(
            request, half.state, half.user, recovered=True
        )
        desk.audit.sign_in(
            request, "recovery", "success", user=half.user.name, session=session
        )
        return desk.go(desk.link("/enroll", desk.place(request)), cookies)

    def _form(
        self,
        request: PageRequest,
        half: Half,
        *,
        status: int = 200,
        notice: str | None = None,
    ) -> Answer:
        back = self._desk.link("/second-factor", self._desk.place(request))
        return self._halfway.render(
            "recovery.html",
            request,
            half,
            PAGE,
            status=status,
            notice=notice,
            second_factor_url=back,
        )
