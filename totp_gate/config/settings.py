"""All sections together, and what the rest of the gate takes from them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, PrivateAttr

from totp_gate.config.base import Complaint, Section, setting
from totp_gate.config.entry import GateSection, UpstreamSection
from totp_gate.config.fields import as_tuple
from totp_gate.config.permissions import is_readable_by_others
from totp_gate.config.reports import AuditSection, MetricsSection
from totp_gate.config.rules import RuleEntry, between
from totp_gate.config.sections import (
    IdentitySection,
    PasswordSection,
    SecondFactorSection,
    ServerSection,
    SessionSection,
    ThrottleSection,
)
from totp_gate.config.users import UserEntry, alike, exposed
from totp_gate.core import otp
from totp_gate.core.password_rules import Requirements
from totp_gate.core.policy import Rule
from totp_gate.core.sessions import Limits
from totp_gate.core.urls import Origin
from totp_gate.model import User
from totp_gate.upstream.destination import Destination
from totp_gate.upstream.destination import Limits as UpstreamLimits


class Config(Section):
    """What the settings file says; made by `load_config` only."""

    gate: GateSection = setting({}, "the gate itself")
    upstream: UpstreamSection | None = setting(None, "the application behind the gate")
    session: SessionSection = setting({}, "how long people stay signed in")
    second_factor: SecondFactorSection = setting({}, "the one-time code")
    password: PasswordSection = setting({}, "what a new password must be like")
    audit: AuditSection = setting({}, "what is written down, and where")
    metrics: MetricsSection = setting({}, "figures for Prometheus")
    throttle: ThrottleSection = setting({}, "what guessing costs")
    identity: IdentitySection = setting({}, "headers that tell who asks")
    users: Annotated[tuple[UserEntry, ...], BeforeValidator(as_tuple)] = setting(
        [], "users of the file; `totp-gate user add` keeps them in the store instead"
    )
    rules: Annotated[tuple[RuleEntry, ...], BeforeValidator(as_tuple)] = setting(
        [], "who may do what; what matches none needs two factors"
    )
    server: ServerSection = setting({}, "for `totp-gate serve`")

    _path: Path = PrivateAttr()

    def model_post_init(self, context: Any) -> None:
        """Remember where the file is; *context* is its path."""
        self._path = Path(context)

    def complaints(self) -> Iterator[Complaint]:
        """Yield what is wrong in and between the sections."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Section):
                yield from (one.below((name,)) for one in value.complaints())
            elif isinstance(value, tuple):
                for number, entry in enumerate(value):
                    place = (name, number)
                    yield from (one.below(place) for one in entry.complaints())
        yield from (one.below(("users",)) for one in alike(self.users))
        if is_readable_by_others(self.path):
            yield from (one.below(("users",)) for one in exposed(self.users, self.path))
        yield from between(
            self.rules,
            origins=self.origins,
            prefix=self.gate.prefix,
            min_length=self.password.min_length,
        )

    @property
    def path(self) -> Path:
        """The settings file, absolute."""
        return self._path

    @property
    def folder(self) -> Path:
        """The folder of the settings file."""
        return self._path.parent

    @property
    def origins(self) -> tuple[Origin, ...]:
        """The origins the gate answers for; never empty."""
        return self.gate.origin

    @property
    def keys_file(self) -> Path:
        """The file of the keys, absolute."""
        return self.gate.keys_file

    @property
    def state_url(self) -> str:
        """The SQLAlchemy URL of the state, with an absolute path."""
        return self.gate.state

    def limits(self) -> Limits:
        """Return how long sessions live."""
        section = self.session
        return Limits(
            idle=section.idle,
            lifetime=section.lifetime,
            max_per_user=section.max_per_user,
        )

    def otp_params(self) -> otp.Params:
        """Return what new authenticators are made with."""
        section = self.second_factor
        return otp.Params(
            algorithm=section.algorithm,
            digits=section.digits,
            period=section.period,
            drift=section.drift,
        )

    def requirements(self) -> Requirements:
        """Return what is asked of a new password."""
        return Requirements(min_length=self.password.min_length)

    def file_users(self) -> list[User]:
        """Return the users of the file."""
        return [entry.user() for entry in self.users]

    def access_rules(self) -> list[Rule]:
        """Return the rules, in the order of the file."""
        return [entry.rule() for entry in self.rules]

    def destination(self) -> Destination:
        """Return where the proxy connects to.

        Raises:
            ValueError: the file names no ``upstream.url``.
        """
        if self.upstream is None or not self.upstream.url:
            raise ValueError("there is no upstream.url to connect to")
        return self.upstream.destination()

    def upstream_limits(self) -> UpstreamLimits:
        """Return what the application behind the proxy may cost."""
        section = self.upstream or UpstreamSection()
        return UpstreamLimits(
            connect_timeout=section.connect_timeout,
            read_timeout=section.read_timeout,
            max_tunnels=section.max_tunnels,
        )
