"""Telling every process of a machine, for next to nothing, that something was revoked.

Strategy: eight bytes in a file beside the state. Whoever has committed a line of the
feed writes a fresh random value there; every other process looks at the same page of
memory. The value is random and not counted up, so two writers at once can never leave
the one a reader has seen before.

The bell is a hint, never the truth. It is written after the commit; a process killed in
between leaves it silent, so readers also read the feed once a second. Writing goes
through ``pwrite`` (a full disk is then an error, which is ignored, and not a signal);
reading is a load from memory. The file may be deleted at any time: it is made anew and
found again within a second. It must never be truncated: reading a page beyond the end
of a file kills the process. Nothing here ever makes it shorter.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from pathlib import Path

_SIZE = 8


class SilentBell:
    """For a store that cannot promise anything: always 0.

    Attributes:
        cell: the value is ``cell[0]``; looked at anew each time.
    """

    def __init__(self) -> None:
        self.cell = memoryview(bytes(_SIZE)).cast("Q")

    def ring(self) -> None:
        """Tell everybody."""

    def refresh(self) -> None:
        """Find the bell again where somebody has replaced it."""

    def close(self) -> None:
        """Release it; the last value stays readable."""


class MemoryBell(SilentBell):
    """For a state in memory: nobody else can hear it."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = memoryview(bytearray(_SIZE)).cast("Q")

    def ring(self) -> None:
        """Write a fresh value."""
        self.cell[0] = int.from_bytes(os.urandom(_SIZE), "little")


class FileBell(SilentBell):
    """Eight bytes in the file *path*, made with mode 0600 where it is not there.

    Raises:
        OSError: the file can be neither made nor mapped.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._file = -1
        self._open()

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(self.path, flags, 0o600)
        try:
            if os.fstat(file).st_size < _SIZE:
                os.pwrite(file, os.urandom(_SIZE), 0)
            # The mapping lives as long as somebody looks at it.
            page = mmap.mmap(file, _SIZE, access=mmap.ACCESS_READ)
        except BaseException:
            os.close(file)
            raise
        self.cell = memoryview(page).cast("Q")
        self._file, old = file, self._file
        if old >= 0:
            os.close(old)

    def ring(self) -> None:
        """Write a fresh value. What was committed stays so even where this fails."""
        self.refresh()
        with contextlib.suppress(OSError):
            os.pwrite(self._file, os.urandom(_SIZE), 0)

    def refresh(self) -> None:
        """Open the file anew where it was deleted or replaced."""
        if self._file < 0:
            return
        with contextlib.suppress(OSError):
            mine = os.fstat(self._file)
            if not self._is_at_path(mine):
                self._open()
            elif mine.st_size < _SIZE:
                os.pwrite(self._file, os.urandom(_SIZE), 0)

    def _is_at_path(self, mine: os.stat_result) -> bool:
        try:
            return os.path.samestat(mine, self.path.stat(follow_symlinks=False))
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """Close the file; ``cell`` keeps the last value."""
        if self._file < 0:
            return
        self.cell = memoryview(bytes(self.cell)).cast("Q")
        os.close(self._file)
        self._file = -1
