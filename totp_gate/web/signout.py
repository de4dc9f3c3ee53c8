"""The page that signs out."""

from __future__ import annotations

from totp_gate.accounts.sessions import Sessions
from totp_gate.web.desk import FORM_TOO_OLD, Desk
from totp_gate.web.pages import Answer
from totp_gate.web.request import PageRequest


class SignOutPages:
    """Sign-out, of a session or of a sign-in that is half done."""

    def __init__(self, desk: Desk, sessions: Sessions) -> None:
        self._desk = desk
        self._sessions = sessions

    def show_logout(self, request: PageRequest) -> Answer:
        """Return the form that signs out; by itself this changes nothing."""
        if request.live is None:
            return self._signed_out()
        form = self._desk.form(request, "/logout", request.live.session.id)
        user = request.live.user
        return self._desk.pages.render(
            "logout.html", form=form, user=user.display or user.name
        )

    def logout(self, request: PageRequest) -> Answer:
        """End the session, or the half-done sign-in, of this browser."""
        form = request.form("csrf_token")
        desk = self._desk
        live = request.live
        binding = live.session.id if live else desk.prelogin(request).binding
        ours = desk.forms.check(form["csrf_token"], "/logout", binding, now=request.now)
        if not request.is_from_here() or not ours:
            return self._refuse_logout(request)
        if live is not None and request.token is not None:
            self._sessions.end_token(request.token)
            desk.audit.event(
                request,
                "sign-out",
                "success",
                user=live.user.name,
                session=live.session.id,
            )
        expired = [desk.expire(name) for name in (desk.names.session, desk.names.login)]
        if live is None:
            return desk.go(desk.link("/login", desk.place(request)), expired)
        answer = self._signed_out()
        answer.headers["Clear-Site-Data"] = '"cache"'
        for line in expired:
            answer.headers.add("Set-Cookie", line)
        return answer

    def _refuse_logout(self, request: PageRequest) -> Answer:
        self._desk.audit.event(request, "form-refused", "failure", detail="/logout")
        return self._desk.trouble.answer(
            request.environ,
            403,
            message=FORM_TOO_OLD,
            home_url=self._desk.link("/logout"),
        )

    def _signed_out(self) -> Answer:
        return self._desk.pages.render(
            "signed_out.html", login_url=self._desk.link("/login")
        )
