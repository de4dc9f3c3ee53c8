"""What strangers can cause without end is said seldom, or it would fill the disk."""

from __future__ import annotations

from dataclasses import dataclass

SAY_AGAIN = 60.0
MOST = 60


class Seldom:
    """Tells whether something may be said again, and for how many times it stands.

    Once in ``every`` seconds about the same, and about ``most`` things in that time:
    whoever comes from ever new addresses fills neither this table nor the audit.

    Args:
        every: seconds.
        most: things remembered, and so said, within ``every`` seconds.
    """

    def __init__(self, *, every: float = SAY_AGAIN, most: int = MOST) -> None:
        self._every = every
        self._most = most
        self._said: dict[str, _Said] = {}

    def __len__(self) -> int:
        """Return how much is remembered."""
        return len(self._said)

    def stands_for(self, about: str = "", *, now: float) -> int:
        """Return for how many times it stands if it is said now; 0: say nothing.

        These are this time and all since it was said before. What was never said, since
        there was too much else, and what is forgotten meanwhile, counts in none.

        Args:
            now: Unix seconds; a clock that was set back silences nothing.
        """
        said = self._said.get(about)
        if said is not None and self._is_recent(said, now):
            said.unsaid += 1
            return 0
        if said is None and not self._has_room(now):
            return 0
        self._said[about] = _Said(now)
        return 1 if said is None else 1 + said.unsaid

    def _has_room(self, now: float) -> bool:
        if len(self._said) >= self._most:
            known = list(self._said.items())
            self._said = {key: at for key, at in known if self._is_recent(at, now)}
        return len(self._said) < self._most

    def _is_recent(self, said: _Said, now: float) -> bool:
        return 0 <= now - said.at < self._every


@dataclass(slots=True)
class _Said:
    """When something was said, and how often it was not since then."""

    at: float
    unsaid: int = 0
