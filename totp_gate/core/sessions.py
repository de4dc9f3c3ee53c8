"""How long a session lives.

Strategy: two clocks run at once. Idle time starts anew with every activity, lifetime
never does. Activity is written down at most once in a while (``Limits.write_every``),
so a session may end that much early, and never late. A clock that was set back prolongs
nothing: whoever was seen in the future is signed out.
"""

from __future__ import annotations

from dataclasses import dataclass

from totp_gate.model import Session

TOLERANCE = 60.0
"""By how many seconds a clock may be set back without anybody noticing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long sessions live.

    Attributes:
        idle: seconds without activity after which a session is over.
        lifetime: seconds after which it is over whatever happens.
        max_per_user: sessions a user may have; 0: any number. The oldest ends.

    Source:
        NIST SP 800-63B-4 section 2.2.3 (idle at most 1 h, lifetime at most 24 h at
        AAL2); OWASP ASVS 5.0 7.3.1 and 7.3.2.
    """

    idle: int = 3600
    lifetime: int = 86_400
    max_per_user: int = 0

    @property
    def write_every(self) -> float:
        """Seconds between writes of ``Session.seen``: a tenth of idle, at most 60."""
        return min(60.0, self.idle / 10)


def live_until(session: Session, limits: Limits) -> float:
    """Return the Unix time at which *session* is over if nothing more happens."""
    return min(session.seen + limits.idle, session.created + limits.lifetime)


def live_from(session: Session) -> float:
    """Return the Unix time before which *session* does not count: the clock went back.

    How long ago it was seen can then not be told any more.
    """
    return max(session.seen, session.created) - TOLERANCE


def is_live(session: Session, limits: Limits, *, now: float) -> bool:
    """Tell whether *session* still counts at *now* (Unix seconds)."""
    return live_from(session) <= now < live_until(session, limits)


def must_write(session: Session, limits: Limits, *, now: float) -> bool:
    """Tell whether activity at *now* has to be written down."""
    return now - session.seen >= limits.write_every
