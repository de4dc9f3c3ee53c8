"""``[[rules]]``: who may do what, in the order of the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, field_validator

from totp_gate.config.base import Complaint, Section, complaint, setting
from totp_gate.config.durations import Duration
from totp_gate.config.fields import Text, as_tuple
from totp_gate.core.headers import Networks
from totp_gate.core.policy import PolicyName, Rule, problems_of
from totp_gate.core.urls import Origin, canonical_pattern, parse_origin, split_port
from totp_gate.model import canonical_name

SINGLE_FACTOR_LENGTH = 15
"""Fewest characters of a password that lets somebody in by itself.

Source:
    NIST SP 800-63B-4 section 3.1.1.2.
"""

_MOST_ENTRIES = 1000
_LONGEST = 1024
_NO_HOST = "write it like app.example.com, or *.example.com for all below, without port"

_Words = Annotated[tuple[str, ...], BeforeValidator(as_tuple)]


def _as_pairs(value: object) -> tuple[tuple[str, str], ...]:
    """Read ``{ name = "value" }``."""
    if not isinstance(value, dict) or not all(
        isinstance(one, str) for one in value.values()
    ):
        raise ValueError('must be a table of texts: write { action = "delete" }')
    return tuple(sorted(value.items()))


class RuleEntry(Section):
    """``[[rules]]``: one rule; what is left out is no condition."""

    name: Annotated[str, Text(64)] = setting("", "told in logs and explain (required)")
    hosts: _Words = setting([], "hosts, or *.example.com for all below one")
    paths: _Words = setting(
        [], 'paths: exact, "/a/*" for all below, "re:" and a pattern'
    )
    methods: _Words = setting([], "methods; GET covers HEAD")
    query: Annotated[tuple[tuple[str, str], ...], BeforeValidator(_as_pairs)] = setting(
        {}, 'what the query must hold; "*" is any value'
    )
    networks: _Words = setting([], "where the client must be")
    users: _Words = setting([], "who may")
    groups: _Words = setting([], "whose members may; a user or a group is enough")
    policy: PolicyName = setting(
        "two-factor", "what is needed: public, one-factor, two-factor, or deny"
    )
    max_age: Annotated[
        int, Duration("30s", "30d", "a fresh code takes half a minute", off=True)
    ] = setting("0", "the code must be this fresh (step-up); 0: any age")
    preflight: bool = setting(False, "let CORS preflights pass, which cannot sign in")

    @field_validator("hosts", "paths", "methods", "networks", "users", "groups")
    @classmethod
    def _read_words(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(value) > _MOST_ENTRIES:
            raise ValueError(f"holds more than {_MOST_ENTRIES}: make several rules")
        words = tuple(map(Text(_LONGEST).read, value))
        if "" in words:
            raise ValueError("holds an empty text: remove it")
        return words

    @field_validator("hosts")
    @classmethod
    def _read_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(_host, value))

    @field_validator("paths")
    @classmethod
    def _read_paths(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(_path, value))

    @field_validator("networks")
    @classmethod
    def _read_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        Networks(value)
        return value

    @field_validator("users")
    @classmethod
    def _read_users(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(canonical_name, value))

    def complaints(self) -> Iterator[Complaint]:
        """Yield what is wrong between the settings."""
        for key in sorted(self.model_fields_set - {"name", "query"}):
            if getattr(self, key) == ():
                reason = "is an empty list, which is no condition: fill or remove it"
                yield complaint(key, reason)
        if not self.name:
            reason = "is missing: name the rule, for logs and totp-gate explain"
            yield complaint("name", reason)
            return
        for key, reason in problems_of(self.rule()):
            also = () if key == "policy" else ("policy",)
            yield complaint(key, reason, *also)

    def rule(self) -> Rule:
        """Return the rule as the policy knows it."""
        return Rule(
            name=self.name,
            hosts=self.hosts,
            paths=self.paths,
            methods=self.methods,
            query=self.query,
            networks=Networks(self.networks) if self.networks else None,
            users=frozenset(self.users),
            groups=frozenset(self.groups),
            policy=self.policy,
            max_age=self.max_age or None,
            preflight=self.preflight,
        )


def between(
    rules: Sequence[RuleEntry],
    *,
    origins: Sequence[Origin],
    prefix: str,
    min_length: int,
) -> Iterator[Complaint]:
    """Yield what is wrong between the rules, and with other settings.

    Args:
        origins: those the gate answers for.
        prefix: where its own pages live.
        min_length: fewest characters of a password.
    """
    names: set[str] = set()
    weak = min_length < SINGLE_FACTOR_LENGTH
    for number, rule in enumerate(rules):
        if rule.name and rule.name in names:
            reason = "is the name of two rules: rename one"
            yield Complaint(("rules", number, "name"), reason)
        names.add(rule.name)
        yield from _unmeant(rule, ("rules", number), origins, prefix)
        if rule.policy == "one-factor" and weak:
            weak = False
            reason = (
                "lets people in by the password alone, which takes"
                f" {SINGLE_FACTOR_LENGTH} characters: set password.min_length ="
                f" {SINGLE_FACTOR_LENGTH}, or ask for two factors"
            )
            where = ("rules", number, "policy")
            yield Complaint(where, reason, (("password", "min_length"),))


def _unmeant(
    rule: RuleEntry, place: tuple[Any, ...], origins: Sequence[Origin], prefix: str
) -> Iterator[Complaint]:
    """Yield hosts and paths that no request for which rules are asked could have."""
    known = [origin.host for origin in origins]
    for host in rule.hosts:
        below = host.removeprefix("*") if host.startswith("*") else None
        if host not in known and not (
            below and any(one.endswith(below) for one in known)
        ):
            reason = f"{host!r} is the host of no gate.origin: correct it, or add that"
            yield Complaint((*place, "hosts"), reason, (("gate", "origin"),))
    for path in rule.paths:
        low = path.lower()
        if low == prefix.lower() or low.startswith(f"{prefix.lower()}/"):
            reason = f"{path!r} is a page of the gate, where no rule is asked: drop it"
            yield Complaint((*place, "paths"), reason, (("gate", "prefix"),))


def _host(text: str) -> str:
    star = "*." if text.startswith("*.") else ""
    try:
        origin = parse_origin("https://" + text.removeprefix(star))
    except ValueError:
        raise ValueError(f"{text!r} is no host: {_NO_HOST}") from None
    if origin.port != 443 or split_port(text)[1] is not None or text.endswith("/"):
        raise ValueError(f"{text!r} is more than a host: {_NO_HOST}")
    return star + origin.host


def _path(text: str) -> str:
    return text if text.startswith("re:") else canonical_pattern(text)
