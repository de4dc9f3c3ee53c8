"""A connected socket within one deadline, however many addresses and steps it takes.

The deadline is a moment of ``time.monotonic``. Nothing here blocks past it but the
look-up of a name, which counts and has limits of its own in the system's resolver.
"""

from __future__ import annotations

import select
import socket
import ssl
import time

#: How often a socket of the file system with a full backlog is tried, in seconds.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.05


def dial(name: str, port: int, *, deadline: float) -> socket.socket:
    """Return a TCP connection to the first address of *name* that takes it.

    Each address gets an equal share of the time that is left.

    Raises:
        OSError: none did; what the last one said.
    """
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    failed: OSError = TimeoutError("the look-up of the name took too long")
    for number, (family, kind, protocol, _, address) in enumerate(found):
        share = (deadline - time.monotonic()) / (len(found) - number)
        if share <= 0:
            break
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(share)
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        except OSError as error:
            failed = error
            sock.close()
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failed


def dial_unix(path: str, *, deadline: float) -> socket.socket:
    """Return a connection to the socket *path*.

    Where its backlog is full the system says so at once, and nothing announces that
    there is room again: so it is asked now and then.

    Raises:
        OSError: nobody listens there, or there was no room in time.
    """
    pause = _FIRST_PAUSE
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(0.0)
        while True:
            try:
                sock.connect(path)
            except BlockingIOError:
                if time.monotonic() + pause > deadline:
                    raise TimeoutError("the backlog is full") from None
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                return sock
    except BaseException:
        sock.close()
        raise


def encrypt(
    sock: socket.socket, context: ssl.SSLContext, name: str, *, deadline: float
) -> ssl.SSLSocket:
    """Return *sock* with TLS, the certificate verified for *name*.

    Raises:
        OSError: no handshake in time; ssl.SSLCertVerificationError: who answers is
            somebody else. Then *sock* is closed.
    """
    try:
        sock.settimeout(0.0)
        secure = context.wrap_socket(
            sock,
            server_hostname=name,
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,
        )
    except BaseException:
        sock.close()
        raise
    try:
        while not _has_shaken(secure, deadline):
            pass
    except BaseException:
        secure.close()
        raise
    return secure


def _has_shaken(sock: ssl.SSLSocket, deadline: float) -> bool:
    """Go on with a handshake; wait for the other end where that is its turn."""
    try:
        sock.do_handshake()
    except ssl.SSLWantReadError:
        event = select.POLLIN
    except ssl.SSLWantWriteError:
        event = select.POLLOUT
    else:
        return True
    poll = select.poll()
    poll.register(sock, event)
    left = deadline - time.monotonic()
    if left <= 0 or not poll.poll(left * 1000):
        raise TimeoutError("the handshake took too long")
    return False
