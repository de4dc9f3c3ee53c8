"""Where the gate listens, and why it cannot: said before a server is started."""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path

from totp_gate.core.urls import split_port
from totp_gate.errors import ConfigError, Conflict

_UNIX = "unix:"
_FOR_ROOT = 1024
_HANDED_OVER = ("LISTEN_FDS", "GUNICORN_FD")
"""Variables by which systemd, or a server to be replaced, hands its sockets over."""


def port_of(bind: str) -> int | None:
    """Return the TCP port of ``server.bind``; None: it is a unix socket."""
    return None if bind.startswith(_UNIX) else split_port(bind)[1]


def is_for_root(bind: str) -> bool:
    """Tell whether it takes a privilege to listen at ``server.bind``."""
    port = port_of(bind)
    return port is not None and 0 < port < _FOR_ROOT


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that has the address, and does not listen yet.

    Args:
        host: IPv6 in brackets. port: 0: any that is free.

    Raises:
        OSError: it cannot be had.
    """
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    taken = socket.socket(family)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((host.strip("[]"), port))
    except BaseException:
        taken.close()
        raise
    return taken


def try_address(bind: str, *, held: str = "") -> None:
    """Return if a server could listen at ``server.bind``; nothing is left there.

    Args:
        held: where it listens until now, and will not any more.

    Raises:
        Conflict: somebody listens there already.
        ConfigError: nobody could, as things are.
    """
    if bind == held or any(name in os.environ for name in _HANDED_OVER):
        return
    try:
        if bind.startswith(_UNIX):
            _try_path(Path(bind.removeprefix(_UNIX)))
        else:
            host, port = split_port(bind)
            bound(host, port or 0).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            if held and port_of(bind) is not None and port_of(bind) == port_of(held):
                return  # by ourselves, at another address of the port
            remedy = "end it, or choose another by server.bind or --bind"
            raise Conflict(
                f"{bind}: somebody listens there already: {remedy}"
            ) from None
        raise ConfigError([("server.bind", f"{bind}: {_reason(error)}")]) from None


def _try_path(path: Path) -> None:
    """Return if a socket could be made at *path*; one that nobody uses is replaced."""
    folder = path.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        missing = errno.EACCES if folder.is_dir() else errno.ENOENT
        raise OSError(missing, os.strerror(missing))
    with socket.socket(socket.AF_UNIX) as knocking:
        knocking.settimeout(1)
        try:
            knocking.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            if path.exists() and not stat.S_ISSOCK(path.stat().st_mode):
                raise OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK)) from None
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _reason(error: OSError) -> str:
    """Return why an address cannot be had, and what would help."""
    remedies = {
        errno.EADDRNOTAVAIL: "is no address of this machine: name one that is",
        errno.EACCES: "is not for this user: choose another, or a port from 1024 on;"
        " `totp-gate config systemd` prints a unit that may",
        errno.ENOENT: "its folder does not exist: make it, or name another",
        errno.ENOTSOCK: "is there and no socket: remove it, or name another",
    }
    if isinstance(error, socket.gaierror):
        return f"cannot be looked up ({error.strerror}): write an address"
    return remedies.get(error.errno or 0, f"{error.strerror or error}: name another")
