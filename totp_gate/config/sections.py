"""The sections about signing in and serving."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ValidationInfo, field_validator

from totp_gate.config.base import Complaint, Section, complaint, folder, setting
from totp_gate.config.durations import Duration
from totp_gate.config.fields import TextFile, Whole
from totp_gate.core import otp, throttle
from totp_gate.core.headers import environ_key, is_forwarded_key
from totp_gate.core.urls import clean_host, split_port
from totp_gate.errors import ConfigError
from totp_gate.users.breached import BreachedPasswords

_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+){0,5}", re.ASCII)
_TAKEN_WORDS = """
    accept age allow authorization cache-control connection cookie cookie2 date dnt etag
    expect expires from gate-token host http2-settings keep-alive last-modified link
    location max-forwards origin pragma range referer server set-cookie te trailer
    transfer-encoding upgrade user-agent vary via warning www-authenticate
    x-csrftoken x-http-method-override x-requested-with x-request-id
"""
_TAKEN = frozenset(_TAKEN_WORDS.split())
_TAKEN_FAMILIES = ("content-", "proxy-", "sec-", "accept-", "if-", "access-control-")
_FORWARDED_IDENTITY = frozenset(
    f"x-forwarded-{name}" for name in ("user", "groups", "email", "preferred-username")
)


class SessionSection(Section):
    """``[session]``: how long people stay signed in."""

    idle: Annotated[int, Duration("1s", "90d", "0 would end it at once")] = setting(
        "1h", "a session ends after this long without activity"
    )
    lifetime: Annotated[
        int, Duration("1s", "400d", "browsers keep no cookie longer")
    ] = setting("24h", "a session ends after this long whatever happens")
    max_per_user: Annotated[
        int, Whole(0, 10_000, "more than that is no limit, which is 0")
    ] = setting(0, "sessions a user may have, the oldest ends; 0: any number")

    def complaints(self) -> Iterator[Complaint]:
        """Yield what is wrong between the settings."""
        if self.idle > self.lifetime:
            reason = "is longer than lifetime, so it would never be reached: shorten it"
            yield complaint("idle", reason, "lifetime")


class SecondFactorSection(Section):
    """``[second_factor]``: the one-time code."""

    enrollment: Literal["link", "first-login"] = setting(
        "link", "a first authenticator needs a one-time link, or just the password"
    )
    algorithm: Literal["SHA1", "SHA256", "SHA512"] = setting(
        "SHA1", "SHA1, SHA256 or SHA512; many apps know only SHA1"
    )
    digits: Literal[6, 8] = setting(6, "length of a code, 6 or 8")
    period: Annotated[
        int,
        Whole(
            otp.SHORTEST_PERIOD,
            otp.LONGEST_PERIOD,
            "less is too short to type, more leaves a seen code usable",
        ),
    ] = setting(30, "seconds a code lasts")
    drift: Annotated[
        int, Whole(0, 2, "each step more lets a seen or guessed code work longer")
    ] = setting(1, "codes accepted before and after the current one")
    trusted_device: Annotated[
        int, Duration("1h", "90d", "a browser is lost or sold some day", off=True)
    ] = setting("0", "how long a trusted browser is asked for no code; 0: never")


class PasswordSection(Section):
    """``[password]``: what a new password must be like."""

    min_length: Annotated[
        int, Whole(8, 64, "less is guessed, more keeps passphrases out")
    ] = setting(8, "fewest characters of a new password")
    breached_file: TextFile = setting(
        "", "list of passwords that got out, as SHA-1 in order; none of them is taken"
    )

    def complaints(self) -> Iterator[Complaint]:
        """Yield what is wrong with the list."""
        try:
            self.breached()
        except ConfigError as error:
            yield complaint("breached_file", error.problems[0][1])

    def breached(self) -> BreachedPasswords | None:
        """Return the list, where there is one.

        Raises:
            ConfigError: it cannot be used.
        """
        if not self.breached_file:
            return None
        return BreachedPasswords(Path(self.breached_file))


_WHY_FEW = "an honest person needs a few, a guesser many"
_WHY_WAIT = "less stops nobody, more locks honest people out"


class ThrottleSection(Section):
    """``[throttle]``: what guessing costs. `core.throttle` has the reasons."""

    password_free: Annotated[int, Whole(1, 20, _WHY_FEW)] = setting(
        5, "wrong passwords of an account that cost nothing"
    )
    password_longest_wait: Annotated[int, Duration("10s", "24h", _WHY_WAIT)] = setting(
        "15m", "the wait doubles up to this; strangers can cause it, so keep it short"
    )
    password_most: Annotated[int, Whole(0, 100, "NIST allows 100 in a row")] = setting(
        100, "wrong passwords in a row, then only known browsers sign in; 0: no end"
    )
    code_free: Annotated[int, Whole(1, 10, _WHY_FEW)] = setting(
        4, "wrong codes of an account that cost nothing"
    )
    code_longest_wait: Annotated[int, Duration("10m", "24h", _WHY_WAIT)] = setting(
        "1h", "the wait for the next code doubles up to this"
    )
    code_most: Annotated[int, Whole(11, 100, "NIST allows 100 in a row")] = setting(
        100, "wrong codes in a row, then only known browsers sign in"
    )
    address_free: Annotated[int, Whole(5, 1000, _WHY_FEW)] = setting(
        29, "failures from one address that cost nothing; offices share one"
    )

    def guessing(self) -> throttle.Guessing:
        """Return the budgets."""
        usual = throttle.Guessing()
        return throttle.Guessing(
            password=replace(
                usual.password,
                free=self.password_free,
                ceiling=self.password_longest_wait,
                hard=self.password_most,
            ),
            code=replace(
                usual.code,
                free=self.code_free,
                ceiling=self.code_longest_wait,
                hard=self.code_most,
            ),
            address=replace(usual.address, free=self.address_free),
        )

    def complaints(self) -> Iterator[Complaint]:
        """Yield an end that would come before the first wait."""
        if 0 < self.password_most <= self.password_free:
            reason = "has to be above password_free, or 0: no end"
            yield complaint("password_most", reason, "password_free")


class IdentitySection(Section):
    """``[identity]``: headers by which the application is told who asks."""

    user: str = setting("Remote-User", "header with the user's canonical name")
    groups: str = setting("Remote-Groups", "header with the groups, comma separated")
    name: str = setting("Remote-Name", "header with the name for people")
    email: str = setting("Remote-Email", "header with the e-mail address")
    assertion: str = setting("", "header with a signed JWT of all this; empty: none")

    @field_validator("user", "groups", "name", "email", "assertion")
    @classmethod
    def _read_header(cls, value: str, info: ValidationInfo) -> str:
        if not value and info.field_name == "assertion":
            return value
        if len(value) > 64 or not _HEADER.fullmatch(value):
            raise ValueError(
                "is no safe header name: write letters and digits with single hyphens"
                " between them, as Remote-User (servers rewrite or drop the rest)"
            )
        low = value.lower()
        forwarded = is_forwarded_key(environ_key(value))
        if low in _FORWARDED_IDENTITY:
            return value
        if low in _TAKEN or low.startswith(_TAKEN_FAMILIES) or forwarded:
            raise ValueError("has a meaning of its own: choose one like Remote-User")
        return value

    def complaints(self) -> Iterator[Complaint]:
        """Yield headers that would stand for two things."""
        seen: dict[str, str] = {}
        for key in type(self).model_fields:
            first = seen.setdefault(getattr(self, key).lower(), key)
            if first != key:
                reason = f"is the same header as {first}: give each its own"
                yield complaint(key, reason, first)


class ServerSection(Section):
    """``[server]``: for `totp-gate serve`."""

    bind: str = setting("127.0.0.1:8000", "where to listen: host:port or unix:FILE")
    workers: Annotated[int, Whole(1, 256, "a few for each processor are enough")] = (
        setting(2, "worker processes")
    )
    worker_class: Literal["", "sync", "gthread", "gevent"] = setting(
        "", "sync, gthread or gevent; empty: gthread for app, else gevent"
    )
    threads: Annotated[
        int, Whole(1, 512, "each takes memory whether it works or not")
    ] = setting(8, "threads of a gthread worker")

    @field_validator("bind")
    @classmethod
    def _read_bind(cls, value: str, info: ValidationInfo) -> str:
        socket = value.removeprefix("unix:")
        if socket not in ("", value) and "\0" not in socket:
            return f"unix:{folder(info) / socket}"
        host = clean_host(value)
        if host is None or split_port(host)[1] is None:
            raise ValueError("is no address: write 127.0.0.1:8000 or unix:/path")
        return value

    def complaints(self) -> Iterator[Complaint]:
        """Yield what is wrong between the settings."""
        if "threads" in self.model_fields_set and self.worker_class in (
            "sync",
            "gevent",
        ):
            reason = f"means nothing to {self.worker_class} workers: remove it"
            yield complaint("threads", reason, "worker_class")
