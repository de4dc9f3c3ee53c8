"""Connecting an authenticator: who may, and what follows the confirming code.

Only that code uses a link up (``web.links``). Between the pages the enrollment travels
sealed in the form (``accounts.enrollment``).
"""

from __future__ import annotations

from totp_gate.accounts.enrollment import (
    PENDING_LIFE,
    Circumstances,
    Enrollment,
    Pending,
)
from totp_gate.accounts.live import Live
from totp_gate.accounts.owner import Owner
from totp_gate.accounts.signin import SignIn
from totp_gate.core.headers import plain
from totp_gate.errors import NotFound
from totp_gate.model import AuthenticatorKind, LoginState, User
from totp_gate.web import words
from totp_gate.web.desk import FORM_TOO_OLD, Desk
from totp_gate.web.drawn import PAGE, DrawnPage, binding_of
from totp_gate.web.entrance import Entrance
from totp_gate.web.links import DEAD, DEAD_LINK
from totp_gate.web.pages import Answer
from totp_gate.web.prelogin import PreLogin
from totp_gate.web.request import PageRequest

_OVER = "This does not work any more"
_NO_CODE = (
    "That code is not right. Check that the app shows the account you just added and "
    "that the clock of your device is right."
)
_NO_COUNT = (
    "That code is not right. Check that it is of the account you just added, and make "
    "the next one."
)


