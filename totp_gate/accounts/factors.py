"""The second factors of a user: which there are, and whether a code is right.

A right code is spent in the same breath: ``spend`` returns the authenticator only to
the one caller, over all processes, for whom the store recorded the step.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from typing import TypedDict

from totp_gate.core import otp
from totp_gate.core.sealing import Sealer
from totp_gate.core.signing import digest
from totp_gate.errors import SealBroken
from totp_gate.model import Authenticator, AuthenticatorKind, User
from totp_gate.stores.base import Store

_PURPOSE = "authenticator"
_log = logging.getLogger("totp_gate")


@dataclass(frozen=True, slots=True)
class NewFactor:
    """A seed that was made and shown, and is not confirmed yet."""

    id: str
    seed: bytes
    params: otp.Params
    kind: AuthenticatorKind = "totp"


class Shape(TypedDict):
    """What codes look like: their most *digits*, and whether all go by counter."""

    digits: int
    hotp: bool


class Factors:
    """Reads, checks and makes authenticators.

    Args:
        params: for new authenticators and for seeds of the settings file; drift and
            look-ahead also for those that are enrolled.
    """

    def __init__(self, *, store: Store, sealer: Sealer, params: otp.Params) -> None:
        self._store = store
        self._sealer = sealer
        self.params = params

    def of(self, user: User) -> list[Authenticator]:
        """Return the authenticators of *user*, that of the settings file first."""
        enrolled = self._store.authenticators(user.name)
        in_file = self._in_file(user)
        if in_file is None or self._store.is_retired(in_file.id):
            return enrolled
        return [in_file, *enrolled]

    def replaced(self, user: User) -> Authenticator | None:
        """Return that of the settings file where another one replaced it, or None."""
        in_file = self._in_file(user)
        if in_file is None or not self._store.is_retired(in_file.id):
            return None
        return in_file

    def replace(self, user: User, new: Authenticator, *, keep: str) -> bool:
        """Let *new* take the place of all others; False: it is there, or was.

        The seed of the settings file stays there and is accepted no more; another seed
        in its place is another authenticator.

        Args:
            keep: id of the one session of *user* that goes on.
        """
        in_file = self._in_file(user)
        retire = None if in_file is None else in_file.id
        return self._store.replace_authenticators(new, retire=retire, keep=keep)

    def shape(self, user: User) -> Shape:
        """Return what the codes of *user* look like."""
        known = self.of(user)
        return {
            "digits": max((one.digits for one in known), default=6),
            "hotp": bool(known) and all(one.kind == "hotp" for one in known),
        }

    def spend(self, user: User, code: str, *, now: float) -> Authenticator | None:
        """Return the authenticator for which *code* is right and now used up, or None.

        One whose secret cannot be opened is passed over, and the log tells: a code that
        others could judge was judged, and counts.

        Args:
            user: whose authenticators are asked, all of them.
            code: as typed.
            now: Unix seconds.

        Raises:
            StoreUnavailable: nobody may sign in by this code.
            SealBroken: no authenticator could judge it.

        Source:
            RFC 6238 section 5.2: a code is accepted once; RFC 4226 section 7.2.
        """
        typed = otp.clean_code(code)
        opened, broken = self._opened(user, typed)
        for name, error in broken.items():
            _log.error("authenticator %s: %s", name, error)
        if broken and not opened:
            raise next(iter(broken.values()))
        for authenticator, seed in opened:
            step = self._match(authenticator, seed, typed, now)
            if step is None:
                continue
            spent = step * _unit(authenticator)
            if self._store.accept_step(authenticator.id, spent, now=now):
                return authenticator
        return None

    def clock_offset(self, user: User, code: str, *, now: float) -> int | None:
        """Return by how many seconds the clock behind *code* seems off; None: no idea.

        A diagnosis only: such a code is never accepted.
        """
        typed = otp.clean_code(code)
        opened, _ = self._opened(user, typed)
        for authenticator, seed in opened:
            if authenticator.kind == "totp":
                params = self._params(authenticator)
                offset = otp.clock_offset(seed, typed, params, now=now)
                if offset is not None:
                    return offset
        return None

    def seed(self, authenticator: Authenticator, user: User) -> bytes:
        """Return the shared secret in the clear.

        Raises:
            SealBroken: it cannot be opened with the keys there are.
        """
        if not authenticator.sealed:
            if user.totp_secret is None:
                raise SealBroken(f"{user.name} has no seed in the settings any more")
            return user.totp_secret
        return self._sealer.open(
            authenticator.sealed,
            purpose=_PURPOSE,
            owner=f"{authenticator.user}|{authenticator.id}",
        )

    def draw(self, *, kind: AuthenticatorKind = "totp") -> NewFactor:
        """Return a fresh seed; nothing is stored."""
        return NewFactor(secrets.token_hex(8), otp.new_secret(), self.params, kind)

    def given(
        self, seed: bytes, params: otp.Params, *, kind: AuthenticatorKind
    ) -> NewFactor:
        """Return a factor for a seed that came from elsewhere; nothing is stored.

        Args:
            seed: as in the device, 16 bytes or more.
        """
        return NewFactor(secrets.token_hex(8), seed, params, kind)

    def confirm(self, factor: NewFactor, code: str, *, now: float) -> int | None:
        """Return the step or counter for which *code* confirms *factor*, or None."""
        typed = otp.clean_code(code)
        if not otp.is_code(typed, factor.params.digits):
            return None
        if factor.kind == "hotp":
            return otp.match_counter(factor.seed, typed, factor.params, counter=0)
        return otp.match_step(factor.seed, typed, factor.params, now=now)

    def sealed(
        self, factor: NewFactor, user: str, *, name: str, last: int, now: float
    ) -> Authenticator:
        """Return *factor* as an authenticator of *user*, ready for the store.

        Args:
            last: step or counter of the confirming code, which is thereby spent; -1:
                there was none.
        """
        return Authenticator(
            id=factor.id,
            user=user,
            kind=factor.kind,
            name=name,
            sealed=self._sealer.seal(
                factor.seed, purpose=_PURPOSE, owner=f"{user}|{factor.id}"
            ),
            algorithm=factor.params.algorithm,
            digits=factor.params.digits,
            period=factor.params.period,
            last=last,
            created=now,
        )

    def seal_anew(self, authenticator: Authenticator) -> bool:
        """Seal its seed with the newest key; False: it is so, or it changed meanwhile.

        Raises:
            SealBroken: it cannot be opened with the keys there are.
        """
        old = authenticator.sealed
        if not old or self._sealer.is_current(old):
            return False
        owner = f"{authenticator.user}|{authenticator.id}"
        seed = self._sealer.open(old, purpose=_PURPOSE, owner=owner)
        new = self._sealer.seal(seed, purpose=_PURPOSE, owner=owner)
        return self._store.replace_sealed(authenticator.id, old, new)

    def _in_file(self, user: User) -> Authenticator | None:
        if user.totp_secret is None:
            return None
        seed = digest(f"{user.name} {user.totp_secret.hex()}")
        return Authenticator(
            id=f"file:{user.name}:{seed[:32]}",
            user=user.name,
            name="gate.toml",
            algorithm=self.params.algorithm,
            digits=self.params.digits,
            period=self.params.period,
        )

    def _params(self, authenticator: Authenticator) -> otp.Params:
        return otp.Params(
            algorithm=authenticator.algorithm,
            digits=authenticator.digits,
            period=authenticator.period,
            drift=self.params.drift,
            look_ahead=self.params.look_ahead,
        )

    def _opened(
        self, user: User, typed: str
    ) -> tuple[list[tuple[Authenticator, bytes]], dict[str, SealBroken]]:
        """Return who could have made the code *typed*, with their secrets.

        Returns:
            Those whose secret can be opened; and of the others, by id, why not.
        """
        opened, broken = [], {}
        for authenticator in self.of(user):
            if not otp.is_code(typed, authenticator.digits):
                continue
            try:
                opened.append((authenticator, self.seed(authenticator, user)))
            except SealBroken as error:
                broken[authenticator.id] = error
        return opened, broken

    def _match(
        self, authenticator: Authenticator, seed: bytes, code: str, now: float
    ) -> int | None:
        params = self._params(authenticator)
        last = self._store.last_step(authenticator.id) // _unit(authenticator)
        if authenticator.kind == "hotp":
            return otp.match_counter(seed, code, params, counter=last + 1)
        return otp.match_step(seed, code, params, now=now, after=last)


def _unit(authenticator: Authenticator) -> int:
    """Return what a step of *authenticator* counts for where it is recorded as spent.

    The period of a seed in the settings file is that of the settings, and may change:
    what is spent there are seconds, which mean the same afterwards.
    """
    return 1 if authenticator.sealed else authenticator.period
