"""Where the lines of the audit go: standard error, a file, syslog.

A sink takes one line and raises OSError where it cannot write it. A line is handed to
the system in one call, so lines of several processes follow each other and never mix.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Callable
from logging.handlers import SysLogHandler
from pathlib import Path

from totp_gate.errors import ConfigError
from totp_gate.telemetry.audit import to_stderr

SYSLOG_SOCKET = "/dev/log"
FACILITIES = tuple(SysLogHandler.facility_names)
_NOTICE = 5
_PATIENCE = 1.0

Sink = Callable[[str], None]


def open_sink(target: str) -> Sink:
    """Return the sink that *target* names.

    Args:
        target: ``-`` is standard error, ``syslog:`` the syslog of this machine
            (facility authpriv), ``syslog:local0`` the same with a facility of its own;
            all else is the path of a file.

    Raises:
        ConfigError: it cannot be opened.
    """
    try:
        if target == "-":
            return to_stderr
        if target.startswith("syslog:"):
            facility = target.removeprefix("syslog:") or "authpriv"
            return Syslog(facility, SYSLOG_SOCKET)
        return File(Path(target))
    except KeyError as error:
        reason = f"{error} is no syslog facility; write syslog:auth or syslog:local0"
        raise ConfigError([("audit.file", reason)]) from error
    except OSError as error:
        reason = f'{target} cannot be opened ({error.strerror}); "-" is standard error'
        raise ConfigError([("audit.file", reason)]) from error


class File:
    """Appends to a file, which is made with mode 0600 where it is missing.

    Whoever rotates logs only has to rename it: before each line the file at *path* is
    compared with the one that is open, and opened anew where it is another one. So no
    signal is needed, and copying and truncating works too.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._torn = False
        self._file = self._open()

    def __call__(self, line: str) -> None:
        """Append *line*.

        Raises:
            OSError: it is not in the file, or not all of it.
        """
        octets = line.encode("ascii") + b"\n"
        with self._lock:
            if self._is_elsewhere():
                new = self._open()
                os.close(self._file)
                self._file, self._torn = new, False
            if self._torn:
                octets = b"\n" + octets
            written = os.write(self._file, octets)
            self._torn = written < len(octets)
            if self._torn:
                raise OSError(errno.ENOSPC, "only part of a line was written")

    def close(self) -> None:
        """Close the file; only then nothing may be written any more."""
        os.close(self._file)

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOCTTY
        return os.open(self._path, flags, 0o600)

    def _is_elsewhere(self) -> bool:
        mine = os.fstat(self._file)
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return True
        return (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino)


class Syslog:
    """Sends to the syslog of this machine, as ``totp_gate[pid]`` and with level notice.

    A daemon that takes nothing is waited for once; from then on a line that it does not
    take at once is not waited for, until it takes one. Requests write one after the
    other, so otherwise each would wait for all before it, and the gate would stand.

    Source:
        RFC 3164 section 4.1, in the form local daemons take: they add time and host.
    """

    def __init__(self, facility: str, path: str | Path) -> None:
        self._priority = SysLogHandler.facility_names[facility] * 8 + _NOTICE
        self._path = str(path)
        self._lock = threading.Lock()
        self._stuck = False
        self._socket = self._connect()

    def __call__(self, line: str) -> None:
        """Send *line*; once more where the daemon was restarted meanwhile.

        Raises:
            OSError: nobody took it, within a second or, after such a second, at once.
        """
        message = f"<{self._priority}>totp_gate[{os.getpid()}]: {line}".encode("ascii")
        with self._lock:
            try:
                self._send(message)
            except (ConnectionError, FileNotFoundError):
                new = self._connect()
                self._socket.close()
                self._socket = new
                self._send(message)

    def _send(self, message: bytes) -> None:
        try:
            self._socket.send(message)
        except BlockingIOError:
            if self._stuck:
                raise
            self._stuck = True
            self._socket.settimeout(_PATIENCE)
            try:
                self._socket.send(message)
            finally:
                self._socket.settimeout(0)
        self._stuck = False

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _connect(self) -> socket.socket:
        new = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            new.settimeout(0)
            new.connect(self._path)
        except BaseException:
            new.close()
            raise
        return new
