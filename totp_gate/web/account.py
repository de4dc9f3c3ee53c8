"""The account page: what its owner sees, and the forms that change it.

Looking needs a session; changing needs a form token of that session; what is sensitive
needs everything proven within the last minutes (``accounts.owner``), and otherwise asks
for it first.
"""

from __future__ import annotations

from collections.abc import Callable

from totp_gate.accounts.browsers import Browsers
from totp_gate.accounts.live import Live
from totp_gate.accounts.owner import Owner
from totp_gate.accounts.recovery import Recovery
from totp_gate.core.headers import plain
from totp_gate.model import AuthenticatorKind
from totp_gate.stores.base import Store
from totp_gate.telemetry.inventory import MOST_KEPT
from totp_gate.web import words
from totp_gate.web.desk import NEWS, Desk
from totp_gate.web.enrollment import EnrollmentPages
from totp_gate.web.entrance import CODES_PAGE, Entrance
from totp_gate.web.owned import take
from totp_gate.web.pages import Answer
from totp_gate.web.request import PageRequest
from totp_gate.web.tokens import FORMS, SHOWN, TokenPages

_FORMS = {
    "end_session": "/account/end-session",
    "end_others": "/account/end-others",
    "rename_authenticator": "/account/rename-authenticator",
    "remove_authenticator": "/account/remove-authenticator",
    "add_authenticator": "/account/add-authenticator",
    "new_recovery_codes": "/account/new-recovery-codes",
    "forget_browser": "/account/forget-browser",
    "change_password": "/account/password",
    "logout": "/logout",
    **FORMS,
}
_EVENTS = 20
_FACTORS = "authenticators"


