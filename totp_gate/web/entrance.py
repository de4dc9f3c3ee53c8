"""The last step of every way in: a session begins, and the browser is led on."""

from __future__ import annotations

import json
from collections.abc import Iterable

from totp_gate.accounts.browsers import KNOWN_LIFE, Browsers, Passing
from totp_gate.accounts.handoff import Arrived
from totp_gate.accounts.held import Held
from totp_gate.accounts.recovery import Recovery
from totp_gate.accounts.sessions import Sessions
from totp_gate.accounts.signin import SignIn
from totp_gate.core.sealing import Sealer
from totp_gate.errors import SealBroken
from totp_gate.model import Event, LoginState, User
from totp_gate.stores.base import Store
from totp_gate.telemetry.inventory import MOST_KEPT
from totp_gate.web import words
from totp_gate.web.desk import DONE, Desk
from totp_gate.web.handback import HandBack
from totp_gate.web.loops import Loops
from totp_gate.web.pages import Answer
from totp_gate.web.request import PageRequest

CODES_PAGE = "/account/recovery-codes"
_PURPOSE = "shown-codes"


class Entrance:
    """Begins sessions.

    Args:
        sealer: keeps recovery codes from being read on their way to their page.
    """

    def __init__(
        self,
        desk: Desk,
        *,
        signin: SignIn,
        sessions: Sessions,
        browsers: Browsers,
        recovery: Recovery,
        sealer: Sealer,
        store: Store,
        held: Held,
        loops: Loops,
        handback: HandBack,
    ) -> None:
        self._desk = desk
        self._store = store
        self._signin = signin
        self.sessions = sessions
        self.browsers = browsers
        self.recovery = recovery
        self._sealer = sealer
        self._held = held
        self.loops = loops
        self.handback = handback

    def enter(
        self,
        request: PageRequest,
        state: LoginState,
        user: User,
        *,
        trust: bool = False,
        passing: Passing | None = None,
        recovered: bool = False,
    ) -> tuple[str, list[str]]:
        """Begin the session of a complete sign-in; return its id and the cookies.

        A session that the browser had before ends.

        Args:
            trust: the owner trusts this browser from now on.
            passing: how a trusted browser stood for the code, where one did.
            recovered: a recovery code stood for it.
        """
        if request.token is not None:
            self.sessions.end_token(request.token, request.origin.host)
        self.sessions.tidy(now=request.now)
        names = self._desk.names
        token, session = self._signin.begin_session(
            state,
            user,
            request.visitor(self.device(request, user)),
            host=request.origin.host,
            now=request.now,
            proven=None if passing is None else passing.proven,
            recovered=recovered,
        )
        cookies = [self._desk.bake(names.session, token)]
        cookies.append(self._desk.expire(names.login))
        if passing is None:
            cookies.append(self.make_known(request, user, trust=trust))
        elif passing.cookie:
            cookies.append(self._known_by(passing.cookie))
        return session.id, cookies

    def make_known(
        self, request: PageRequest, user: User, *, trust: bool = False
    ) -> str:
        """Make this browser a known one of *user*; return the Set-Cookie line.

        For whoever has just proven everything in it. What it was known by ends.

        Args:
            trust: the owner trusts this browser from now on.
        """
        shown = request.cookie(self._desk.names.device)
        known = self.browsers.remember(
            shown, user, request.visitor(), now=request.now, trust=trust
        )
        self._held.move(shown, known, user.name)
        return self._known_by(known)

    def _known_by(self, known: str) -> str:
        return self._desk.bake(self._desk.names.device, known, max_age=KNOWN_LIFE)

    def let_in(self, request: PageRequest, arrived: Arrived) -> list[str]:
        """Return the cookies of a session that began at another host of the gate.

        A session that the browser had here before ends. The browser becomes a known one
        of its user, if it is none yet.
        """
        if request.token is not None:
            self.sessions.end_token(request.token, request.origin.host)
        self.sessions.tidy(now=request.now)
        names, user = self._desk.names, arrived.live.user
        cookies = [self._desk.bake(names.session, arrived.token)]
        if not self.device(request, user):
            cookies.append(self.make_known(request, user))
        return cookies

    def enter_partially(
        self, request: PageRequest, state: LoginState, user: User
    ) -> list[str]:
        """Begin the session of a password alone; return its cookies.

        The login cookie stays: with it the code may follow. This browser does not
        become a known one.
        """
        if request.token is not None:
            self.sessions.end_token(request.token, request.origin.host)
        token, session = self._signin.begin_partial_session(
            state,
            user,
            request.visitor(self.device(request, user)),
            host=request.origin.host,
            now=request.now,
        )
        self._desk.audit.event(
            request, "password.passed", "success", user=user.name, session=session.id
        )
        return [self._desk.bake(self._desk.names.session, token)]

    def finish(
        self,
        request: PageRequest,
        state: LoginState,
        user: User,
        *,
        trust: bool = False,
    ) -> Answer:
        """Begin the session after a right code, and lead on.

        Who has no recovery code left is shown fresh ones on the way, except in a window
        that is about to close itself.
        """
        onward = self.onward(request, user)
        closing = self._desk.place(request) == self._desk.link(DONE)
        bare = not closing and not self.recovery.left(user.name)
        first = bare and not words.has_signed_in(self._events(user.name))
        session, cookies = self.enter(request, state, user, trust=trust)
        self._desk.audit.sign_in(
            request, "code", "success", user=user.name, session=session
        )
        if not bare:
            return self._desk.go(onward, cookies)
        page, lines = self.codes_for(
            request, user.name, session, cookies, why=words.FIRST if first else ""
        )
        return self._desk.go(page, lines)

    def onward(self, request: PageRequest, user: User) -> str:
        """Return where *user* goes from here: first to what they left, if they did."""
        place = self._desk.place(request)
        if place == self._desk.link(DONE):
            return place  # the page that opened this window has its request still
        shown = request.cookie(self._desk.names.device)
        if self._held.waiting(shown, user.name, now=request.now) is not None:
            return self._desk.link("/held", place)
        return place or "/"

    def finish_enrolled(
        self, request: PageRequest, state: LoginState, user: User, *, first: bool
    ) -> Answer:
        """Begin the session after an enrollment; show fresh recovery codes once.

        Args:
            first: nothing was there that these codes replace.
        """
        session, cookies = self.enter(request, state, user)
        self._desk.audit.sign_in(
            request, "code", "success", "enrolled", user=user.name, session=session
        )
        page, lines = self.codes_for(
            request, user.name, session, cookies, why=words.FIRST if first else ""
        )
        return self._desk.go(page, lines)

    def codes_for(
        self,
        request: PageRequest,
        user: str,
        session: str,
        cookies: Iterable[str] = (),
        *,
        why: str = "",
        wanted: bool = False,
    ) -> tuple[str, list[str]]:
        """Make fresh recovery codes, to be shown once.

        Args:
            session: id of the only session that may see them.
            why: for the audit.
            wanted: they were asked for on the account page, which comes next.

        Returns:
            The page that shows them, and *cookies* with what carries them there.
        """
        codes = self.recovery.renew(user, now=request.now)
        self._desk.audit.event(
            request,
            "recovery-renewed",
            "success",
            user=user,
            session=session,
            detail=why,
        )
        sealed = self._sealer.seal(
            json.dumps([wanted, *codes]).encode(), purpose=_PURPOSE, owner=session
        )
        page = self._desk.link(CODES_PAGE, self._desk.place(request))
        return page, self._desk.carry(cookies, sealed, max_age=600)

    def carried_codes(
        self, request: PageRequest, session: str
    ) -> tuple[list[str], bool]:
        """Return the codes on their way to the page of *session*, or none.

        Also whether they were asked for on the account page.
        """
        sealed = request.cookie(self._desk.names.login)
        if sealed is None:
            return [], False
        try:
            clear = self._sealer.open(sealed, purpose=_PURPOSE, owner=session)
        except SealBroken:
            return [], False
        wanted, *codes = json.loads(clear)
        return [str(code) for code in codes], bool(wanted)

    def news(self, user: str) -> str | None:
        """Return what *user* should know before the sign-in is complete, or None."""
        return words.news(self._events(user), signed_in=False)

    def device(self, request: PageRequest, user: User) -> str:
        """Return the series by which this browser is known to *user*, or nothing."""
        shown = request.cookie(self._desk.names.device)
        known = self.browsers.recognise(shown, user.name, now=request.now)
        return "" if known is None else known.id

    def _events(self, user: str) -> list[Event]:
        return self._store.events(user, limit=MOST_KEPT)
