"""Signing in: a password, then a code, then a session.

Nothing in between is a session. Whoever has proven the password holds a ``LoginState``,
which opens the page for the code and nothing else, and for five minutes only.

Every attempt is counted before it is judged (``accounts.guessing``), and every failure
looks the same from outside; the reasons below are for the audit.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from totp_gate.accounts.factors import Factors
from totp_gate.accounts.guessing import Attempt, Guessing, Visitor, Wait
from totp_gate.accounts.recovery import Recovery
from totp_gate.accounts.references import References
from totp_gate.core.passwords import Passwords
from totp_gate.core.sessions import Limits
from totp_gate.errors import Conflict, Overloaded
from totp_gate.model import Authenticator, LoginState, Session, User, canonical_name
from totp_gate.stores.base import Store
from totp_gate.users.base import Directory

STATE_LIFE = 300


@dataclass(frozen=True, slots=True)
class Wrong:
    """An ordinary failure.

    Attributes:
        reason: for the audit, never for the page: ``unknown-user``, ``disabled``,
            ``no-password``, ``password`` or ``code``.
        last: strangers had no more attempts at this account after it.
    """

    reason: str
    last: bool = False


class SignIn:
    """The two steps, and the session that follows them."""

    def __init__(
        self,
        *,
        store: Store,
        directory: Directory,
        passwords: Passwords,
        factors: Factors,
        recovery: Recovery,
        guessing: Guessing,
        references: References,
        limits: Limits,
    ) -> None:
        self._store = store
        self._directory = directory
        self._passwords = passwords
        self.factors = factors
        self._recovery = recovery
        self._guessing = guessing
        self._references = references
        self._limits = limits

    def check_room(self) -> None:
        """Raise if no password could be judged now: asked before anything that costs.

        Raises:
            Overloaded: too many are being judged.
        """
        self._passwords.check_room()

    def prove_password(
        self, typed: str, password: str, visitor: Visitor, *, binding: str, now: float
    ) -> LoginState | Wrong | Wait:
        """Judge a user name and a password.

        An unknown, disabled or password-less user costs what a known one does.

        Args:
            typed: the user name as typed.
            binding: the browser's pre-login id.
            now: Unix seconds.

        Raises:
            Overloaded: too many passwords are being judged; the attempt does not count.
            StoreUnavailable: nobody may sign in.
        """
        name = canonical_name(typed)
        user = self._directory.find(name)
        attempt = self._guessing.begin(
            "password", name, visitor, known=user is not None, now=now
        )
        if isinstance(attempt, Wait):
            return attempt
        if not self._is_right(attempt, user, password) or user is None:
            return Wrong(_reason(user), attempt.last)
        return LoginState(
            user=name, binding=binding, at=now, credential=user.credential
        )

    def judge_password(
        self, user: User, password: str, visitor: Visitor, *, now: float
    ) -> Wrong | Wait | None:
        """Judge the password of somebody who is signed in; None: it is right.

        Raises:
            Overloaded, StoreUnavailable: as ``prove_password``.
        """
        attempt = self._guessing.begin(
            "password", user.name, visitor, known=True, now=now
        )
        if isinstance(attempt, Wait):
            return attempt
        if self._is_right(attempt, user, password):
            return None
        return Wrong("password", attempt.last)

    def user_of(
        self, state: LoginState, *, now: float, life: int = STATE_LIFE
    ) -> User | None:
        """Return whom *state* belongs to, while it counts.

        Args:
            life: seconds for which a proven password counts.
        """
        if not 0 <= now - state.at < life:
            return None
        user = self._directory.find(state.user)
        if user is None or user.disabled or user.credential != state.credential:
            return None
        return user

    def prove_code(
        self, user: User, code: str, visitor: Visitor, *, now: float
    ) -> Authenticator | Wrong | Wait:
        """Judge a one-time code of *user* and spend it.

        A right one takes back only its own attempt: rules that ask for codes often
        must not give whoever guesses beside the owner a fresh start each time.

        Raises:
            StoreUnavailable, SealBroken: nothing was proven, and nobody guessed.
        """
        attempt = self._guessing.begin("code", user.name, visitor, known=True, now=now)
        if isinstance(attempt, Wait):
            return attempt
        with attempt:
            authenticator = self.factors.spend(user, code, now=now)
        if authenticator is None:
            return Wrong("code", attempt.last)
        attempt.was_right()
        return authenticator

    def prove_recovery(
        self, user: User, code: str, visitor: Visitor, *, now: float
    ) -> Wrong | Wait | None:
        """Judge a recovery code of *user* and spend it; None: it was right.

        It shares the count of the codes of authenticators.

        Raises:
            StoreUnavailable: nothing was proven, and nobody guessed.
        """
        attempt = self._guessing.begin("code", user.name, visitor, known=True, now=now)
        if isinstance(attempt, Wait):
            return attempt
        with attempt:
            spent = self._recovery.spend(user.name, code, now=now)
        if not spent:
            return Wrong("recovery-code", attempt.last)
        attempt.was_right()
        return None

    def begin_session(
        self,
        state: LoginState,
        user: User,
        visitor: Visitor,
        *,
        host: str,
        now: float,
        proven: float | None = None,
        recovered: bool = False,
    ) -> tuple[str, Session]:
        """Return the cookie's value and the session of a complete sign-in.

        The failures of whoever signed in are forgiven here: strangers' of the account,
        or those of a known browser.

        Args:
            host: where the cookie is to be good.
            proven: when the code was typed, where a trusted browser stood for it.
            recovered: the code was a recovery code.

        Raises:
            Conflict: the second factor was reset meanwhile; there is no session.
            StoreUnavailable: nobody is signed in.
        """
        at = now if proven is None else proven
        begun = self._begin(
            state,
            user,
            visitor,
            host,
            now=now,
            second_factor_at=at,
            recovered=recovered,
        )
        if not self.factors.of(user):
            # Reset since the code was judged: what that ends did not hold this one yet.
            self._store.end_session(begun[1].id)
            raise Conflict(f"the second factor of {user.name} was reset meanwhile")
        self._guessing.succeeded(user.name, visitor)
        return begun

    def begin_partial_session(
        self, state: LoginState, user: User, visitor: Visitor, *, host: str, now: float
    ) -> tuple[str, Session]:
        """Return the cookie's value and the session of a password alone.

        It counts where a rule says ``one-factor`` and nowhere else.
        """
        begun = self._begin(state, user, visitor, host, now=now, second_factor_at=None)
        self._guessing.password_succeeded(user.name, visitor)
        return begun

    def _begin(
        self,
        state: LoginState,
        user: User,
        visitor: Visitor,
        host: str,
        *,
        now: float,
        second_factor_at: float | None,
        recovered: bool = False,
    ) -> tuple[str, Session]:
        token, new = self._references.draw(host)
        session = Session(
            id=new,
            user=user.name,
            created=now,
            seen=now,
            password_at=state.at,
            second_factor_at=second_factor_at,
            address=visitor.address,
            agent=visitor.agent,
            host=host,
            credential=user.credential,
            recovered=recovered,
        )
        self._store.add_session(session, max_per_user=self._limits.max_per_user)
        return token, session

    def _is_right(self, attempt: Attempt, user: User | None, password: str) -> bool:
        """Verify *password*, at the same cost for everybody; renew an old hash."""
        stored = None if user is None or user.disabled else user.password_hash
        with attempt:
            verdict = self._passwords.verify(stored, password)
        if not verdict.right or user is None:
            return False
        attempt.was_right()
        if verdict.stale:
            self._renew_hash(user, password)
        return True

    def _renew_hash(self, user: User, password: str) -> None:
        """Replace an old hash, unless there is too much to do or it changed."""
        with contextlib.suppress(Overloaded):
            hashed = self._passwords.hash(password)
            self._directory.renew_hash(user.name, user.password_hash or "", hashed)


def _reason(user: User | None) -> str:
    if user is None:
        return "unknown-user"
    if user.disabled:
        return "disabled"
    return "password" if user.password_hash else "no-password"
