"""The pages that connect an authenticator, and by a link also set a password.

A link is opened by GET as often as anybody likes; only the confirming code uses it up.
Between the pages the enrollment travels sealed in the form (``accounts.enrollment``).
"""

from __future__ import annotations

from totp_gate.accounts.enrollment import PENDING_LIFE, Enrollment, Pending
from totp_gate.accounts.owner import Owner
from totp_gate.accounts.signin import SignIn
from totp_gate.core import otp
from totp_gate.core.headers import plain
from totp_gate.errors import NotFound
from totp_gate.model import Authenticator, Link, LoginState, User
from totp_gate.web import words
from totp_gate.web.desk import FORM_TOO_OLD, Desk
from totp_gate.web.entrance import Entrance
from totp_gate.web.pages import Answer
from totp_gate.web.prelogin import PreLogin
from totp_gate.web.qr import qr_svg
from totp_gate.web.request import PageRequest

_NO_CODE = (
    "That code does not fit. Check that the app shows the account you just added and "
    "that the clock of your device is right."
)
_DEAD_LINK = (
    "It was used already, or it has expired. Ask whoever looks after this place for a "
    "new one."
)


class EnrollmentPages:
    """Links, the QR page and its confirmation.

    Args:
        issuer: how authenticator apps title the account.
        first_login: a right password may enroll the first authenticator.
    """

    def __init__(
        self,
        desk: Desk,
        enrollment: Enrollment,
        signin: SignIn,
        owner: Owner,
        entrance: Entrance,
        *,
        issuer: str,
        first_login: bool,
    ) -> None:
        self._desk = desk
        self._enrollment = enrollment
        self._signin = signin
        self._owner = owner
        self._entrance = entrance
        self._issuer = issuer
        self._first_login = first_login

    def show(self, request: PageRequest) -> Answer:
        """Return a fresh QR page for somebody on the way to being signed in.

        Whoever is signed in already comes by the form of the account page, so that no
        reload shows a key.
        """
        prelogin = self._desk.prelogin(request)
        live = request.live
        if live is not None and not self._has_recovered(request, prelogin, live.user):
            return self._desk.go(self._desk.link("/account"))
        user = self._may_enroll(request, prelogin)
        if user is None:
            place = self._desk.place(request)
            return self._desk.go(self._desk.link("/login", place))
        return self.begin(request, user)

    def begin(self, request: PageRequest, user: User) -> Answer:
        """Return a fresh QR page for *user*, who may add an authenticator."""
        pending = self._enrollment.draw(user.name, now=request.now)
        prelogin = self._desk.prelogin(request)
        told = None
        if self._has_recovered(request, prelogin, user):
            told = words.recovered(self._entrance.recovery.left(user.name))
        return self._qr_page(request, prelogin, pending, told=told)

    def confirm(self, request: PageRequest) -> Answer:
        """Judge the confirming code; what was drawn becomes an authenticator."""
        form = request.form("code", "csrf_token", "enrollment", optional=("name",))
        prelogin = self._desk.prelogin(request)
        refused = self._refuse(request, prelogin, form["csrf_token"], "/enroll")
        if refused is not None:
            return refused
        pending = self._enrollment.unpack(
            form["enrollment"], _binding(request, prelogin), now=request.now
        )
        if pending is None:
            return self._over(request, FORM_TOO_OLD)
        if not pending.link and not self._may_finish(request, prelogin, pending):
            return self._over(request, FORM_TOO_OLD)
        try:
            done = self._enrollment.confirm(
                pending,
                form["code"],
                name=plain(form["name"].strip(), 64),
                now=request.now,
                only=not pending.link and request.live is None,
            )
        except NotFound:
            self._note(request, pending, "failure")
            return self._over(request, _DEAD_LINK if pending.link else FORM_TOO_OLD)
        if done is None:
            return self._qr_page(
                request, prelogin, pending, status=400, notice=_NO_CODE
            )
        self._note(request, pending, "success")
        return self._lead_on(request, prelogin, pending, done)

    def show_link(self, request: PageRequest, secret: str) -> Answer:
        """Return the page a link opens; nothing is used up by it."""
        link = self._enrollment.look_up(secret, now=request.now)
        if link is None:
            return self._dead(request)
        prelogin = self._desk.prelogin(request)
        page = f"/enroll/{secret}"
        return self._desk.pages.render(
            "enroll_open.html",
            headers=self._desk.with_login(prelogin),
            form=self._desk.form(request, page, _binding(request, prelogin)),
            username=link.user,
            purpose=link.purpose,
        )

    def begin_link(self, request: PageRequest, secret: str) -> Answer:
        """Go on from the opened link: ask for a password, then show the QR page."""
        form = request.form("csrf_token", optional=("password", "password_again"))
        link = self._enrollment.look_up(secret, now=request.now)
        if link is None:
            return self._dead(request)
        prelogin = self._desk.prelogin(request)
        page = f"/enroll/{secret}"
        refused = self._refuse(request, prelogin, form["csrf_token"], page)
        if refused is not None:
            return refused
        if link.purpose == "authenticator":
            pending = self._enrollment.draw(
                link.user, now=request.now, link=link.digest
            )
            return self._qr_page(request, prelogin, pending)
        password = form["password"]
        if not password:
            return self._password_page(request, prelogin, link, page)
        notice = self._objection(link, password, form["password_again"])
        if notice:
            return self._password_page(request, prelogin, link, page, notice)
        pending = self._enrollment.draw(
            link.user, now=request.now, link=link.digest, password=password
        )
        return self._qr_page(request, prelogin, pending)

    def _objection(self, link: Link, password: str, again: str) -> str:
        if password != again:
            return "The two passwords are not the same. Please type them again."
        return " ".join(self._enrollment.judge(password, link.user))

    def _lead_on(
        self,
        request: PageRequest,
        prelogin: PreLogin,
        pending: Pending,
        done: Authenticator,
    ) -> Answer:
        user = self._enrollment.user_of(pending)
        if user is None:
            return self._over(request, FORM_TOO_OLD)
        if pending.password_hash:
            proven = LoginState(
                user=user.name,
                binding=prelogin.binding,
                at=request.now,
                credential=user.credential,
            )
            return self._entrance.finish_enrolled(request, proven, user)
        if pending.link:
            self._owner.factor_added(user.name)
            return self._desk.go(self._desk.link("/login"))
        if request.live is not None:
            return self._added(request, prelogin, user, done)
        if prelogin.state is None:
            return self._over(request, FORM_TOO_OLD)
        return self._entrance.finish_enrolled(request, prelogin.state, user)

    def _added(
        self,
        request: PageRequest,
        prelogin: PreLogin,
        user: User,
        done: Authenticator,
    ) -> Answer:
        """End what the new authenticator replaces or outdates; go to the account."""
        session = "" if request.live is None else request.live.session.id
        lost = self._has_recovered(request, prelogin, user)
        self._owner.factor_added(
            user.name, keep=session, instead=done.id if lost else ""
        )
        cookies = [
            self._desk.expire(self._desk.names.login),
            self._entrance.make_known(request, user),
        ]
        return self._desk.go(self._desk.link("/account"), cookies)

    def _may_enroll(self, request: PageRequest, prelogin: PreLogin) -> User | None:
        """Return who may enroll, or None.

        After a proven password where that is enough, after a recovery code, or signed
        in and with everything proven lately.
        """
        live = request.live
        if live is not None:
            fresh = self._owner.is_fresh(live.session, now=request.now)
            recovered = self._has_recovered(request, prelogin, live.user)
            return live.user if fresh or recovered else None
        if prelogin.state is None or not self._first_login:
            return None
        user = self._signin.user_of(prelogin.state, now=request.now, life=PENDING_LIFE)
        if user is None or self._signin.factors.of(user):
            return None
        return user

    def _may_finish(
        self, request: PageRequest, prelogin: PreLogin, pending: Pending
    ) -> bool:
        user = self._may_enroll(request, prelogin)
        return user is not None and user.name == pending.user

    def _has_recovered(
        self, request: PageRequest, prelogin: PreLogin, user: User
    ) -> bool:
        """Tell whether *user* has just signed in by a recovery code, here."""
        state = prelogin.state
        if state is None or not state.recovered or state.user != user.name:
            return False
        return 0 <= request.now - state.at < PENDING_LIFE

    def _refuse(
        self, request: PageRequest, prelogin: PreLogin, token: str, page: str
    ) -> Answer | None:
        binding = _binding(request, prelogin)
        return self._desk.refuse_form(request, token, page, binding, detail="/enroll")

    def _over(self, request: PageRequest, message: str) -> Answer:
        return self._desk.trouble.answer(
            request.environ,
            404,
            title="This does not work any more",
            message=message,
            login_url=self._desk.link("/login"),
        )

    def _dead(self, request: PageRequest) -> Answer:
        self._desk.audit.event(request, "link.refused", "failure")
        return self._over(request, _DEAD_LINK)

    def _note(self, request: PageRequest, pending: Pending, outcome: str) -> None:
        self._desk.audit.event(
            request,
            "enrollment",
            outcome,
            user=pending.user,
            detail="link" if pending.link else "own",
        )

    def _password_page(
        self,
        request: PageRequest,
        prelogin: PreLogin,
        link: Link,
        page: str,
        notice: str | None = None,
    ) -> Answer:
        return self._desk.pages.render(
            "enroll_password.html",
            status=400 if notice else 200,
            headers=self._desk.with_login(prelogin),
            form=self._desk.form(request, page, _binding(request, prelogin)),
            notice=notice,
            username=link.user,
            min_length=self._enrollment.requirements.min_length,
        )

    def _qr_page(
        self,
        request: PageRequest,
        prelogin: PreLogin,
        pending: Pending,
        *,
        status: int = 200,
        notice: str | None = None,
        told: str | None = None,
    ) -> Answer:
        factor = pending.factor
        live = request.live
        uri = self._uri(pending)
        binding = _binding(request, prelogin)
        packed = self._enrollment.pack(pending, binding)
        form = self._desk.form(
            request,
            "/enroll",
            binding,
            place=self._desk.place(request),
            hidden={"enrollment": packed},
        )
        return self._desk.pages.render(
            "enroll.html",
            status=status,
            headers=self._desk.with_login(prelogin),
            form=form,
            user=(live.user.display or live.user.name) if live else None,
            notice=notice or told,
            notice_kind="error" if notice else "info",
            username=pending.user,
            qr=qr_svg(uri),
            key=otp.grouped(otp.to_base32(factor.seed)),
            uri=uri,
            issuer=self._issuer,
            account=pending.user,
            digits=factor.params.digits,
            period=factor.params.period,
            algorithm=factor.params.algorithm,
            kind=factor.kind,
            name="Phone",
            steps=(2, 2) if pending.password_hash else None,
        )

    def _uri(self, pending: Pending) -> str:
        factor = pending.factor
        return otp.provisioning_uri(
            factor.seed,
            factor.params,
            issuer=self._issuer,
            account=pending.user,
            kind=factor.kind,
        )


def _binding(request: PageRequest, prelogin: PreLogin) -> str:
    return prelogin.binding if request.live is None else request.live.session.id
