"""Forms of the account page: whose they are, and whether they may act."""

from __future__ import annotations

from totp_gate.accounts.live import Live
from totp_gate.accounts.owner import Owner
from totp_gate.web.desk import Desk
from totp_gate.web.pages import Answer
from totp_gate.web.request import PageRequest


def take(
    desk: Desk,
    owner: Owner,
    request: PageRequest,
    page: str,
    *more: str,
    optional: tuple[str, ...] = ("id",),
    section: str = "",
) -> tuple[Live | Answer, dict[str, str]]:
    """Return whose form it is and what it says; or the answer that refuses.

    Args:
        page: what the form posts to.
        more: fields that must be there. optional: those that may be.
        section: everything must have been proven lately; otherwise that is asked for,
            and this section of the account page comes next. Empty: nothing is asked.

    Raises:
        BadRequest: it is no form of ours.
    """
    live = request.live
    if live is None:
        return desk.go(desk.link("/login")), {}
    sent = dict(request.form("csrf_token", *more, optional=optional))
    refused = desk.refuse_form(
        request, sent["csrf_token"], page, live.session.id, user=live.user.name
    )
    if refused is not None:
        return refused, {}
    if section and not owner.is_fresh(live.session, now=request.now):
        return desk.go(f"{desk.link('/account/confirm')}?section={section}"), {}
    return live, sent
