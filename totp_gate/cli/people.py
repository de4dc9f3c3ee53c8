"""The list of users, and whether a name is free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from totp_gate.cli.output import print_json, print_table
from totp_gate.cli.parts import Parts
from totp_gate.core.names import skeleton
from totp_gate.errors import Conflict
from totp_gate.model import User


def taken(parts: Parts) -> dict[str, User]:
    """Return everybody there is, by what their name looks like."""
    return {skeleton(each.name): each for each in parts.accounts.directory.everyone()}


def clash(new: User, known: Mapping[str, User]) -> str:
    """Return who of *known* (as ``taken``) has the name of *new*, or one like it."""
    other = known.get(skeleton(new.name))
    if other is None:
        return ""
    if other.name == new.name:
        return f"there is a user called {other.name} ({other.source})"
    return f"{new.name} looks like {other.name}; choose another name"


def refuse_taken(parts: Parts, new: User) -> None:
    """Refuse a name that somebody has, or that looks like somebody's.

    Raises:
        Conflict: it does; the text names who.
    """
    wrong = clash(new, taken(parts))
    if wrong:
        raise Conflict(wrong)


def print_list(parts: Parts, *, locked: bool, stale: bool, as_json: bool) -> None:
    """Print all users, or those who are all that is asked for.

    Args:
        locked: they have to wait after failed attempts.
        stale: their password has another hash than it would be given today.
    """
    accounts = parts.accounts
    enrolled = Counter(each.user for each in accounts.store.authenticators(None))
    waiting = frozenset(accounts.guessing.locked(now=parts.now()))
    shown = []
    for each in accounts.directory.everyone():
        hash_is_stale = is_stale(parts, each)
        if (locked and each.name not in waiting) or (stale and not hash_is_stale):
            continue
        count = enrolled[each.name] + (each.totp_secret is not None)
        shown.append(
            {
                **described(each),
                "authenticators": count,
                "stale_hash": hash_is_stale,
                "state": state(each, count, locked=each.name in waiting),
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


def is_stale(parts: Parts, user: User) -> bool:
    """Tell whether the password of *user* has another hash than it would have today."""
    hashed = user.password_hash
    return hashed is not None and parts.accounts.passwords.is_stale(hashed)


def described(user: User) -> dict[str, Any]:
    """Return *user* for programs."""
    return {
        "name": user.name,
        "display": user.display,
        "email": user.email,
        "groups": list(user.groups),
        "source": user.source,
        "disabled": user.disabled,
        "password": user.password_hash is not None,
    }


def state(user: User, authenticators: int, *, locked: bool) -> str:
    """Return in words whether *user* can sign in, and what is missing."""
    if user.disabled:
        return "disabled"
    if locked:
        return "too many attempts"
    if user.password_hash is None:
        return "has no password"
    return "ready" if authenticators else "has no authenticator"
