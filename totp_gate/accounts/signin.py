"""Signing in: a password, then a code, then a session.

Nothing in between is a session. Whoever has proven the password holds a ``LoginState``,
which opens the page for the code and nothing else, and for five minutes only.

Every attempt is counted before it is judged (``accounts.guessing``), and every failure
looks the same from outside; the reasons below are for the audit.
"""

from __future__ import annotations

from dataclasses import dataclass

from totp_gate.accounts.factors import Factors
from totp_gate.accounts.guessing import Guessing, Visitor, Wait
from totp_gate.core.passwords import Passwords
from totp_gate.core.sessions import Limits
from totp_gate.core.signing import Tokens, digest
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
    """

    reason: str


class SignIn:
    """The two steps, and the session that follows them."""

    def __init__(
        self,
        *,
        store: Store,
        directory: Directory,
        passwords: Passwords,
        factors: Factors,
        guessing: Guessing,
        tokens: Tokens,
        limits: Limits,
    ) -> None:
        self._store = store
        self._directory = directory
        self._passwords = passwords
        self.factors = factors
        self._guessing = guessing
        self._tokens = tokens
        self._limits = limits

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
            Overloaded: too many passwords are being judged; nothing was counted.
            StoreUnavailable: nobody may sign in.
        """
        name = canonical_name(typed)
        user = self._directory.find(name)
        attempt = self._guessing.begin(
            "password", name, visitor, known=user is not None, now=now
        )
        if isinstance(attempt, Wait):
            return attempt
        usable = user is not None and not user.disabled
        stored = user.password_hash if user is not None and usable else None
        with attempt:
            verdict = self._passwords.verify(stored, password)
        if not verdict.right or user is None:
            return Wrong(_reason(user))
        attempt.was_right()
        if verdict.stale:
            self._directory.save_password(name, self._passwords.hash(password))
        return LoginState(
            user=name, binding=binding, at=now, credential=user.credential
        )

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

        Raises:
            StoreUnavailable, SealBroken: nobody may sign in.
        """
        attempt = self._guessing.begin("code", user.name, visitor, known=True, now=now)
        if isinstance(attempt, Wait):
            return attempt
        authenticator = self.factors.spend(user, code, now=now)
        if authenticator is None:
            return Wrong("code")
        return authenticator

    def begin_session(
        self, state: LoginState, user: User, visitor: Visitor, *, now: float
    ) -> tuple[str, Session]:
        """Return the cookie's reference and the session of a complete sign-in.

        The counts of failures of the user end here, and only here.
        """
        token = self._tokens.reference("session")
        session = Session(
            id=digest(token),
            user=user.name,
            created=now,
            seen=now,
            password_at=state.at,
            second_factor_at=now,
            address=visitor.address,
            agent=visitor.agent,
            credential=user.credential,
        )
        self._store.add_session(session, max_per_user=self._limits.max_per_user)
        self._guessing.succeeded(user.name, visitor)
        return token, session


def _reason(user: User | None) -> str:
    if user is None:
        return "unknown-user"
    if user.disabled:
        return "disabled"
    return "password" if user.password_hash else "no-password"
