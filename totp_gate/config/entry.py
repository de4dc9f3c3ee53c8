"""``[gate]`` and ``[upstream]``: what the gate is called, and what is behind it."""

from __future__ import annotations

import ipaddress
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, ValidationInfo, field_validator

from totp_gate.config.base import Complaint, Section, complaint, folder, setting
from totp_gate.config.durations import Duration
from totp_gate.config.fields import (
    Folder,
    SecretFile,
    Text,
    TextFile,
    Whole,
    as_tuple,
    each,
)
from totp_gate.config.permissions import too_open
from totp_gate.core.passwords import Weak
from totp_gate.core.urls import Origin, parse_origin
from totp_gate.errors import ConfigError
from totp_gate.upstream.destination import Destination

_SEGMENT = r"/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+"
_PREFIX = re.compile(rf"(?:{_SEGMENT}){{1,4}}", re.ASCII)
_IMPORT = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*(?:\(\))?", re.ASCII)
_SQLITE = "sqlite:///"
_WIDEST = {4: 8, 6: 7}
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


def _origins(value: object) -> tuple[Origin, ...]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(one, str) for one in texts):
        raise ValueError("must be an origin in quotes, or a list of such")
    origins = each(texts, parse_origin)
    for origin in origins:
        if origins.count(origin) > 1:
            raise ValueError(f"{origin.text} is there twice: remove one")
    return origins


def _network(text: str) -> str:
    text = text.strip()
    if text == "unix":
        return text
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        remedy = "write it like 10.0.0.0/8, ::1 or unix"
        raise ValueError(f"{text!r} is no network ({error}): {remedy}") from None
    if isinstance(network, ipaddress.IPv6Network) and network.overlaps(_MAPPED):
        raise ValueError(f"{text} stands for IPv4 addresses: write them as IPv4")
    if network.prefixlen < _WIDEST[network.version]:
        raise ValueError(
            f"{text} is (nearly) everybody, who could then claim any address:"
            " write only the networks of your own proxies"
        )
    return str(network)


