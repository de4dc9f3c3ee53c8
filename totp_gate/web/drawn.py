"""The page with the QR code, the same for everybody who connects an authenticator."""

from __future__ import annotations

from totp_gate.accounts.enrollment import Enrollment, Pending
from totp_gate.core import otp
from totp_gate.web.desk import Desk
from totp_gate.web.pages import Answer
from totp_gate.web.prelogin import PreLogin
from totp_gate.web.qr import qr_svg
from totp_gate.web.request import PageRequest

PAGE = "/enroll"


class DrawnPage:
    """Shows what was drawn, and asks for the code that confirms it.

    Args:
        issuer: how authenticator apps title the account.
    """

    def __init__(self, desk: Desk, enrollment: Enrollment, *, issuer: str) -> None:
        self._desk = desk
        self._enrollment = enrollment
        self._issuer = issuer

    def show(
        self,
        request: PageRequest,
        prelogin: PreLogin,
        pending: Pending,
        *,
        status: int = 200,
        notice: str | None = None,
        told: str | None = None,
    ) -> Answer:
        """Return the page.

        Args:
            notice: what was wrong. told: what is worth knowing before.
        """
        desk, live = self._desk, request.live
        binding = binding_of(request, prelogin)
        packed = self._enrollment.pack(pending, binding)
        form = desk.form(
            request,
            PAGE,
            binding,
            place=desk.place(request),
            hidden={"enrollment": packed},
        )
        return desk.pages.render(
            "enroll.html",
            status=status,
            headers=desk.with_login(prelogin),
            form=form,
            user=(live.user.display or live.user.name) if live else None,
            notice=notice or told,
            notice_kind="error" if notice else "info",
            name=self._enrollment.suggest_name(pending),
            steps=(2, 2) if pending.password_hash else None,
            **self._key(pending),
        )

    def over(self, request: PageRequest, title: str, message: str) -> Answer:
        """Return the page of an enrollment that cannot go on."""
        return self._desk.trouble.answer(
            request.environ,
            404,
            title=title,
            message=message,
            login_url=self._desk.link("/login"),
        )

    def refuse(
        self, request: PageRequest, prelogin: PreLogin, token: str, page: str
    ) -> Answer | None:
        """Return the answer to a form that is not ours, or None where it is."""
        binding = binding_of(request, prelogin)
        return self._desk.refuse_form(request, token, page, binding, detail=PAGE)

    def _key(self, pending: Pending) -> dict[str, object]:
        """Return the key in all its forms, and what an app has to know of it."""
        factor = pending.factor
        uri = otp.provisioning_uri(
            factor.seed,
            factor.params,
            issuer=self._issuer,
            account=pending.user,
            kind=factor.kind,
        )
        return {
            "qr": qr_svg(uri),
            "key": otp.grouped(otp.to_base32(factor.seed)),
            "uri": uri,
            "issuer": self._issuer,
            "account": pending.user,
            "digits": factor.params.digits,
            "period": factor.params.period,
            "algorithm": factor.params.algorithm,
            "kind": factor.kind,
        }


def binding_of(request: PageRequest, prelogin: PreLogin) -> str:
    """Return what names the browser of *request*: its session, or its pre-login id."""
    return prelogin.binding if request.live is None else request.live.session.id
