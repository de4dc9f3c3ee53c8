"""What the owner of an account may change, after proving everything once more.

A session is *fresh* for a few minutes after its password and its code were proven. What
is sensitive needs a fresh one; proving again gives the session a new id. Whatever
changes a password or a factor ends all other sessions of the account.
"""

from __future__ import annotations

from dataclasses import replace

from totp_gate.accounts.enrollment import PENDING_LIFE
from totp_gate.accounts.factors import Factors
from totp_gate.accounts.guessing import Guessing, Visitor, Wait
from totp_gate.accounts.references import References
from totp_gate.accounts.signin import SignIn, Wrong
from totp_gate.core.passwords import Passwords
from totp_gate.errors import Conflict, NotFound
from totp_gate.model import Session, User
from totp_gate.stores.base import Store
from totp_gate.users.base import Directory

FRESH = 600


class Owner:
    """Use cases of somebody who is signed in."""

    def __init__(
        self,
        *,
        store: Store,
        directory: Directory,
        signin: SignIn,
        passwords: Passwords,
        factors: Factors,
        guessing: Guessing,
        references: References,
    ) -> None:
        self._store = store
        self._directory = directory
        self._signin = signin
        self._passwords = passwords
        self.factors = factors
        self._guessing = guessing
        self._references = references

    def is_fresh(self, session: Session, *, now: float) -> bool:
        """Tell whether everything was proven within the last ``FRESH`` seconds.

        Source:
            NIST SP 800-63B-4 section 4.1.2; OWASP ASVS 5.0 7.5.1.
        """
        if session.second_factor_at is None:
            return False
        return now - min(session.password_at, session.second_factor_at) < FRESH

    def prove(
        self, user: User, password: str, code: str, visitor: Visitor, *, now: float
    ) -> Wrong | Wait | None:
        """Judge password and code of somebody who is signed in; None: both are right.

        Raises:
            Overloaded, StoreUnavailable: nothing was proven.
        """
        first = self._signin.judge_password(user, password, visitor, now=now)
        if first is not None:
            return first
        second = self._signin.prove_code(user, code, visitor, now=now)
        if isinstance(second, Wrong | Wait):
            return second
        self._guessing.succeeded(user.name, visitor)
        return None

    def renew(self, session: Session, user: User, *, host: str, now: float) -> str:
        """Return the cookie's value of a new session that replaces *session*, fresh.

        Args:
            host: where the cookie is to be good, here and below.

        Raises:
            NotFound: *session* is over.
        """
        proven = replace(session, password_at=now, credential=user.credential)
        return self._replace(session.id, proven, host, now)[0]

    def step_up(
        self,
        session: Session,
        user: User,
        code: str,
        visitor: Visitor,
        *,
        host: str,
        now: float,
    ) -> str | Wrong | Wait:
        """Judge a fresh code of somebody who is signed in.

        Returns:
            The cookie's value of a new session that replaces *session*, with a code
            proven just now; or why there is none.

        Raises:
            NotFound: *session* is over.
            StoreUnavailable, SealBroken: nothing was proven.
        """
        result = self._signin.prove_code(user, code, visitor, now=now)
        if isinstance(result, Wrong | Wait):
            return result
        return self._replace(session.id, session, host, now)[0]

    def _replace(
        self, old: str, proven: Session, host: str, now: float
    ) -> tuple[str, str]:
        """Begin a session like *proven*, its code typed just now, in place of *old*.

        Returns:
            The cookie's value, and the id of the new session.
        """
        token, new = self._references.draw(host)
        fresh = replace(proven, id=new, seen=now, second_factor_at=now, recovered=False)
        if not self._store.replace_session(old, fresh):
            raise NotFound("this session is over")
        return token, new

    def change_password(
        self, session: Session, user: User, password: str, *, host: str, now: float
    ) -> str:
        """Set a new password, judged and proven already; return the cookie's new value.

        All other sessions and all trusted browsers of the user end.

        Raises:
            Conflict: the user is kept in the settings file, which is not written here.
            Overloaded, StoreUnavailable: the old password goes on.
        """
        if user.source != "store":
            raise Conflict(f"{user.name} is kept in the settings file")
        hashed = self._passwords.hash(password)
        self._store.save_password(user.name, hashed, keep=session.id)
        changed = self._directory.find(user.name)
        if changed is None:
            raise NotFound("this account is gone")
        return self.renew(session, changed, host=host, now=now)

    def rename_authenticator(self, user: User, id: str, name: str) -> bool:
        """Rename an authenticator; False: not theirs."""
        return self._store.rename_authenticator(user.name, id, name)

    def remove_authenticator(self, session: Session, id: str) -> bool:
        """Remove one and end all other sessions; False: not theirs, or the last."""
        return self._store.remove_authenticator(
            session.user, id, even_last=False, keep=session.id
        )

    def end_session(self, user: str, id: str) -> bool:
        """End one session of *user*; False: not theirs."""
        return self._store.end_session(id, user=user)

    def end_others(self, user: str, *, keep: str) -> int:
        """End all sessions of *user* but *keep*; how many."""
        return self._store.end_sessions(user, keep=keep)

    def has_recovered(self, session: Session, *, now: float) -> bool:
        """Tell whether *session* began by a recovery code, within ``PENDING_LIFE``.

        The old device is presumed lost until a code of an authenticator is proven.
        """
        at = session.second_factor_at
        return session.recovered and at is not None and 0 <= now - at < PENDING_LIFE

    def begin_anew(self, session: Session, *, host: str, now: float) -> tuple[str, str]:
        """Begin a session in place of *session*, for who has confirmed a code just now.

        Returns:
            Value of the cookie and id of the session that replaces *session*.

        Raises:
            NotFound: *session* is over.
        """
        return self._replace(session.id, session, host, now)
