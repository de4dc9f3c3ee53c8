"""Whole numbers that many processes write and each of them can add up.

Strategy: each process has a file of its own in a folder they share, mapped into memory,
one cell of eight octets for each number. Counting is an addition in memory: no lock, no
system call, nothing to flush, and exact at any moment. Who reads adds up the files of
all. A process holds a lock on its file for as long as it lives; where the lock is gone,
so is the process: its counts are added to the file ``gone`` and its file goes, so that
workers may come and go without bound. ``gone`` names the files it was made of last, so
that none counts twice where whoever does this is killed before they go. Without a
folder there is one process.

``values[n] += 1`` loses nothing between threads: CPython lets go of an interpreter's
lock at calls and at jumps backwards, and there is neither in it.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import secrets
import weakref
import zlib
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_WIDTH = 8


class Cells:
    """One number for each of *names*.

    Args:
        names: what the cells mean; files of another list are not read.
        folder: shared by the processes that are added up, and by nobody else.
        passing: positions of numbers that end with their process (open connections).
        present: position of the number that is 1 in every process.

    Attributes:
        values: of this process; write ``cells.values[n] += 1``, and do not keep it,
            since after a fork it is another one.

    Raises:
        OSError: the folder cannot be used.
    """

    def __init__(
        self,
        names: Sequence[str],
        folder: Path | None = None,
        *,
        passing: Sequence[int] = (),
        present: int | None = None,
    ) -> None:
        self._count = len(names)
        self._first = [int(position == present) for position in range(len(names))]
        self._passing = passing
        self._folder = folder
        self._mark = zlib.crc32("\n".join(names).encode())
        self._file = -1
        self.values = self._begin()
        _all.add(self)

    def total(self) -> list[int]:
        """Return the numbers of all processes, living and gone, added up.

        Raises:
            OSError: the folder cannot be used.
        """
        if self._folder is None:
            return self.values.tolist()
        with _locked(self._folder / "lock"):
            gone, buried = self._gone(self._folder)
            total = list(gone)
            dead = []
            for path in sorted(self._folder.glob("*.cells")):
                theirs, alive = self._look(path)
                if path.name in buried:
                    path.unlink()
                    continue
                if not alive:
                    dead.append(path)
                    for position in self._passing:
                        theirs[position] = 0
                    gone = [a + b for a, b in zip(gone, theirs, strict=True)]
                total = [a + b for a, b in zip(total, theirs, strict=True)]
            if dead:
                self._bury(gone, dead)
        return total

    def begin_again(self) -> None:
        """Begin anew, in a file of one's own: this process was forked."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self.values = self._begin()

    def _begin(self) -> memoryview:
        if self._folder is None:
            return memoryview(array("q", self._first))
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        new = self._folder / f"{name}.new"
        file = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            os.pwrite(file, self._octets(self._first), 0)
            mapped = mmap.mmap(file, 0)
            # Only now it is there for the others: whole, and locked.
            new.rename(self._folder / f"{name}.cells")
        except BaseException:
            os.close(file)
            raise
        self._file = file
        return memoryview(mapped).cast("q")[1:]

    def _octets(self, numbers: Sequence[int]) -> bytes:
        return array("q", [self._mark, *numbers]).tobytes()

    def _gone(self, folder: Path) -> tuple[list[int], set[str]]:
        """Return the counts of those that are gone, and the files they last came from.

        Numbers of another list are none of ours.
        """
        try:
            octets = (folder / "gone").read_bytes()
        except FileNotFoundError:
            octets = b""
        end = _WIDTH * (1 + self._count)
        numbers = array("q", octets[:end] if len(octets) >= end else bytes(end))
        if numbers[0] != self._mark:
            return [0] * self._count, set()
        return numbers[1:].tolist(), set(octets[end:].decode().split())

    def _numbers(self, file: int) -> list[int] | None:
        if os.fstat(file).st_size != _WIDTH * (1 + self._count):
            return None
        # Through a mapping too, since one cell is then read in one piece.
        with (
            mmap.mmap(file, 0, prot=mmap.PROT_READ) as mapped,
            memoryview(mapped) as octets,
            octets.cast("q") as cells,
        ):
            numbers = cells.tolist()
        return numbers[1:] if numbers[0] == self._mark else None

    def _look(self, path: Path) -> tuple[list[int], bool]:
        """Return the numbers of one process, and whether it lives."""
        file = os.open(path, os.O_RDONLY)
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                alive = False
            except BlockingIOError:
                alive = True
            return self._numbers(file) or [0] * self._count, alive
        finally:
            os.close(file)

    def _bury(self, gone: Sequence[int], dead: Sequence[Path]) -> None:
        folder = dead[0].parent
        new = folder / "gone.new"
        names = " ".join(path.name for path in dead)
        new.write_bytes(self._octets(gone) + names.encode())
        new.replace(folder / "gone")
        for path in dead:
            path.unlink()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


_all: weakref.WeakSet[Cells] = weakref.WeakSet()


def _after_fork() -> None:
    for cells in list(_all):
        cells.begin_again()


os.register_at_fork(after_in_child=_after_fork)
