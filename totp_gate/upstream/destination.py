"""Where the application is, how to connect to it, and what it may cost.

A destination never changes: nothing that a client sends has a part in it. Over https
the certificate and the name are always verified; there is no switch.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from totp_gate.errors import ConfigError
from totp_gate.upstream.dialling import dial, dial_unix, encrypt
from totp_gate.upstream.trouble import Unreachable, Untrusted

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the application may cost a process; all times in seconds.

    Attributes:
        connect_timeout: for a connection, over all addresses of the name and with
            TLS; the look-up of the name counts too, but is not cut short.
        read_timeout: longest silence while an answer is owed or under way, and
            longest time in which the application takes nothing of an upload, or one
            side of a tunnel nothing of what the other has sent.
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
            ConfigError: a file is missing, unreadable, no PEM, or encrypted.
        """
        try:
            self._new_context()
        except OSError as error:
            raise _wrong(
                "ca_file", f"a certificate file cannot be used: {error}"
            ) from error

    def connect(self, limits: Limits) -> socket.socket:
        """Return a connected socket, verified if it is https.

        Raises:
            Untrusted: its certificate does not fit.
            Unreachable: no connection within ``limits.connect_timeout``.
        """
        deadline = time.monotonic() + limits.connect_timeout
        try:
            if self.scheme == "unix":
                return dial_unix(self.name, deadline=deadline)
            sock = dial(self.name, self.port, deadline=deadline)
            if self.scheme == "http":
                return sock
            return encrypt(sock, self._context, self.name, deadline=deadline)
        except ssl.SSLCertVerificationError as error:
            raise Untrusted(f"https: {error.verify_message}") from error
        except OSError as error:
            raise Unreachable(f"{self.scheme}: {error}") from error

    @cached_property
    def _context(self) -> ssl.SSLContext:
        # Made at the first use and not before: gevent replaces the class when a
        # worker starts, and a context made earlier would block the whole worker.
        return self._new_context()

    def _new_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca_file or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.client_cert:
            context.load_cert_chain(
                self.client_cert, self.client_key or None, password=_no_passphrase
            )
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
    if not _is_host(name) or port == 0:
        raise _wrong("url", f"{url!r}: names no host; write http://127.0.0.1:5000")
    scheme: Literal["http", "https"] = "https" if parts.scheme == "https" else "http"
    return scheme, name, port or _PORTS[scheme]


def _no_passphrase() -> str:
    # Without this OpenSSL asks the terminal, and waits.
    raise _wrong(
        "client_key",
        "the key is encrypted: write it without a passphrase, "
        "openssl pkey -in KEY -out PLAIN",
    )


def _is_host(name: str) -> bool:
    """Tell whether *name* can be looked up: an address, or labels of a host name.

    Source:
        RFC 1123 section 2.1, RFC 1035 section 2.3.4; underscores, since networks of
        containers have names with them.
    """
    with suppress(ValueError):
        return bool(ip_address(name)) and "%" not in name
    labels = name.removesuffix(".").split(".")
    if len(name) > 253 or labels[-1].isdigit():
        return False
    return all(_LABEL.fullmatch(label) for label in labels)


def _wrong(key: str, reason: str) -> ConfigError:
    return ConfigError([(f"upstream.{key}", reason)])
