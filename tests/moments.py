"""A house made ready once, and copied for every test that begins there.

Making a gate, a user and a session takes far longer than most tests do. So it is done
once in a process, through the same pages as ever, and what lies on the disk then is
copied: every test still has a gate, a state file, a clock and browsers of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

from totp_gate.testing import Clock, Installation


class Moment:
    """A house as it was when *prepare* had returned.

    Args:
        make: makes a house from a folder and ``clock``; given the same twice, the same
            house (``functools.partial(Installation, echo)``).
        folder: an empty folder, for the house that is copied.
        prepare: brings it there; returns people and browsers, alone or in a container.
    """

    def __init__(
        self,
        make: Callable[..., Installation],
        folder: Path,
        prepare: Callable[[Installation], Any] = lambda _: None,
    ) -> None:
        with make(folder) as house:
            self._brought = prepare(house)
        self._make = make
        self._gate = house.gate
        self._now = house.clock.now
        self._files = {path.name: path.read_bytes() for path in folder.iterdir()}

    def again(self, folder: Path) -> tuple[Installation, Any]:
        """Return a house at this moment, and its people and browsers.

        Args:
            folder: an empty folder.
        """
        for name, octets in self._files.items():
            copied = folder / name
            copied.touch(mode=0o600)
            copied.write_bytes(octets)
        house = self._make(folder, clock=Clock(self._now))
        # A browser that is copied asks the gate of the copy.
        return house, deepcopy(self._brought, {id(self._gate): house.gate})
