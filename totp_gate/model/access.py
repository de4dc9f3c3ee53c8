"""Who asks, for what, and what the policy answers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from totp_gate.model.people import Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Who asks, for the policy; ``user`` is None where nobody is signed in."""

    user: str | None = None
    groups: frozenset[str] = frozenset()
    level: Level = Level.NONE
    second_factor_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRequest:
    """What is asked for.

    Attributes:
        host: lower case, without port and trailing dot.
        path: canonical path; ``readings`` starts with it and adds every other way in
            which an upstream could understand the target.
        query: as received, without the question mark.
        address: the client's, behind trusted proxies.
        preflight: a CORS preflight (OPTIONS, Origin, Access-Control-Request-Method).
    """

    host: str
    method: str
    path: str
    readings: tuple[str, ...] = ()
    query: str = ""
    address: str = ""
    preflight: bool = False


@dataclass(frozen=True, slots=True)
class Permit:
    """The request may pass.

    Attributes:
        rule: the rule that said so.
        until: Unix seconds until which this answer holds for the same session.
    """

    rule: str = "default"
    until: float = math.inf


@dataclass(frozen=True, slots=True)
class Challenge:
    """The request may pass once more is proven.

    Attributes:
        level: what has to be proven.
        max_age: the second factor must be this fresh, in seconds; None: any age.
    """

    level: Level = Level.SECOND_FACTOR
    max_age: int | None = None
    rule: str = "default"


@dataclass(frozen=True, slots=True)
class Refuse:
    """The request may not pass, whatever is proven."""

    rule: str = "default"
    reason: str = ""


Decision = Permit | Challenge | Refuse
