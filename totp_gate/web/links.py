"""The pages a one-time link opens, up to the page with the QR code.

A link is opened by GET as often as anybody likes; only the confirming code uses it up
(``web.enrollment``).
"""

from __future__ import annotations

from totp_gate.accounts.enrollment import Enrollment
from totp_gate.model import Link, User
from totp_gate.web.desk import Desk
from totp_gate.web.drawn import DrawnPage, binding_of
from totp_gate.web.pages import Answer
from totp_gate.web.prelogin import PreLogin
from totp_gate.web.request import PageRequest

DEAD = "This link was used already, or it has expired"
DEAD_LINK = "Ask the administrator for a new one."


class LinkPages:
    """The opened link, and the new password."""

    def __init__(self, desk: Desk, enrollment: Enrollment, drawn: DrawnPage) -> None:
        self._desk = desk
        self._enrollment = enrollment
        self._drawn = drawn

    def show(self, request: PageRequest, secret: str) -> Answer:
        """Return the page a link opens; nothing is used up by it."""
        link = self._enrollment.look_up(secret, now=request.now)
        if link is None:
            return self._dead(request)
        prelogin = self._desk.prelogin(request)
        page, live = f"/enroll/{secret}", request.live
        other = live.user if live and live.user.name != link.user else None
        return self._desk.pages.render(
            "enroll_open.html",
            headers=self._desk.with_login(prelogin),
            form=self._desk.form(request, page, binding_of(request, prelogin)),
            username=link.user,
            purpose=link.purpose,
            other=(other.display or other.name) if other else None,
        )

    def begin(self, request: PageRequest, secret: str) -> Answer:
        """Go on from the opened link: ask for a password, then show the QR page."""
        form = request.form("csrf_token", optional=("password", "password_again"))
        link = self._enrollment.look_up(secret, now=request.now)
        user = None if link is None else self._enrollment.user_of(link)
        if link is None or user is None:
            return self._dead(request)
        prelogin = self._desk.prelogin(request)
        page = f"/enroll/{secret}"
        refused = self._drawn.refuse(request, prelogin, form["csrf_token"], page)
        if refused is not None:
            return refused
        if link.purpose == "authenticator":
            pending = self._enrollment.draw(
                link.user, now=request.now, link=link.digest
            )
            return self._drawn.show(request, prelogin, pending)
        password = form["password"]
        if not password:
            return self._password_page(request, prelogin, link, page)
        notice = self._objection(user, password, form["password_again"])
        if notice:
            return self._password_page(request, prelogin, link, page, notice)
        pending = self._enrollment.draw(
            link.user, now=request.now, link=link.digest, password=password
        )
        return self._drawn.show(request, prelogin, pending)

    def _dead(self, request: PageRequest) -> Answer:
        self._desk.audit.event(request, "link.refused", "failure")
        return self._drawn.over(request, DEAD, DEAD_LINK)

    def _objection(self, user: User, password: str, again: str) -> str:
        if password != again:
            return "The two passwords are not the same. Please type them again."
        return " ".join(self._enrollment.judge(password, user))

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
            form=self._desk.form(request, page, binding_of(request, prelogin)),
            notice=notice,
            username=link.user,
            min_length=self._enrollment.requirements.min_length,
        )
