"""Where the application is, how to connect to it, and what it may cost.

A destination never changes: nothing that a client sends has a part in it. Over https
the certificate and the name are always verified; there is no switch.
"""

from __future__ import annotations

import re
import socket
import ssl
from dataclasses import dataclass
from functools import cached_property
from typing import Literal
from urllib.parse import urlsplit

from totp_gate.errors import ConfigError
from totp_gate.upstream.trouble import Unreachable, Untrusted

_NAME = re.compile(r"[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\]")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the application may cost a process; all times in seconds.

    Attributes:
        connect_timeout: for a connection, name look-up and TLS included.
        read_timeout: longest silence while an answer is owed or under way, and
            longest time in which the application takes nothing of an upload.
        max_tunnels: upgraded connections open at once.
        max_head: octets of an answer's status line and headers together.
        max_headers: number of headers of an answer.
        max_interim: 1xx answers before the final one.
        idle_connections: connections kept for the next request.
        idle_timeout: how long one is kept unused; less than the application's own.
        linger: how long the second half of a tunnel may outlive the first.
    """

    connect_timeout: float = 5.0
    read_timeout: float = 60.0
    max_tunnels: int = 200
    max_head: int = 65536
    max_headers: int = 256
    max_interim: int = 32
    idle_connections: int = 64
    idle_timeout: float = 30.0
    linger: float = 5.0


@dataclass(frozen=True, kw_only=True)
class Destination:
    """The one place the proxy connects to.

    Attributes:
        scheme: ``http``, ``https`` or ``unix``.
        name: host name, address, or path of the socket.
        port: TCP port; 0 for ``unix``.
        host: ``preserve`` passes the client's Host on, ``upstream`` sets its own.
        ca_file: PEM file of the only authorities believed; empty: the system's.
        client_cert: PEM file shown to the application; empty: none.
        client_key: PEM file of its key; empty: it is in ``client_cert``.
    """

    scheme: Literal["http", "https", "unix"]
    name: str
    port: int = 0
    host: Literal["preserve", "upstream"] = "preserve"
    ca_file: str = ""
    client_cert: str = ""
    client_key: str = ""

    @classmethod
    def parse(
        cls,
        url: str,
        *,
        host: str = "preserve",
        ca_file: str = "",
        client_cert: str = "",
        client_key: str = "",
    ) -> Destination:
        """Return the destination that *url* names.

        Raises:
            ConfigError: with the key under ``[upstream]`` and the remedy.
        """
        if host not in ("preserve", "upstream"):
            raise _wrong("host", f'{host!r}: write "preserve" or "upstream"')
        scheme, name, port = _take_apart(url)
        if scheme != "https" and (ca_file or client_cert or client_key):
            raise _wrong("ca_file", "certificates need an https:// url")
        destination = cls(
            scheme=scheme,
            name=name,
            port=port,
            host="upstream" if host == "upstream" else "preserve",
            ca_file=ca_file,
            client_cert=client_cert,
            client_key=client_key,
        )
        if scheme == "https":
            destination.check_certificates()
        return destination

    @property
    def authority(self) -> str:
        """The Host that is the application's own (RFC 9110 section 7.2)."""
        if self.scheme == "unix":
            return "localhost"
        name = f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port == _PORTS[self.scheme] else f"{name}:{self.port}"

    def check_certificates(self) -> None:
        """Read the certificate files once, so that a start tells what is wrong.

        Raises:
            ConfigError: a file is missing, unreadable or no PEM.
        """
        try:
            self._new_context()
        except OSError as error:
            raise _wrong(
                "ca_file", f"a certificate file cannot be used: {error}"
            ) from (error)

    def connect(self, limits: Limits) -> socket.socket:
        """Return a connected socket, verified if it is https.

        Raises:
            Untrusted: its certificate does not fit.
            Unreachable: no connection within ``limits.connect_timeout``.
        """
        try:
            sock = self._open(limits.connect_timeout)
        except OSError as error:
            raise Unreachable(f"{self.scheme}: {error}") from error
        if self.scheme != "https":
            return sock
        try:
            return self._context.wrap_socket(
                sock, server_hostname=self.name, suppress_ragged_eofs=False
            )
        except ssl.SSLCertVerificationError as error:
            sock.close()
            raise Untrusted(f"https: {error.verify_message}") from error
        except OSError as error:
            sock.close()
            raise Unreachable(f"https: {error}") from error

    def _open(self, timeout: float) -> socket.socket:
        if self.scheme == "unix":
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.settimeout(timeout)
            try:
                sock.connect(self.name)
            except BaseException:
                sock.close()
                raise
            return sock
        sock = socket.create_connection((self.name, self.port), timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return sock

    @cached_property
    def _context(self) -> ssl.SSLContext:
        # Made at the first use and not before: gevent replaces the class when a
        # worker starts, and a context made earlier would block the whole worker.
        return self._new_context()

    def _new_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca_file or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.client_cert:
            context.load_cert_chain(self.client_cert, self.client_key or None)
        return context


def _take_apart(url: str) -> tuple[Literal["http", "https", "unix"], str, int]:
    if url.startswith("unix:"):
        path = url.removeprefix("unix:").removeprefix("//")
        if not path.startswith("/"):
            raise _wrong("url", f"{url!r}: write unix:/path/of/the.sock")
        return "unix", path, 0
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _wrong("url", f"{url!r}: {error}; write http://127.0.0.1:5000") from error
    if parts.scheme not in ("http", "https"):
        raise _wrong("url", f"{url!r}: begin it with http://, https:// or unix:")
    if "@" in parts.netloc or "?" in url or "#" in url or parts.path not in ("", "/"):
        raise _wrong(
            "url",
            f"{url!r}: leave out user, path and query; targets pass unchanged, so an "
            "application under a path is found there",
        )
    name = parts.hostname or ""
    if not _NAME.fullmatch(f"[{name}]" if ":" in name else name) or port == 0:
        raise _wrong("url", f"{url!r}: names no host; write http://127.0.0.1:5000")
    scheme: Literal["http", "https"] = "https" if parts.scheme == "https" else "http"
    return scheme, name, port or _PORTS[scheme]


def _wrong(key: str, reason: str) -> ConfigError:
    return ConfigError([(f"upstream.{key}", reason)])
