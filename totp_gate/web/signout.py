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
        live = request.live or request.partial
        if live is None:
            return self._signed_out()
        form = self._desk.form(request, "/logout", live.session.id)
        user = live.user
        return self._desk.pages.render(
            "logout.html", form=form, user=user.display or user.name
        )

    def logout(self, request: PageRequest) -> Answer:
        """End the session, or the half-done sign-in, of this browser."""
        form = request.form("csrf_token")
        desk = self._desk
        live = request.live or request.partial
        if not request.is_from_here() or not self._is_ours(request, form["csrf_token"]):
            return self._refuse_logout(request)
        if live is not None and request.token is not None:
            self._sessions.end_token(request.token, request.origin.host)
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

    def _is_ours(self, request: PageRequest, token: str) -> bool:
        """Tell whether the form was shown to this session, or half-way to one."""
        live = request.live or request.partial
        bindings = [] if live is None else [live.session.id]
        if request.live is None:
            bindings.append(self._desk.prelogin(request).binding)
        return any(
            self._desk.forms.check(token, "/logout", binding, now=request.now)
            for binding in bindings
        )

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