class GateSection(Section):
    """``[gate]``: the gate itself."""

    origin: Annotated[tuple[Origin, ...], BeforeValidator(_origins)] = setting(
        [], "origin, or list of origins, that the gate answers for (required)"
    )
    name: Annotated[str, Text(64)] = setting(
        "", "title of the pages, issuer in authenticator apps; empty: the host"
    )
    prefix: str = setting("/_gate", "where the gate's own pages live")
    state: str = setting(
        "sqlite:///gate.db", "where sessions and users are kept: sqlite:///FILE"
    )
    keys_file: Path = setting(
        "gate.keys", "the gate's keys, made by `totp-gate key init`; mode 0600"
    )
    trusted_proxies: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = setting(
        [], 'networks (or "unix") whose X-Forwarded-* headers are believed'
    )
    insecure_http: bool = setting(
        False, "plain http on purpose: cookies lose Secure, pages show a banner"
    )
    theme: Folder = setting("", "folder whose templates go before the shipped ones")
    htpasswd: TextFile = setting("", "htpasswd file of further users; bcrypt")
    htpasswd_weak: Annotated[tuple[Weak, ...], BeforeValidator(as_tuple)] = setting(
        [],
        "weaker hashes allowed there: apr1 (MD5), sha1; whoever copies them has them",
    )

    @field_validator("name")
    @classmethod
    def _read_name(cls, value: str, info: ValidationInfo) -> str:
        if ":" in value:
            raise ValueError("holds a colon, where apps cut: leave it out")
        origins: tuple[Origin, ...] = info.data.get("origin", ())
        return value or (origins[0].host if origins else "")

    @field_validator("prefix")
    @classmethod
    def _read_prefix(cls, value: str) -> str:
        if len(value) > 64 or not _PREFIX.fullmatch(value):
            raise ValueError(
                "is no prefix: write a path like /_gate, with a slash at its start and"
                " none at its end, of letters, digits, hyphen, underscore, dot, tilde"
            )
        return value

    @field_validator("state")
    @classmethod
    def _read_state(cls, value: str, info: ValidationInfo) -> str:
        name = value.removeprefix(_SQLITE)
        if not value.startswith(_SQLITE) or name in ("", ":memory:"):
            raise ValueError("is no SQLite file: write sqlite:///gate.db")
        path = folder(info) / name
        if "?" in str(path) or "\0" in name:
            raise ValueError("can have no parameters and no ? in it: leave them out")
        return f"{_SQLITE}{path}"

    @field_validator("keys_file", mode="before")
    @classmethod
    def _read_keys_file(cls, value: object, info: ValidationInfo) -> Path:
        if not isinstance(value, str) or not value or "\0" in value:
            raise ValueError("must be the path of a file, in quotes")
        return folder(info) / value

    @field_validator("trusted_proxies")
    @classmethod
    def _read_trusted_proxies(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return each(value, _network)

    def complaints(self) -> Iterator[Complaint]:
        """Yield what is wrong between the settings, and with the file of the keys."""
        if not self.origin:
            remedy = 'write where people reach the gate, as "https://app.example.com"'
            yield complaint("origin", f"is missing: {remedy}")
        for origin in self.origin:
            if origin.scheme == "http" and not self.insecure_http:
                reason = (
                    f"{origin.text} is not safe, passwords would pass in the clear:"
                    " write https://, or insecure_http = true where that is meant"
                )
                yield complaint("origin", reason, "insecure_http")
            if origin.scheme == "https" and self.insecure_http:
                reason = f"contradicts the origin {origin.text}: remove one of them"
                yield complaint("insecure_http", reason, "origin")
        if self.htpasswd_weak and not self.htpasswd:
            reason = "means nothing without htpasswd: remove it, or name the file"
            yield complaint("htpasswd_weak", reason, "htpasswd")
        if reason := keys_reason(self.keys_file):
            yield complaint("keys_file", reason)


PUT_BACK = (
    "put it back from the backup (a new one, by totp-gate key init, is for a new"
    " installation: it opens no stored secret)"
)
"""What helps where the file of the keys is lost or spoilt."""


def keys_reason(path: Path) -> str:
    """Return why *path* cannot be the file of the keys, or nothing."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return f"{path} does not exist: {PUT_BACK}"
    except OSError as error:
        return f"{path} ({error.strerror}): correct the path or its permissions"
    if not stat.S_ISREG(found.st_mode):
        return f"{path} is no file: name the file of the keys"
    if reason := too_open(path):
        return reason
    if not os.access(path, os.R_OK):
        return f"{path} cannot be read: run chown {os.geteuid()} {path}"
    return ""


PROXY_ONLY = (
    *("host", "connect_timeout", "read_timeout", "max_tunnels"),
    *("ca_file", "client_cert_file", "client_key_file"),
)
"""Settings of ``[upstream]`` that mean nothing to a wrapped application."""


class UpstreamSection(Section):
    """``[upstream]``: the application behind the gate."""

    app: str = setting("", "WSGI application in this process: module:name")
    url: Annotated[str, Text(2048)] = setting(
        "", "address of an HTTP service: http://, https:// or unix:/path"
    )
    host: Literal["preserve", "upstream"] = setting(
        "preserve", "Host that the application sees: the client's, or its own"
    )
    connect_timeout: Annotated[
        int, Duration("1s", "5m", "somebody is waiting meanwhile")
    ] = setting("5s", "longest wait for a connection")
    read_timeout: Annotated[
        int, Duration("1s", "24h", "a dead application must show some day")
    ] = setting("60s", "longest silence of the application")
    max_tunnels: Annotated[
        int, Whole(0, 100_000, "each holds two connections open")
    ] = setting(200, "upgraded connections (WebSocket) a process")
    ca_file: TextFile = setting("", "authorities of an https url; empty: the system's")
    client_cert_file: TextFile = setting("", "certificate shown to an https url")
    client_key_file: SecretFile = setting("", "key of that certificate; mode 0600")

    @field_validator("app")
    @classmethod
    def _read_app(cls, value: str) -> str:
        if value and not _IMPORT.fullmatch(value):
            raise ValueError('is no application: write it like "package.wsgi:app"')
        return value

    @field_validator("url")
    @classmethod
    def _read_url(cls, value: str) -> str:
        # Before anything repeats it: what stands before the @ may be a password.
        if "@" in value and not value.startswith("unix:"):
            raise ValueError("holds a user or an @: leave it out")
        if value:
            _destination(value)
        return value

    def complaints(self) -> Iterator[Complaint]:
        """Yield what is wrong between the settings."""
        if self.app and self.url:
            reason = "and app are two places for one application: remove one"
            yield complaint("url", reason, "app")
        if not self.app and not self.url:
            reason = 'is missing: write app = "module:name" or url = "http://..."'
            yield complaint("url", reason, "app")
        if self.app and not self.url:
            for key in PROXY_ONLY:
                if key in self.model_fields_set:
                    reason = "means nothing with app, only with url: remove it"
                    yield complaint(key, reason, "app", "url")
        if self.url:
            yield from self._certificate_complaints()

    def _certificate_complaints(self) -> Iterator[Complaint]:
        given = [key for key in PROXY_ONLY[4:] if getattr(self, key)]
        if not self.url.startswith("https:"):
            for key in given:
                reason = "needs an https:// url: remove it, or correct url"
                yield complaint(key, reason, "url")
        elif self.client_key_file and not self.client_cert_file:
            reason = "has no certificate: set client_cert_file too"
            yield complaint("client_key_file", reason, "client_cert_file")
        elif given:
            try:
                self.destination()
            except ConfigError as error:
                yield complaint(given[0], error.problems[0][1], *given[1:], "url")

    def destination(self) -> Destination:
        """Return where the proxy connects to; only where ``url`` is set.

        Raises:
            ConfigError: a file of certificates holds none.
        """
        return Destination.parse(
            self.url,
            host=self.host,
            ca_file=self.ca_file,
            client_cert=self.client_cert_file,
            client_key=self.client_key_file,
        )


def _destination(url: str) -> None:
    try:
        Destination.parse(url)
    except ConfigError as error:
        raise ValueError(error.problems[0][1]) from None
