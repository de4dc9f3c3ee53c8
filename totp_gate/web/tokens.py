"""App tokens on the account page: made, shown once, revoked.

A new token travels to the page that shows it sealed in the login cookie, as recovery
codes do, so that loading that page again makes no second one.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from totp_gate.accounts.live import Live
from totp_gate.accounts.owner import Owner
from totp_gate.accounts.tokens import AppTokens
from totp_gate.core.headers import plain
from totp_gate.core.sealing import Sealer
from totp_gate.errors import Conflict, SealBroken
from totp_gate.web import words
from totp_gate.web.desk import Desk
from totp_gate.web.owned import take
from totp_gate.web.pages import Answer
from totp_gate.web.request import PageRequest

FORMS = {
    "make_token": "/account/make-token",
    "revoke_token": "/account/revoke-token",
}
SHOWN = "/account/token"
LONGEST_NAME = 64
_FIELDS = ("name", "paths", "methods", "networks", "days")
_DAYS = {"30": 30, "90": 90, "365": 365, "never": math.inf}
_PURPOSE = "shown-token"
_CARRIED = 600


class TokenPages:
    """What the owner of an account does with app tokens.

    Args:
        sealer: keeps a token from being read on its way to its page.
    """

    def __init__(
        self, desk: Desk, tokens: AppTokens, owner: Owner, sealer: Sealer
    ) -> None:
        self._desk = desk
        self._tokens = tokens
        self._owner = owner
        self._sealer = sealer

    def listed(self, user: str, *, now: float) -> list[dict[str, object]]:
        """Return the tokens of *user* for the account page."""
        return [words.token(one, now=now) for one in self._tokens.of(user)]

    def actions(self) -> dict[str, Callable[[PageRequest], Answer]]:
        """Return what each form posts to."""
        return {FORMS["make_token"]: self.make, FORMS["revoke_token"]: self.revoke}

    def make(self, request: PageRequest) -> Answer:
        """Make a token and lead to the page that shows it once."""
        desk = self._desk
        live, sent = take(
            desk,
            self._owner,
            request,
            FORMS["make_token"],
            *_FIELDS,
            optional=(),
            section="tokens",
        )
        if isinstance(live, Answer):
            return live
        try:
            text = self._made(request, live, sent)
        except (ValueError, Conflict) as error:
            return desk.trouble.answer(
                request.environ,
                400,
                title="This token was not made",
                message=str(error),
                home_url=desk.link("/account"),
            )
        owner = live.session.id
        sealed = self._sealer.seal(text.encode(), purpose=_PURPOSE, owner=owner)
        carry = desk.bake(desk.names.login, sealed, max_age=_CARRIED)
        return desk.go(desk.link(SHOWN), [carry])

    def show(self, request: PageRequest) -> Answer:
        """Show a token that was just made, once."""
        desk = self._desk
        live = request.live
        if live is None:
            return desk.go(desk.link("/login"))
        text = self._carried(request, live)
        if text is None:
            return desk.go(desk.link("/account"))
        return desk.pages.render(
            "token.html",
            headers=[("Set-Cookie", desk.expire(desk.names.login))],
            token=text,
            account_url=desk.link("/account"),
        )

    def revoke(self, request: PageRequest) -> Answer:
        """End a token of the owner."""
        page = FORMS["revoke_token"]
        live, sent = take(self._desk, self._owner, request, page)
        if isinstance(live, Answer):
            return live
        revoked = self._tokens.revoke(sent["id"], user=live.user.name)
        if revoked:
            self._desk.audit.event(
                request,
                "token-revoked",
                "success",
                user=live.user.name,
                session=live.session.id,
                detail=sent["id"],
            )
        what = "revoked" if revoked else "gone"
        return self._desk.go(
            self._desk.tell(request, "/account", what, live.user.name, section="tokens")
        )

    def _made(self, request: PageRequest, live: Live, sent: dict[str, str]) -> str:
        days = _DAYS.get(sent["days"])
        name = plain(sent["name"].strip(), LONGEST_NAME)
        if days is None or not name:
            raise ValueError("a token needs a name and a time when it expires")
        text, made = self._tokens.make(
            live.user.name,
            name,
            now=request.now,
            expires=request.now + days * 86_400,
            paths=sent["paths"].split(),
            methods=sent["methods"].replace(",", " ").split(),
            networks=sent["networks"].replace(",", " ").split(),
        )
        self._desk.audit.event(
            request,
            "token-made",
            "success",
            user=live.user.name,
            session=live.session.id,
            detail=f"{made.id}, {made.name}",
        )
        return text

    def _carried(self, request: PageRequest, live: Live) -> str | None:
        sealed = request.cookie(self._desk.names.login)
        if sealed is None:
            return None
        try:
            clear = self._sealer.open(sealed, purpose=_PURPOSE, owner=live.session.id)
        except SealBroken:
            return None
        return clear.decode()
