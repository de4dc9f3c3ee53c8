"""The pages of sign-in: the password, then the code."""

from __future__ import annotations

from totp_gate.accounts.guessing import Wait
from totp_gate.accounts.signin import SignIn, Wrong
from totp_gate.core.headers import plain
from totp_gate.model import Authenticator, LoginState, User, canonical_name
from totp_gate.web.admit import AUTHENTICATE
from totp_gate.web.desk import FORM_TOO_OLD, NEWS, Desk
from totp_gate.web.entrance import Entrance
from totp_gate.web.halfway import Half, HalfWay
from totp_gate.web.onward import Onward
from totp_gate.web.pages import Answer
from totp_gate.web.prelogin import PreLogin
from totp_gate.web.request import PageRequest
from totp_gate.web.wrongcode import WrongCodes

LONGEST_NAME = 256
_CODE = "/second-factor"
_NO_MATCH = "That did not match. Check the user name and the password."
_NO_CODE = "That code was not right. Wait for the next one and try again."


class SignInPages:
    """Password and code.

    Args:
        first_login: a right password may enroll the first authenticator.
    """

    def __init__(
        self,
        desk: Desk,
        signin: SignIn,
        entrance: Entrance,
        onward: Onward,
        halfway: HalfWay,
        *,
        wrong: WrongCodes,
        first_login: bool,
    ) -> None:
        self._desk = desk
        self._signin = signin
        self._entrance = entrance
        self._onward = onward
        self._halfway = halfway
        self._wrong = wrong
        self._first_login = first_login

    def show_login(
        self, request: PageRequest, *, status: int = 200, notice: str | None = None
    ) -> Answer:
        """Return the form for name and password."""
        if request.live is not None:
            return self._entrance.loops.send_on(request)
        prelogin = self._desk.prelogin(request)
        return self._login_form(request, prelogin, status=status, notice=notice)

    def login(self, request: PageRequest) -> Answer:
        """Judge name and password."""
        self._signin.check_room()  # before anything that costs
        form = request.form("username", "password", "csrf_token")
        prelogin = self._desk.prelogin(request)
        refused = self._refuse_login(request, prelogin, form["csrf_token"])
        if refused is not None:
            return refused
        typed = form["username"][:LONGEST_NAME]
        result = self._signin.prove_password(
            typed,
            form["password"],
            request.visitor(self._known_as(request, typed)),
            binding=prelogin.binding,
            now=request.now,
        )
        audit, name = self._desk.audit, canonical_name(typed)
        if isinstance(result, Wait):
            audit.sign_in(request, "password", "locked", user=name, known=result.known)
            return self._desk.wait(request, result)
        if isinstance(result, Wrong):
            known = result.reason != "unknown-user"
            audit.sign_in(
                request, "password", "failure", result.reason, user=name, known=known
            )
            self._desk.note_last(request, result, "password", user=name, known=known)
            return self._login_form(
                request, prelogin, status=401, notice=_NO_MATCH, username=typed
            )
        audit.sign_in(request, "password", "success", user=result.user)
        return self._after_password(request, prelogin, result)

    def show_second_factor(self, request: PageRequest) -> Answer:
        """Return the form for the code."""
        half = self._halfway.find(request)
        if isinstance(half, Answer):
            return half
        if not self._signin.factors.of(half.user):
            return self._ask_for_more(request, half.prelogin, half.user, [])
        return self._code_form(request, half)

    def second_factor(self, request: PageRequest) -> Answer:
        """Judge the code and begin the session."""
        form = request.form("code", "csrf_token", optional=("trust_device",))
        half = self._halfway.post(request, form["csrf_token"], _CODE, self._code_form)
        if isinstance(half, Answer):
            return half
        user, audit = half.user, self._desk.audit
        visitor = request.visitor(self._entrance.device(request, user))
        result = self._signin.prove_code(user, form["code"], visitor, now=request.now)
        if isinstance(result, Authenticator):
            trust = bool(self._entrance.browsers.trust and form["trust_device"])
            return self._entrance.finish(request, half.state, user, trust=trust)
        if isinstance(result, Wait):
            audit.sign_in(request, "code", "locked", user=user.name)
            return self._desk.wait(request, result)
        audit.sign_in(request, "code", "failure", result.reason, user=user.name)
        self._desk.note_last(request, result, "code", user=user.name)
        notice = self._wrong.explain(request, user, form["code"], _NO_CODE)
        return self._code_form(request, half, status=401, notice=notice)

    def _after_password(
        self, request: PageRequest, prelogin: PreLogin, state: LoginState
    ) -> Answer:
        desk = self._desk
        user = self._signin.user_of(state, now=request.now)
        if user is None:
            return self._halfway.start_over(request)
        factors = self._signin.factors.of(user)
        passed = self._pass_trusted(request, state, user) if factors else None
        if passed is not None:
            return passed
        carry = desk.with_login(prelogin, desk.login_cookie.write(state))
        lines = [line for _, line in carry]
        place = desk.place(request) or "/"
        had = request.partial is not None and request.partial.user.name == user.name
        if not had and self._onward.takes_password(request, place, user):
            lines += self._entrance.enter_partially(request, state, user)
            return desk.go(place, lines)
        return self._ask_for_more(request, prelogin, user, lines)

    def _ask_for_more(
        self, request: PageRequest, prelogin: PreLogin, user: User, lines: list[str]
    ) -> Answer:
        """Lead on to the code, or to what has to come before there can be one."""
        desk = self._desk
        if self._signin.factors.of(user):
            page = _CODE
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
        return desk.go(desk.link(page, desk.place(request)), lines)

    def _pass_trusted(
        self, request: PageRequest, state: LoginState, user: User
    ) -> Answer | None:
        """Return the answer where a trusted browser stands for the code, else None."""
        shown = request.cookie(self._desk.names.device)
        passing = self._entrance.browsers.pass_code(shown, user, now=request.now)
        if passing.how == "replayed":
            self._desk.audit.event(
                request, "browser.replayed", "failure", user=user.name
            )
        if passing.how not in {"rotated", "grace"}:
            return None
        onward = self._entrance.onward(request, user)
        if self._entrance.news(user.name):
            onward = self._desk.link(NEWS, self._desk.place(request))
        session, cookies = self._entrance.enter(request, state, user, passing=passing)
        self._desk.audit.event(
            request, "browser.passed", "success", user=user.name, session=session
        )
        return self._desk.go(onward, cookies)

    def _known_as(self, request: PageRequest, typed: str) -> str:
        """Return the series by which this browser is known to whom *typed* names."""
        if request.cookie(self._desk.names.device) is None:
            return ""
        return self._entrance.device(request, User(name=canonical_name(typed)))

    def _refuse_login(
        self, request: PageRequest, prelogin: PreLogin, token: str
    ) -> Answer | None:
        """Return the answer to a form that is not ours, or None where it is."""
        desk, page = self._desk, "/login"
        ours = desk.forms.check(token, page, prelogin.binding, now=request.now)
        if request.live is not None and request.is_from_here() and not ours:
            # A page left open while another tab signed in: there is nothing to ask.
            return desk.go(desk.place(request) or "/")

        def again() -> Answer:
            lost = self._entrance.loops.lost_cookie(request, token, page)
            return lost or self._login_form(
                request, prelogin, status=403, notice=FORM_TOO_OLD
            )

        return desk.refuse_form(request, token, page, prelogin.binding, again=again)

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
        told = None if notice else desk.told(request, prelogin.binding)
        extra = desk.with_login(prelogin)
        if status == 401:
            extra = [*extra, ("WWW-Authenticate", AUTHENTICATE)]
        return desk.pages.render(
            "login.html",
            status=status,
            headers=extra,
            form=desk.form(request, "/login", prelogin.binding, place=place),
            notice=told.text if told else notice,
            notice_kind=told.kind if told else "error",
            username=plain(username, LONGEST_NAME),
        )

    def _code_form(
        self,
        request: PageRequest,
        half: Half,
        *,
        status: int = 200,
        notice: str | None = None,
    ) -> Answer:
        user = half.user
        return self._halfway.render(
            "second_factor.html",
            request,
            half,
            _CODE,
            status=status,
            notice=notice or self._entrance.news(user.name),
            notice_kind="error" if notice else "info",
            **self._signin.factors.shape(user),
            recovery_url=self._desk.link("/recovery", self._desk.place(request)),
            recovery_left=self._entrance.recovery.left(user.name),
            trust_hours=self._entrance.browsers.trust // 3600 or None,
        )
