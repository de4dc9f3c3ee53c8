"""The pages of sign-in and sign-out."""

from __future__ import annotations

from totp_gate.accounts.guessing import Wait
from totp_gate.accounts.sessions import Sessions
from totp_gate.accounts.signin import SignIn, Wrong
from totp_gate.core.headers import plain
from totp_gate.model import Authenticator, LoginState, User
from totp_gate.web.admit import AUTHENTICATE
from totp_gate.web.desk import DOCUMENT_ELSEWHERE, FORM_TOO_OLD, Desk
from totp_gate.web.pages import Answer
from totp_gate.web.prelogin import PreLogin
from totp_gate.web.request import PageRequest

LONGEST_NAME = 256
_NO_MATCH = "That did not match. Check the user name and the password."
_NO_CODE = "That code was not right. Wait for the next one and try again."


class SignInPages:
    """Password, code, sign-out.

    Args:
        first_login: a right password may enroll the first authenticator.
    """

    def __init__(
        self, desk: Desk, signin: SignIn, sessions: Sessions, *, first_login: bool
    ) -> None:
        self._desk = desk
        self._signin = signin
        self._sessions = sessions
        self._first_login = first_login

    def show_login(self, request: PageRequest) -> Answer:
        """Return the form for name and password."""
        place = self._desk.place(request)
        if request.live is not None:
            return self._desk.go(place or "/")
        return self._login_form(request, self._desk.prelogin(request))

    def login(self, request: PageRequest) -> Answer:
        """Judge name and password."""
        form = request.form("username", "password", "csrf_token")
        prelogin = self._desk.prelogin(request)
        refused = self._refuse_form(request, prelogin, form["csrf_token"], "/login")
        if refused is not None:
            return refused
        typed = form["username"][:LONGEST_NAME]
        result = self._signin.prove_password(
            typed,
            form["password"],
            request.visitor(),
            binding=prelogin.binding,
            now=request.now,
        )
        audit = self._desk.audit
        if isinstance(result, Wait):
            audit.sign_in(request, "password", "locked", user=typed, known=False)
            return self._wait(request, result)
        if isinstance(result, Wrong):
            known = result.reason != "unknown-user"
            audit.sign_in(
                request, "password", "failure", result.reason, user=typed, known=known
            )
            return self._login_form(
                request, prelogin, status=401, notice=_NO_MATCH, username=typed
            )
        audit.sign_in(request, "password", "success", user=result.user)
        return self._after_password(request, prelogin, result)

    def show_second_factor(self, request: PageRequest) -> Answer:
        """Return the form for the code."""
        prelogin = self._desk.prelogin(request)
        user = self._half_way(request, prelogin)
        if user is None:
            return self._start_over(request)
        return self._code_form(request, prelogin, user)

    def second_factor(self, request: PageRequest) -> Answer:
        """Judge the code and begin the session."""
        form = request.form("code", "csrf_token", optional=("trust_device",))
        prelogin = self._desk.prelogin(request)
        user = self._half_way(request, prelogin)
        if user is None or prelogin.state is None:
            return self._start_over(request)
        token = form["csrf_token"]
        refused = self._refuse_form(request, prelogin, token, "/second-factor", user)
        if refused is not None:
            return refused
        result = self._signin.prove_code(
            user, form["code"], request.visitor(), now=request.now
        )
        if isinstance(result, Authenticator):
            return self.finish(request, prelogin.state, user)
        audit = self._desk.audit
        if isinstance(result, Wait):
            audit.sign_in(request, "code", "locked", user=user.name)
            return self._wait(request, result)
        audit.sign_in(request, "code", "failure", result.reason, user=user.name)
        return self._code_form(request, prelogin, user, status=401, notice=_NO_CODE)

    def finish(self, request: PageRequest, state: LoginState, user: User) -> Answer:
        """Begin the session of a complete sign-in and lead on."""
        if request.token is not None:
            self._sessions.end_token(request.token)
        token, session = self._signin.begin_session(
            state, user, request.visitor(), now=request.now
        )
        self._desk.audit.sign_in(
            request, "code", "success", user=user.name, session=session.id
        )
        names = self._desk.names
        return self._desk.go(
            self._desk.place(request) or "/",
            [self._desk.bake(names.session, token), self._desk.expire(names.login)],
        )

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

    def _half_way(self, request: PageRequest, prelogin: PreLogin) -> User | None:
        if prelogin.state is None:
            return None
        return self._signin.user_of(prelogin.state, now=request.now)

    def _start_over(self, request: PageRequest) -> Answer:
        return self._desk.go(self._desk.link("/login", self._desk.place(request)))

    def _after_password(
        self, request: PageRequest, prelogin: PreLogin, state: LoginState
    ) -> Answer:
        desk = self._desk
        user = self._signin.user_of(state, now=request.now)
        if user is None:
            return self._start_over(request)
        carry = desk.with_login(prelogin, desk.login_cookie.write(state))
        if self._signin.factors.of(user):
            page = "/second-factor"
        elif self._first_login:
            page = "/enroll"
        else:
            return desk.pages.render(
                "no_authenticator.html",
                status=403,
                headers=desk.with_login(prelogin),
                username=user.name,
                cancel=desk.form(request, "/logout", prelogin.binding),
            )
        return desk.go(
            desk.link(page, desk.place(request)), [line for _, line in carry]
        )

    def _refuse_form(
        self,
        request: PageRequest,
        prelogin: PreLogin,
        token: str,
        page: str,
        user: User | None = None,
    ) -> Answer | None:
        """Return the answer to a form that is not ours, or None where it is."""
        desk = self._desk
        if not request.is_from_here():
            desk.audit.event(request, "form-refused", "failure", detail=page)
            return desk.trouble.answer(request.environ, 403, message=DOCUMENT_ELSEWHERE)
        if desk.forms.check(token, page, prelogin.binding, now=request.now):
            return None
        desk.audit.event(request, "form-refused", "failure", detail=page)
        if user is not None:
            return self._code_form(
                request, prelogin, user, status=403, notice=FORM_TOO_OLD
            )
        return self._login_form(request, prelogin, status=403, notice=FORM_TOO_OLD)

    def _login_form(
        self,
        request: PageRequest,
        prelogin: PreLogin,
        *,
        status: int = 200,
        notice: str | None = None,
        username: str = "",
    ) -> Answer:
        desk = self._desk
        place = desk.place(request)
        extra = desk.with_login(prelogin)
        if status == 401:
            extra = [*extra, ("WWW-Authenticate", AUTHENTICATE)]
        return desk.pages.render(
            "login.html",
            status=status,
            headers=extra,
            form=desk.form(request, "/login", prelogin.binding, place=place),
            notice=notice,
            username=plain(username, LONGEST_NAME),
        )

    def _code_form(
        self,
        request: PageRequest,
        prelogin: PreLogin,
        user: User,
        *,
        status: int = 200,
        notice: str | None = None,
    ) -> Answer:
        desk = self._desk
        known = self._signin.factors.of(user)
        extra = [("WWW-Authenticate", AUTHENTICATE)] if status == 401 else []
        return desk.pages.render(
            "second_factor.html",
            status=status,
            headers=extra,
            form=desk.form(
                request, "/second-factor", prelogin.binding, place=desk.place(request)
            ),
            notice=notice,
            username=user.name,
            digits=max((one.digits for one in known), default=6),
            hotp=bool(known) and all(one.kind == "hotp" for one in known),
            recovery_url=None,
            trust_days=None,
            cancel=desk.form(request, "/logout", prelogin.binding),
        )

    def _wait(self, request: PageRequest, wait: Wait) -> Answer:
        return self._desk.trouble.answer(request.environ, 429, retry_after=wait.seconds)
