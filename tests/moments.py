"""A house made ready once, and copied for every test that begins there.

Making a gate, a user and a session takes far longer than most tests do. So it is done
once in a process, through the same pages as ever, and what lies on the disk then is
copied: every test still has a gate, a state file, a clock and browsers of its own.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection
from copy import deepcopy
from pathlib import Path
from typing import Any

from totp_gate.testing import Clock, Installation

Make = Callable[..., Installation]
Step = Callable[..., Any]


class Moments:
    """A house, and what is done there one after the other.

    Args:
        make: makes the house from a folder, and from ``clock`` where it is copied
            (``functools.partial(Installation, echo)``).
        new_folder: makes an empty folder from a name (``tmp_path_factory.mktemp``).
        steps: by the name of the fixture each makes; called with the house, and by name
            with what the steps before it have made.
    """

    def __init__(
        self, make: Make, new_folder: Callable[[str], Path], **steps: Step
    ) -> None:
        self._make = make
        self._new_folder = new_folder
        self._steps = steps
        self._known: dict[int, Moment] = {}

    def begin(self, asked: Collection[str], folder: Path) -> dict[str, Any]:
        """Return what the steps make up to the last that is asked for.

        The house is there as ``installation``.

        Args:
            asked: names of fixtures.
            folder: an empty folder.
        """
        count = max(
            (n for n, name in enumerate(self._steps, 1) if name in asked), default=0
        )
        if count not in self._known:
            steps = dict(list(self._steps.items())[:count])
            self._known[count] = Moment(self._make, self._new_folder("moment"), steps)
        return self._known[count].again(folder)


class Moment:
    """The house as it is after *steps*; the arguments are those of ``Moments``."""

    def __init__(self, make: Make, folder: Path, steps: dict[str, Step]) -> None:
        self._make = make
        self._made: dict[str, Any] = {}
        with make(folder) as self._house:
            for name, step in steps.items():
                self._made[name] = step(self._house, **self._made)
        self._folder = folder

    def again(self, folder: Path) -> dict[str, Any]:
        """Return a copy of the house and of what was made, by name."""
        copy_files(self._folder, folder)
        first = self._house
        house = self._make(folder, clock=Clock(first.clock.now))
        # Browsers and whatever else was made belong to the copy from now on.
        known = {id(first): house, id(first.gate): house.gate}
        return {"installation": house} | deepcopy(self._made, known)


def copy_files(source: Path, folder: Path) -> None:
    """Copy the files of a gate that is closed, with their modes."""
    for path in source.iterdir():
        shutil.copy(path, folder)
