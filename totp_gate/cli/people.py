"""What commands show of users, and whether a name is free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import click

from totp_gate.cli.importing import refuse
from totp_gate.cli.output import iso, local, print_fields, print_json, print_table
from totp_gate.cli.parts import Parts
from totp_gate.core.names import skeleton
from totp_gate.core.passwords import scheme
from totp_gate.core.sessions import is_live
from totp_gate.errors import Conflict
from totp_gate.model import Authenticator, Event, User

EVENTS = 10


def refuse_taken(parts: Parts, users: Sequence[User]) -> None:
    """Refuse names that somebody has, or that look like somebody's.

    Raises:
        Conflict, Refused: one of them does; the text names who.
    """
    taken = {skeleton(each.name): each for each in parts.accounts.directory.everyone()}
    problems = []
    for each in users:
        other = taken.get(skeleton(each.name))
        if other is None:
            continue
        if other.name == each.name:
            problems.append(f"there is a user called {other.name} ({other.source})")
        else:
            problems.append(f"{each.name} looks like {other.name}; choose another name")
    if len(users) == 1 and problems:
        raise Conflict(problems[0])
    refuse(problems)


def print_list(parts: Parts, *, only_locked: bool, as_json: bool) -> None:
    """Print all users, or those who have to wait after failed attempts."""
    accounts = parts.accounts
    enrolled = Counter(each.user for each in accounts.store.authenticators(None))
    locked = frozenset(accounts.guessing.locked(now=parts.now()))
    shown = []
    for each in accounts.directory.everyone():
        if only_locked and each.name not in locked:
            continue
        count = enrolled[each.name] + (each.totp_secret is not None)
        shown.append(
            {
                **_described(each),
                "authenticators": count,
                "state": _state(each, count, locked=each.name in locked),
            }
        )
    if as_json:
        print_json(shown)
        return
    rows = [
        (one["name"], one["display"], one["groups"], one["source"], one["state"])
        for one in shown
    ]
    print_table(("NAME", "DISPLAY", "GROUPS", "KEPT IN", "STATE"), rows)


def print_one(parts: Parts, user: User, *, as_json: bool) -> None:
    """Print all that an administrator needs to know of *user*."""
    accounts = parts.accounts
    now = parts.now()
    factors = accounts.factors.of(user)
    waits = accounts.guessing.waits(user.name, now=now)
    limits = parts.config.limits()
    sessions = [
        each
        for each in accounts.store.sessions(user.name)
        if is_live(each, limits, now=now)
    ]
    events = accounts.store.events(user.name, limit=EVENTS)
    fields = {
        **_described(user),
        "state": _state(user, len(factors), locked=bool(waits)),
        "created": iso(user.created) if user.created else None,
        "password": scheme(user.password_hash) if user.password_hash else None,
        "waits": {kind: wait.seconds for kind, wait in waits.items()},
        "recovery_codes_left": accounts.store.recovery_left(user.name),
        "trusted_browsers": len(accounts.store.browsers(user.name)),
        "sessions": len(sessions),
    }
    if as_json:
        fields["authenticators"] = [_factor(each) for each in factors]
        fields["events"] = [_event(each) for each in events]
        print_json(fields)
        return
    seen = max((each.seen for each in sessions), default=None)
    _print_text(fields, factors, events, seen)


def _print_text(
    fields: dict[str, Any],
    factors: Sequence[Authenticator],
    events: Sequence[Event],
    seen: float | None,
) -> None:
    waits = [f"{kind} {seconds} s" for kind, seconds in fields.pop("waits").items()]
    fields["password"] = fields["password"] or "none"
    fields["waits"] = waits
    named = [(key.replace("_", " "), value) for key, value in fields.items()]
    print_fields((name, value) for name, value in named if value is not None)
    if seen is not None:
        click.echo(f"last seen: {local(seen)}")
    click.echo("authenticators:" if factors else "authenticators: none")
    for each in factors:
        last = f"last used {local(each.used)}"
        click.echo(f"  {each.name} ({each.kind}, {_since(each)}, {last})")
    if events:
        click.echo("lately:")
    for one in events:
        what = " ".join(filter(None, (one.event, one.outcome, one.detail)))
        click.echo(f"  {local(one.at)}  {what}  {one.address}")


def _since(authenticator: Authenticator) -> str:
    if not authenticator.sealed:
        return "from the settings"
    return f"since {local(authenticator.created)}"


def _described(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "display": user.display,
        "email": user.email,
        "groups": list(user.groups),
        "source": user.source,
        "disabled": user.disabled,
        "password": user.password_hash is not None,
    }


def _state(user: User, authenticators: int, *, locked: bool) -> str:
    if user.disabled:
        return "disabled"
    if locked:
        return "too many attempts"
    if user.password_hash is None:
        return "has no password"
    return "ready" if authenticators else "has no authenticator"


def _factor(one: Authenticator) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind,
        "name": one.name,
        "algorithm": one.algorithm,
        "digits": one.digits,
        "period": one.period,
        "created": iso(one.created) if one.created else None,
        "used": iso(one.used),
    }


def _event(one: Event) -> dict[str, Any]:
    return {
        "at": iso(one.at),
        "event": one.event,
        "outcome": one.outcome,
        "address": one.address,
        "detail": one.detail,
    }
