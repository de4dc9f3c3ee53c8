"""Whether a state file may be used at all.

Everything here looks with ``stat`` only. Opening and closing the file in a process in
which SQLite has it open would take away SQLite's locks (POSIX), so nobody but SQLite
ever opens it.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from totp_gate.errors import ConfigError, StoreUnavailable

SIDES = ("-wal", "-shm", "-bell", "-journal")
"""What lies beside a state file and belongs to it."""


_SMALLEST = 512
"""Bytes of the smallest page of a SQLite file."""


def refused(reason: str) -> ConfigError:
    """Return the error for a state that cannot be used; *reason* has the remedy."""
    return ConfigError([("gate.state", reason)])


def check_directory(directory: Path) -> None:
    """Refuse a directory in which a state is not safe.

    Raises:
        ConfigError: it is not there, not a directory, cannot be written, or strangers
            can replace files in it.
    """
    try:
        found = directory.stat()
    except FileNotFoundError:
        raise refused(f"{directory} does not exist; create it (mode 0700)") from None
    except OSError as error:
        raise refused(f"{directory}: {error.strerror}; choose another place") from error
    if not stat.S_ISDIR(found.st_mode):
        raise refused(f"{directory} is not a directory; choose another place")
    if anybody_can_replace(found):
        raise refused(f"everybody can write to {directory}; chmod 0700 it")
    if not _writable(directory, found):
        raise refused(f"{directory} cannot be written; chown or chmod 0700 it")


def anybody_can_replace(folder: os.stat_result) -> bool:
    """Tell whether everybody can replace the files in a folder, whoever owns them."""
    return bool(folder.st_mode & stat.S_IWOTH and not folder.st_mode & stat.S_ISVTX)


def check_file(path: Path) -> None:
    """Refuse a state file, or a file beside it, that others could read or have made.

    What does not exist is fine.

    Raises:
        ConfigError: it is no regular file, is somebody else's, can be read by others,
            or cannot be written.
    """
    for each in (path, *(path.with_name(path.name + side) for side in SIDES)):
        _check_one(each)
    if path.exists() and path.stat().st_size < _SMALLEST:
        # SQLite would take it for a new state, and everybody's factors were forgotten.
        raise refused(f"{path} was truncated; use a backup, or delete it")


def _check_one(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise refused(f"{path}: {error.strerror}; choose another place") from error
    if not stat.S_ISREG(found.st_mode):
        raise refused(f"{path} is not a regular file; name a file")
    if found.st_uid != os.geteuid():
        raise refused(
            f"{path} belongs to {_name(found.st_uid)}; run as that user, or chown it"
        )
    if found.st_mode & 0o077:
        raise refused(f"others can read or write {path}; chmod 0600 it")
    if not _writable(path, found):
        raise refused(f"{path} cannot be written; chmod 0600 it")


def _writable(path: Path, found: os.stat_result) -> bool:
    if found.st_uid == os.geteuid() and not found.st_mode & stat.S_IWUSR:
        return False  # said on purpose, even to root, whom it would not stop
    return os.access(path, os.W_OK)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


@contextmanager
def alone(beside: Path, *, patience: float) -> Iterator[None]:
    """Be the only process that opens the state, for the time of the block.

    Making a state, switching its journal and migrating it are one after the other,
    never two at once.

    Args:
        beside: a file to lock; made with mode 0600 where it is not there.
        patience: seconds to wait for others.

    Raises:
        StoreUnavailable: others took longer.
        OSError: the file can be neither made nor locked.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(beside, flags, 0o600)
    try:
        _lock(file, until=time.monotonic() + patience)
        yield
    finally:
        os.close(file)


def _lock(file: int, *, until: float) -> None:
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                reason = "another process has been opening the state for too long"
                raise StoreUnavailable(reason) from None
            time.sleep(0.01)
        else:
            return