class EnrollmentPages:
    """The QR page for who may connect an authenticator, and its confirmation.

    Args:
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
        drawn: DrawnPage,
        first_login: bool,
    ) -> None:
        self._desk = desk
        self._enrollment = enrollment
        self._signin = signin
        self._owner = owner
        self._entrance = entrance
        self._drawn = drawn
        self._first_login = first_login

    def show(self, request: PageRequest) -> Answer:
        """Return a fresh QR page for somebody on the way to being signed in.

        Whoever is signed in already comes by the form of the account page, so that no
        reload shows a key.
        """
        live = request.live
        if live is not None and not self._has_recovered(request, live):
            return self._desk.go(self._desk.link("/account"))
        user = self._may_enroll(request, self._desk.prelogin(request))
        if user is None:
            place = self._desk.place(request)
            return self._desk.go(self._desk.link("/login", place))
        return self.begin(request, user)

    def begin(
        self, request: PageRequest, user: User, kind: AuthenticatorKind = "totp"
    ) -> Answer:
        """Return a fresh QR page for *user*, who may add an authenticator."""
        pending = self._enrollment.draw(user.name, now=request.now, kind=kind)
        told = None
        if request.live is not None and self._has_recovered(request, request.live):
            told = words.recovered(self._entrance.recovery.left(user.name))
        prelogin = self._desk.prelogin(request)
        return self._drawn.show(request, prelogin, pending, told=told)

    def confirm(self, request: PageRequest) -> Answer:
        """Judge the confirming code; what was drawn becomes an authenticator."""
        form = request.form("code", "csrf_token", "enrollment", optional=("name",))
        prelogin = self._desk.prelogin(request)
        refused = self._drawn.refuse(request, prelogin, form["csrf_token"], PAGE)
        if refused is not None:
            return refused
        pending = self._enrollment.unpack(
            form["enrollment"], binding_of(request, prelogin), now=request.now
        )
        before = None if pending is None else self._may_finish(request, pending)
        if pending is None or before is None:
            return self._no_more(request, pending)
        try:
            done = self._enrollment.confirm(
                pending,
                form["code"],
                name=plain(form["name"].strip(), 64),
                now=request.now,
                **self._circumstances(request, pending),
            )
        except NotFound:
            return self._no_more(request, pending)
        if not done:
            wrong = _NO_COUNT if pending.factor.kind == "hotp" else _NO_CODE
            return self._drawn.show(
                request, prelogin, pending, status=400, notice=wrong
            )
        self._note(request, pending, "success")
        return self._lead_on(request, prelogin, pending, before)

    def _no_more(self, request: PageRequest, pending: Pending | None) -> Answer:
        """Answer where nothing can be confirmed: it is too late, or done already."""
        if pending is None:
            return self._drawn.over(request, _OVER, FORM_TOO_OLD)
        if self._enrollment.is_confirmed(pending):  # its form was sent twice
            return self._desk.go(self._desk.link("/account"))
        self._note(request, pending, "failure")
        gone = (DEAD, DEAD_LINK) if pending.link else (_OVER, FORM_TOO_OLD)
        return self._drawn.over(request, *gone)

    def _lead_on(
        self,
        request: PageRequest,
        prelogin: PreLogin,
        pending: Pending,
        before: User,
    ) -> Answer:
        """Lead on; *before* is the user as they were."""
        user = self._enrollment.user_of(pending)
        if user is None:
            return self._drawn.over(request, _OVER, FORM_TOO_OLD)
        if pending.password_hash:
            return self._enter_by_link(request, prelogin, before, user)
        if pending.link:
            return self._connected(request, prelogin, user)
        if request.live is not None:
            return self._added(request, request.live)
        if prelogin.state is None:
            return self._drawn.over(request, _OVER, FORM_TOO_OLD)
        return self._entrance.finish_enrolled(
            request, prelogin.state, user, first=self._is_first(user)
        )

    def _enter_by_link(
        self, request: PageRequest, prelogin: PreLogin, before: User, user: User
    ) -> Answer:
        """Begin the session of who has a new password, and perhaps had one before."""
        proven = LoginState(
            user=user.name,
            binding=prelogin.binding,
            at=request.now,
            credential=user.credential,
        )
        first = before.password_hash is None and self._is_first(user)
        try:
            return self._entrance.finish_enrolled(request, proven, user, first=first)
        finally:  # after the sign-in, or it would be no news at the next one
            if before.password_hash is not None:
                self._desk.audit.event(
                    request,
                    "password-changed",
                    "success",
                    user=user.name,
                    detail=words.BY_LINK,
                )

    def _connected(
        self, request: PageRequest, prelogin: PreLogin, user: User
    ) -> Answer:
        """Lead to the sign-in that a link without a password does not stand for."""
        desk, live = self._desk, request.live
        if live is not None:
            what = "connected" if live.user.name == user.name else "for-another"
            return desk.go(desk.tell(request, "/account", what, live.user.name))
        page = desk.tell(request, "/login", "sign-in", prelogin.binding)
        return desk.go(page, [line for _, line in desk.with_login(prelogin)])

    def _is_first(self, user: User) -> bool:
        return not self._entrance.recovery.left(user.name)

    def _added(self, request: PageRequest, live: Live) -> Answer:
        """Lead on who has one more authenticator, or one in place of all others."""
        desk, session = self._desk, live.session
        if not self._has_recovered(request, live):
            known = self._entrance.make_known(request, live.user)
            page = desk.tell(request, "/account", "connected", live.user.name)
            return desk.go(page, [known])
        try:
            token, new = self._owner.begin_anew(
                session, host=request.origin.host, now=request.now
            )
        except NotFound:
            return desk.go(desk.link("/login", desk.place(request)))
        lines = [self._entrance.make_known(request, live.user)]
        if not self._entrance.recovery.left(live.user.name):
            onward, more = self._entrance.codes_for(request, live.user.name, new)
            lines += more
        else:
            onward = self._entrance.onward(request, live.user)
            if onward == "/":
                onward = desk.tell(request, "/account", "replaced", live.user.name)
        return self._entrance.handback.go_on(request, session, token, onward, lines)

    def _may_enroll(self, request: PageRequest, prelogin: PreLogin) -> User | None:
        """Return who may enroll, or None.

        After a proven password where that is enough, after a recovery code, or signed
        in and with everything proven lately.
        """
        live = request.live
        if live is not None:
            fresh = self._owner.is_fresh(live.session, now=request.now)
            return live.user if fresh or self._has_recovered(request, live) else None
        if prelogin.state is None or not self._first_login:
            return None
        user = self._signin.user_of(prelogin.state, now=request.now, life=PENDING_LIFE)
        if user is None or self._signin.factors.of(user):
            return None
        return user

    def _may_finish(self, request: PageRequest, pending: Pending) -> User | None:
        """Return whose enrollment it is, as they are now, where they may finish it."""
        if pending.link:
            return self._enrollment.user_of(pending)
        user = self._may_enroll(request, self._desk.prelogin(request))
        return user if user is not None and user.name == pending.user else None

    def _circumstances(self, request: PageRequest, pending: Pending) -> Circumstances:
        """Return beside what the new authenticator comes, and what it ends."""
        live = request.live
        if live is None:
            return {"only": not pending.link}
        if live.user.name != pending.user or pending.password_hash:
            return {}
        instead = not pending.link and self._has_recovered(request, live)
        return {"instead": instead, "keep": live.session.id}

    def _has_recovered(self, request: PageRequest, live: Live) -> bool:
        return self._owner.has_recovered(live.session, now=request.now)

    def _note(self, request: PageRequest, pending: Pending, outcome: str) -> None:
        self._desk.audit.event(
            request,
            "enrollment",
            outcome,
            user=pending.user,
            detail=words.BY_LINK if pending.link else "own",
        )
