"""Records in words, for the owner of an account."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from totp_gate.model import AppToken, Authenticator, Browser, Event, Session
from totp_gate.telemetry.inventory import MOST_ALIKE, MOST_KEPT

FIRST = "first"
"""Detail of what belongs to a first sign-in and is no news at the second."""

_PROGRAMS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox|FxiOS", "Firefox"),
    ("Chromium", "Chromium"),
    ("Chrome|CriOS", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone|iPad", "iOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_SAID = {
    ("sign-in.password", "failure"): "A wrong password was typed",
    ("sign-in.password", "success"): "The right password was typed",
    ("sign-in.code", "success"): "Signed in",
    ("sign-in.code", "failure"): "A wrong code was typed after the right password",
    ("sign-in.recovery", "success"): "Signed in with a recovery code",
    ("sign-in.recovery", "failure"): "A wrong recovery code was typed",
    ("password.passed", "success"): "Signed in by the password alone",
    ("browser.passed", "success"): "Signed in from a trusted browser",
    ("browser.replayed", "failure"): "A copy of a trusted browser was found out",
    ("clock-off", "failure"): "A code came from a clock that is off",
    ("password-changed", "success"): "The password was changed",
    ("enrollment", "success"): "An authenticator was connected",
    ("enrollment", "failure"): "An authenticator could not be connected",
    ("authenticator-renamed", "success"): "An authenticator was renamed",
    ("authenticator-removed", "success"): "An authenticator was removed",
    ("recovery-renewed", "success"): "New recovery codes were made",
    ("browser-forgotten", "success"): "A trusted browser was forgotten",
    ("session-ended", "success"): "A session was ended from this page",
    ("account-locked", "failure"): "After too many failures, closed to new browsers",
    ("proof.password", "failure"): "A wrong password was typed on the account page",
    ("proof.code", "failure"): "A wrong code was typed on the account page",
    ("proof.code", "success"): "Everything was proven once more",
    ("sign-out", "success"): "Signed out",
    ("token-made", "success"): "An app token was made",
    ("token-revoked", "success"): "An app token was revoked",
    ("user-added", "success"): "The account was made",
    ("user-changed", "success"): "An administrator changed groups, name or address",
    ("user-disabled", "success"): "An administrator closed the account",
    ("user-enabled", "success"): "An administrator opened the account again",
    ("user-unlocked", "success"): "An administrator forgave failed attempts",
    ("link-made", "success"): "An administrator made a link to enroll by",
    ("link-withdrawn", "success"): "An administrator withdrew a link to enroll by",
    ("password-set", "success"): "An administrator set the password",
    ("password-reset", "success"): "An administrator made the password void",
    ("second-factor-reset", "success"): "An administrator removed authenticators",
    ("sessions-revoked", "success"): "An administrator ended sessions",
}
_CHANGES = {
    "token-made": "an app token was made",
    "password-changed": "your password was changed",
    "enrollment": "an authenticator was connected",
    "recovery-renewed": "new recovery codes were made",
    "authenticator-removed": "an authenticator was removed",
    "sign-in.recovery": "a recovery code was used",
    "browser.replayed": "a copy of a trusted browser was found out",
    "account-locked": "after too many failures your account was closed to new browsers",
    "link-made": "an administrator made a link to enroll by",
    "password-set": "an administrator set your password",
    "password-reset": "an administrator made your password void",
    "second-factor-reset": "an administrator removed your authenticators",
}
_BY_STRANGERS = {"browser.replayed", "account-locked"}
_GUESSES = {"sign-in.code", "sign-in.recovery"}
_COMPLETE = {"sign-in.code", "sign-in.recovery", "browser.passed"}


def when(at: float) -> str:
    """Return a point in time in UTC, to the minute."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def agent(text: str) -> str:
    """Return what a browser calls itself, in words: ``Firefox on Linux``."""
    program = _named(_PROGRAMS, text)
    system = _named(_SYSTEMS, text)
    if program and system:
        return f"{program} on {system}"
    return program or system or text[:40] or "Unknown browser"


