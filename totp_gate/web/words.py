"""Records in words, for the owner of an account."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from totp_gate.model import AppToken, Authenticator, Browser, Event, Session
from totp_gate.telemetry.inventory import MOST_ALIKE, MOST_KEPT

FIRST = "first"
"""Detail of what belongs to a first sign-in and is no news at the second."""

BY_LINK = "link"
"""Detail of what was done by a one-time link."""


class Told(NamedTuple):
    """A short note, and whether it is good news."""

    text: str
    kind: Literal["success", "error"] = "success"


DONE = {
    "connected": Told("The authenticator is connected."),
    "replaced": Told(
        "The authenticator is connected. Those you had before do not work any more."
    ),
    "sign-in": Told("Your authenticator is connected. Sign in now."),
    "for-another": Told(
        "The authenticator is connected to the account of that link. To sign in with "
        "it, sign out here first."
    ),
    "confirmed": Told("Confirmed. Now press the button again."),
    "password": Told("Your password is changed. Your other sessions have ended."),
    "renamed": Told("The authenticator has its new name."),
    "no-name": Told("An authenticator needs a name. It keeps the one it has.", "error"),
    "removed": Told("The authenticator is removed. It does not work any more."),
    "not-removed": Told(
        "The authenticator was not removed: it is the last one, or gone already.",
        "error",
    ),
    "session-ended": Told("That session has ended."),
    "others-ended": Told("All your other sessions have ended."),
    "forgotten": Told("That browser will be asked for a code again."),
    "revoked": Told("The app token is revoked."),
    "gone": Told("That no longer exists. Nothing was changed.", "error"),
}
"""What a page says after a form that led to it."""

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
    ("password.passed", "success"): "Signed in with the password alone",
    ("browser.passed", "success"): "Signed in from a trusted browser",
    (
        "browser.replayed",
        "failure",
    ): "A copied cookie of a trusted browser was detected",
    ("clock-off", "failure"): "A code was refused: the clock of the device is off",
    ("password-changed", "success"): "The password was changed",
    ("enrollment", "success"): "An authenticator was connected",
    ("enrollment", "failure"): "An authenticator could not be connected",
    ("authenticator-renamed", "success"): "An authenticator was renamed",
    ("authenticator-removed", "success"): "An authenticator was removed",
    ("recovery-renewed", "success"): "New recovery codes were made",
    ("browser-forgotten", "success"): "A trusted browser was forgotten",
    ("session-ended", "success"): "A session was ended from this page",
    ("account-locked", "failure"): "Closed to new browsers after too many failures",
    ("proof.password", "failure"): "Somebody signed in typed a wrong password",
    ("proof.code", "failure"): "Somebody signed in typed a wrong code",
    ("proof.code", "success"): "A code was confirmed again",
    ("sign-out", "success"): "Signed out",
    ("token-made", "success"): "An app token was made",
    ("token-revoked", "success"): "An app token was revoked",
    ("user-added", "success"): "The account was made",
    ("user-changed", "success"): "An administrator changed groups, name or address",
    ("user-disabled", "success"): "An administrator closed the account",
    ("user-enabled", "success"): "An administrator opened the account again",
    ("user-unlocked", "success"): "An administrator cleared failed attempts",
    ("link-made", "success"): "An administrator created an enrollment link",
    ("link-withdrawn", "success"): "An administrator withdrew an enrollment link",
    ("password-set", "success"): "An administrator set the password",
    ("password-reset", "success"): "An administrator reset the password",
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
    "browser.replayed": "a copied cookie of a trusted browser was detected",
    "account-locked": "after too many failures your account was closed to new browsers",
    "link-made": "an administrator created an enrollment link",
    "password-set": "an administrator set your password",
    "password-reset": "an administrator reset your password",
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
    return (
        f"That code was for another time: the clock of your device seems to be about "
        f"{minutes} min behind. Let the device set its clock by itself, then try again."
    )


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


def authenticator(
    one: Authenticator, *, removable: bool, replaced: bool = False
) -> dict[str, object]:
    """Return an authenticator for the account page.

    Args:
        replaced: it stands in the settings, but another one took its place.
    """
    return {
        "id": one.id,
        "name": one.name,
        "kind": one.kind,
        "created": when(one.created) if one.created else "in the settings",
        "used": when(one.used) if one.used else None,
        "removable": removable,
        "replaced": replaced,
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
    if one.event == "password-changed" and one.detail == BY_LINK:
        said = "A link set another password"
    return {"when": when(one.at), "what": said, "address": one.address}


def events(known: Sequence[Event]) -> list[dict[str, object]]:
    """Return events for the account page, a sign-in as one of them.

    The right password that led to a session is not told beside it.

    Args:
        known: newest first.
    """
    shown, led = [], []
    for one in known:
        who = (one.address, one.agent)
        if one.outcome == "success" and one.event in {*_COMPLETE, "password.passed"}:
            led.append(who)
        elif _is_password(one) and who in led:
            led.remove(who)
            continue
        shown.append(event(one))
    return shown


def has_signed_in(known: Sequence[Event]) -> bool:
    """Tell whether *known*, the newest events there are, tell of a complete sign-in."""
    return len(known) >= MOST_KEPT or any(_is_sign_in(one) for one in known)


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
    said = [_change(one) for one in since if _is_change(one)]
    if wrong:
        often = "once" if wrong == 1 else f"{wrong} times"
        if any(guesses.count(kind) >= MOST_ALIKE for kind in _GUESSES):
            often += " or more"
        said.insert(0, f"a wrong code was typed {often} after the right password")
    if not said:
        return None
    return "Since your last sign-in: " + "; ".join(dict.fromkeys(said)) + "."


def _is_password(one: Event) -> bool:
    return (one.event, one.outcome) == ("sign-in.password", "success")


def _is_sign_in(one: Event) -> bool:
    return one.event in _COMPLETE and one.outcome == "success"


def _failed(one: Event) -> bool:
    return one.outcome == "failure"


def _change(one: Event) -> str:
    if one.event == "password-changed" and one.detail == BY_LINK:
        return "a link set another password and connected an authenticator"
    return _CHANGES[one.event]


def _is_change(one: Event) -> bool:
    """Tell whether it is news; of failures, only what strangers did."""
    happened = not _failed(one) or one.event in _BY_STRANGERS
    return one.event in _CHANGES and happened and one.detail != FIRST
