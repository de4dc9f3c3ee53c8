"""What strangers can cause without end is said seldom, or it would fill the disk."""

from __future__ import annotations

SAY_AGAIN = 60.0
MOST = 60


class Seldom:
    """Tells whether something may be said again.

    Once in ``every`` seconds about the same, and about ``most`` things in that time:
    whoever comes from ever new addresses fills neither this table nor the audit.

    Args:
        every: seconds.
        most: things remembered, and so said, within ``every`` seconds.
    """

    def __init__(self, *, every: float = SAY_AGAIN, most: int = MOST) -> None:
        self._every = every
        self._most = most
        self._said: dict[str, float] = {}

    def __len__(self) -> int:
        """Return how much is remembered."""
        return len(self._said)

    def may_say(self, about: str = "", *, now: float) -> bool:
        """Tell whether something may be said *about* this, and take it for said.

        Args:
            now: Unix seconds; a clock that was set back silences nothing.
        """
        said = self._said.get(about)
        if said is not None and self._is_recent(said, now):
            return False
        if len(self._said) >= self._most:
            known = list(self._said.items())
            self._said = {key: at for key, at in known if self._is_recent(at, now)}
        if len(self._said) >= self._most:
            return False
        self._said[about] = now
        return True

    def _is_recent(self, said: float, now: float) -> bool:
        return 0 <= now - said < self._every