def _named(marks: Sequence[tuple[str, str]], text: str) -> str:
    return next((name for mark, name in marks if re.search(mark, text)), "")


def clock(offset: int) -> str:
    """Return what to say about a clock that is *offset* seconds ahead, or nothing.

    Only who is behind is told: of a clock that is ahead, guesses would learn codes that
    are valid soon.
    """
    if offset >= 0:
        return ""
    minutes = max(1, round(-offset / 60))
    return f"The clock of your device seems to be about {minutes} min behind."


def recovered(left: int) -> str:
    """Return what to say to somebody who has just used a recovery code."""
    codes = {0: "No recovery code is", 1: "1 recovery code is"}
    number = codes.get(left, f"{left} recovery codes are")
    return f"{number} left. What you connect now replaces your old authenticators."


def session(one: Session, *, here: str) -> dict[str, object]:
    """Return a session for the account page; *here* is the id of the one it is."""
    return {
        "id": one.id,
        "here": one.id == here,
        "since": when(one.created),
        "seen": when(one.seen),
        "address": one.address,
        "agent": agent(one.agent),
    }


def authenticator(one: Authenticator, *, removable: bool) -> dict[str, object]:
    """Return an authenticator for the account page."""
    return {
        "id": one.id,
        "name": one.name,
        "kind": one.kind,
        "created": when(one.created) if one.created else "in the settings",
        "used": when(one.used) if one.used else None,
        "removable": removable,
        "renamable": bool(one.sealed),
    }


def browser(one: Browser) -> dict[str, object]:
    """Return a trusted browser for the account page."""
    return {
        "id": one.id,
        "agent": agent(one.agent),
        "since": when(one.created),
        "seen": when(one.rotated),
        "address": one.address,
    }


def token(one: AppToken, *, now: float) -> dict[str, object]:
    """Return an app token for the account page."""
    scope = [*one.methods, *one.paths, *one.networks]
    return {
        "id": one.id,
        "name": one.name,
        "scope": " ".join(scope) or None,
        "created": when(one.created),
        "used": when(one.used) if one.used else None,
        "expires": None if math.isinf(one.expires) else when(one.expires),
        "expired": now >= one.expires,
    }


def event(one: Event) -> dict[str, object]:
    """Return an event for the account page."""
    said = _SAID.get((one.event, one.outcome), f"{one.event}: {one.outcome}")
    return {"when": when(one.at), "what": said, "address": one.address}


def news(events: Sequence[Event], *, signed_in: bool) -> str | None:
    """Return what the owner should know of the time since they signed in before.

    Args:
        events: newest first, ``MOST_KEPT`` of them where there are so many.
        signed_in: the newest sign-in is the one of now; else it is not complete yet.

    Source:
        OWASP Multifactor Authentication, "Tell the user of failed attempts".
    """
    complete = [at for at, one in enumerate(events) if _is_sign_in(one)]
    start = complete.pop(0) + 1 if signed_in and complete else 0
    if not complete and len(events) < MOST_KEPT:
        return None  # everything is here, and there was no sign-in before
    # The sign-in before belongs to it: a thief may have done it with a recovery code.
    since = events[start : complete[0] + 1 if complete else len(events)]
    guesses = [one.event for one in since if one.event in _GUESSES and _failed(one)]
    wrong = len(guesses)
    said = [_CHANGES[one.event] for one in since if _is_change(one)]
    if wrong:
        often = "once" if wrong == 1 else f"{wrong} times"
        if any(guesses.count(kind) >= MOST_ALIKE for kind in _GUESSES):
            often += " or more"
        said.insert(0, f"a wrong code was typed {often} after the right password")
    if not said:
        return None
    return "Since you signed in before: " + "; ".join(dict.fromkeys(said)) + "."


def _is_sign_in(one: Event) -> bool:
    return one.event in _COMPLETE and one.outcome == "success"


def _failed(one: Event) -> bool:
    return one.outcome == "failure"


def _is_change(one: Event) -> bool:
    """Tell whether it is news; of failures, only what strangers did."""
    happened = not _failed(one) or one.event in _BY_STRANGERS
    return one.event in _CHANGES and happened and one.detail != FIRST