class AccountPages:
    """What the owner of an account sees and does."""

    def __init__(
        self,
        desk: Desk,
        *,
        store: Store,
        owner: Owner,
        browsers: Browsers,
        recovery: Recovery,
        entrance: Entrance,
        enrollment: EnrollmentPages,
        tokens: TokenPages,
    ) -> None:
        self._desk = desk
        self._store = store
        self._owner = owner
        self._browsers = browsers
        self._recovery = recovery
        self._entrance = entrance
        self._tokens = tokens
        self._enrollment = enrollment

    def show(self, request: PageRequest) -> Answer:
        """Return the page with everything about the account."""
        live = request.live
        if live is None:
            return self._desk.go(self._desk.link("/login"))
        name = live.user.name
        now = request.now
        told = self._desk.told(request, name)
        return self._desk.pages.render(
            "account.html",
            user=live.user.display or name,
            notice=told.text if told else None,
            notice_kind=told.kind if told else "success",
            notices=self._notices(live),
            sessions=[
                words.session(one, here=live.session.id)
                for one in self._entrance.sessions.running(name, now=now)
            ],
            authenticators=self._authenticators(live),
            browsers=[
                words.browser(one) for one in self._browsers.trusted(name, now=now)
            ],
            recovery_enabled=True,
            recovery_left=self._recovery.left(name),
            tokens=self._tokens.listed(name, now=now),
            events=words.events(self._store.events(name, limit=MOST_KEPT))[:_EVENTS],
            forms={
                key: self._desk.form(request, page, live.session.id)
                for key, page in _FORMS.items()
            },
        )

    def shows(self) -> dict[str, Callable[[PageRequest], Answer]]:
        """Return the pages that show something once."""
        return {
            CODES_PAGE: self.show_codes,
            SHOWN: self._tokens.show,
            NEWS: self.show_news,
        }

    def actions(self) -> dict[str, Callable[[PageRequest], Answer]]:
        """Return what each form of the page posts to."""
        return {
            _FORMS["end_session"]: self.end_session,
            _FORMS["end_others"]: self.end_others,
            _FORMS["rename_authenticator"]: self.rename_authenticator,
            _FORMS["remove_authenticator"]: self.remove_authenticator,
            _FORMS["add_authenticator"]: self.add_authenticator,
            _FORMS["new_recovery_codes"]: self.new_recovery_codes,
            _FORMS["forget_browser"]: self.forget_browser,
            **self._tokens.actions(),
        }

    def end_session(self, request: PageRequest) -> Answer:
        """End one other session of the owner."""
        live, sent = self._take(request, "end_session")
        if isinstance(live, Answer):
            return live
        ended = self._owner.end_session(live.user.name, sent["id"])
        if ended:
            self._note(request, live, "session-ended", sent["id"][:12])
        what = "session-ended" if ended else "gone"
        return self._back(request, live, what, "sessions")

    def end_others(self, request: PageRequest) -> Answer:
        """End all other sessions of the owner."""
        live, _ = self._take(request, "end_others")
        if isinstance(live, Answer):
            return live
        ended = self._owner.end_others(live.user.name, keep=live.session.id)
        self._note(request, live, "session-ended", f"{ended} others")
        return self._back(request, live, "others-ended", "sessions")

    def rename_authenticator(self, request: PageRequest) -> Answer:
        """Give an authenticator another name."""
        live, sent = self._take(request, "rename_authenticator", "name")
        if isinstance(live, Answer):
            return live
        name = plain(sent["name"].strip(), 64)
        what = "no-name"
        if name:
            done = self._owner.rename_authenticator(live.user, sent["id"], name)
            what = "renamed" if done else "gone"
        if what == "renamed":
            self._note(request, live, "authenticator-renamed", name)
        return self._back(request, live, what, _FACTORS)

    def remove_authenticator(self, request: PageRequest) -> Answer:
        """Remove an authenticator that is not the last; other sessions end.

        The form of the account page asks; the one that is then shown does it.
        """
        live, sent = self._take(
            request, "remove_authenticator", optional=("id", "sure"), section=_FACTORS
        )
        if isinstance(live, Answer):
            return live
        if not sent["sure"]:
            return self._ask_again(request, live, sent["id"])
        if not self._owner.remove_authenticator(live.session, sent["id"]):
            return self._back(request, live, "not-removed", _FACTORS)
        self._note(request, live, "authenticator-removed")
        answer = self._back(request, live, "removed", _FACTORS)
        answer.headers.add("Set-Cookie", self._entrance.make_known(request, live.user))
        return answer

    def add_authenticator(self, request: PageRequest) -> Answer:
        """Show the page with the QR code of a new authenticator."""
        live, sent = self._take(
            request, "add_authenticator", optional=("kind",), section=_FACTORS
        )
        if isinstance(live, Answer):
            return live
        kind: AuthenticatorKind = "hotp" if sent["kind"] == "hotp" else "totp"
        return self._enrollment.begin(request, live.user, kind)

    def new_recovery_codes(self, request: PageRequest) -> Answer:
        """Make a fresh set of recovery codes and show it once."""
        live, _ = self._take(request, "new_recovery_codes", section="recovery")
        if isinstance(live, Answer):
            return live
        page, lines = self._entrance.codes_for(
            request, live.user.name, live.session.id, wanted=True
        )
        return self._desk.go(page, lines)

    def show_codes(self, request: PageRequest) -> Answer:
        """Show recovery codes that were just made, once."""
        live = request.live
        if live is None:
            return self._go("/login")
        codes, wanted = self._entrance.carried_codes(request, live.session.id)
        if not codes:
            return self._go("/account")
        account = self._desk.link("/account")
        expired = self._desk.expire(self._desk.names.login)
        return self._desk.pages.render(
            "recovery_codes.html",
            headers=[("Set-Cookie", expired)],
            codes=codes,
            username=live.user.name,
            form=None,
            continue_url=account
            if wanted
            else self._entrance.onward(request, live.user),
        )

    def show_news(self, request: PageRequest) -> Answer:
        """Tell whom a trusted browser let in what happened since the time before."""
        live = request.live
        if live is None:
            return self._go("/login")
        onward = self._entrance.onward(request, live.user)
        said = self._notices(live)
        if not said:
            return self._desk.go(onward)
        return self._desk.pages.render(
            "news.html",
            user=live.user.display or live.user.name,
            news=said[0],
            continue_url=onward,
        )

    def forget_browser(self, request: PageRequest) -> Answer:
        """End the trust in a browser."""
        live, sent = self._take(request, "forget_browser")
        if isinstance(live, Answer):
            return live
        forgotten = self._browsers.forget(live.user.name, sent["id"])
        if forgotten:
            self._note(request, live, "browser-forgotten")
        what = "forgotten" if forgotten else "gone"
        return self._back(request, live, what, "browsers")

    def _take(
        self,
        request: PageRequest,
        form: str,
        *more: str,
        optional: tuple[str, ...] = ("id",),
        section: str = "",
    ) -> tuple[Live | Answer, dict[str, str]]:
        """Return whose form it is and what it says; or the answer that refuses."""
        return take(
            self._desk,
            self._owner,
            request,
            _FORMS[form],
            *more,
            optional=optional,
            section=section,
        )

    def _ask_again(self, request: PageRequest, live: Live, id: str) -> Answer:
        known = [one for one in self._authenticators(live) if one["removable"]]
        wanted = next((one for one in known if one["id"] == id), None)
        if wanted is None:
            return self._back(request, live, "not-removed", _FACTORS)
        form = self._desk.form(
            request,
            _FORMS["remove_authenticator"],
            live.session.id,
            hidden={"id": id, "sure": "yes"},
        )
        return self._desk.pages.render(
            "remove_authenticator.html",
            user=live.user.display or live.user.name,
            form=form,
            name=wanted["name"],
        )

    def _authenticators(self, live: Live) -> list[dict[str, object]]:
        known = self._owner.factors.of(live.user)
        stored = [one for one in known if one.sealed]
        shown = [
            words.authenticator(one, removable=bool(one.sealed) and len(stored) > 1)
            for one in known
        ]
        replaced = self._owner.factors.replaced(live.user)
        if replaced is not None:
            shown.append(words.authenticator(replaced, removable=False, replaced=True))
        return shown

    def _notices(self, live: Live) -> list[str]:
        known = self._store.events(live.user.name, limit=MOST_KEPT)
        said = words.news(known, signed_in=True)
        return [said] if said else []

    def _note(
        self, request: PageRequest, live: Live, event: str, detail: str = ""
    ) -> None:
        self._desk.audit.event(
            request,
            event,
            "success",
            user=live.user.name,
            session=live.session.id,
            detail=detail,
        )

    def _go(self, page: str) -> Answer:
        return self._desk.go(self._desk.link(page))

    def _back(
        self, request: PageRequest, live: Live, what: str, section: str
    ) -> Answer:
        name = live.user.name
        return self._desk.go(
            self._desk.tell(request, "/account", what, name, section=section)
        )
