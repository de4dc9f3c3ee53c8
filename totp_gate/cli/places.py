"""Where servers are, and what may be written about them into a configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass

import click

from totp_gate.errors import ConfigError
from totp_gate.upstream.destination import Destination

AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
"""Where Debian and its kin keep the authorities they believe."""

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - not bound here
_PLAIN = re.compile(r"[A-Za-z0-9_./:@+=,~\[\]-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server is, as each web server writes it.

    Attributes:
        scheme: ``http`` or ``https``.
        name: host name or address. port: TCP port.
        path: of a unix socket, or empty.
        host: the Host it wants, or empty: the visitor's.
        ca_file: authorities believed over https.
    """

    scheme: str
    name: str
    port: int
    path: str = ""
    host: str = ""
    ca_file: str = AUTHORITIES

    @property
    def nginx(self) -> str:
        """As ``server`` of an upstream block wants it."""
        return f"unix:{self.path}" if self.path else self._authority

    @property
    def caddy(self) -> str:
        """As ``reverse_proxy`` wants it."""
        if self.path:
            return f"unix/{self.path}"
        return ("https://" if self.scheme == "https" else "") + self._authority

    @property
    def url(self) -> str:
        """As an absolute URL."""
        return f"{self.scheme}://{self._authority}"

    @property
    def _authority(self) -> str:
        name = f"[{self.name}]" if ":" in self.name else self.name
        return f"{name}:{self.port}"


def plain(text: str) -> str:
    """Return *text*, in which nothing means anything to any web server.

    Raises:
        click.UsageError: something does.
    """
    if not _PLAIN.fullmatch(text):
        reason = "holds spaces or signs that mean something in such a file"
        raise click.UsageError(f"{text!r} {reason}: choose another name.")
    return text


def place_of(text: str) -> Place:
    """Return the place that an URL, an address or ``unix:/path`` names.

    Raises:
        click.UsageError: it names none.
    """
    if "://" not in text and not text.startswith("unix:"):
        host, colon, port = text.rpartition(":")
        text = f"http://{_ANYWHERE.get(host, host)}{colon}{port}"
    try:
        return reached(Destination.parse(text), "")
    except ConfigError as error:
        raise click.UsageError(error.problems[0][1]) from error


def reached(destination: Destination, host: str) -> Place:
    """Return where *destination* is; *host* as in `Place`."""
    if destination.scheme == "unix":
        path = plain(destination.name)
        return Place("http", "localhost", 80, path=path, host=host)
    return Place(
        destination.scheme,
        destination.name,
        destination.port,
        host=host,
        ca_file=plain(destination.ca_file or AUTHORITIES),
    )
