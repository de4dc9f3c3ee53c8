"""Every event there is, and what becomes of it.

An event that is not listed here is a bug, which a test finds by reading the code: every
call of ``Audit.event`` and ``Audit.sign_in`` names an event of this list, and every
event of this list is written somewhere. At run time an unknown name is written like any
other, since evidence must not be lost to a slip of the pen. ``docs/audit.md`` shows
this list to operators.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST_KEPT = 50
"""How many events an account keeps."""

MOST_ALIKE = 6
"""How many of them may be of one cheap event and outcome."""

MOST_OF_GATE = 500
"""How many events of the gate itself are kept."""

THE_GATE = ":gate"
"""Whose events those are; nobody can have this name (``core.names``)."""

LOCKED = "locked"
"""The outcome of what was not judged: it costs whoever knocks nothing."""

OUTCOMES = ("success", "failure", LOCKED)
"""What may stand in ``outcome``."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event.

    Attributes:
        meaning: what happened, for operators; one sentence without its full stop.
        kept: recent ones stay in the store, for ``totp-gate audit``, and are shown to
            the owner of the account.
        gate: they are kept as the gate's own, since no account is left to keep them.
        cheap: outcomes that take less than both factors. Only the newest
            ``MOST_ALIKE`` of each are kept, or they would push everything else out.
        free: outcomes that whoever is not signed in can cause at no cost. Then there
            is one line a minute of each address and reason, and the next says how many
            there were.
        told: the command of ``[audit]`` runs for it, unless ``command_events`` says
            otherwise: what an owner wants to hear of even if they never look.
    """

    meaning: str
    kept: bool = False
    gate: bool = False
    cheap: tuple[str, ...] = ()
    free: tuple[str, ...] = ()
    told: bool = False


EVENTS: dict[str, Kind] = {
    "sign-in.password": Kind(
        "A user name and a password were judged",
        kept=True,
        cheap=("success", "failure"),
    ),
    "sign-in.code": Kind(
        "A one-time code was judged; with its success a session begins",
        kept=True,
        cheap=("failure",),
    ),
    "sign-in.recovery": Kind(
        "A recovery code was judged; with its success a session begins",
        kept=True,
        cheap=("failure",),
        told=True,
    ),
    "password.passed": Kind(
        "A password alone began a session, for places where a rule says so",
        kept=True,
        cheap=("success",),
    ),
    "browser.passed": Kind("A trusted browser stood for the code", kept=True),
    "browser.replayed": Kind(
        "A copy of a trusted browser's cookie was shown; its series has ended",
        kept=True,
        told=True,
    ),
    "proof.password": Kind("The password was judged once more", kept=True),
    "proof.code": Kind(
        "A code was judged once more, for something sensitive", kept=True
    ),
    "clock-off": Kind(
        "A code was right for another time: a clock seems off",
        kept=True,
        cheap=("failure",),
    ),
    "password-changed": Kind(
        "The owner changed the password, or (detail `link`) a link set another",
        kept=True,
        told=True,
    ),
    "authenticator-renamed": Kind("A second factor got another name", kept=True),
    "authenticator-removed": Kind("A second factor was removed", kept=True, told=True),
    "recovery-renewed": Kind(
        "Fresh recovery codes replaced the old", kept=True, told=True
    ),
    "browser-forgotten": Kind("A trusted browser was forgotten", kept=True),
    "session-ended": Kind("The owner ended a session of theirs", kept=True),
    "hand-off.given": Kind(
        "A session was given to another host that asked for it, by a code for one use",
        free=("failure",),
    ),
    "hand-off.taken": Kind(
        "A session that began at another host was fetched here", free=("failure",)
    ),
    "sign-out": Kind("Somebody ended their session", kept=True, cheap=("success",)),
    "enrollment": Kind(
        "A second factor was connected to an account",
        kept=True,
        cheap=("failure",),
        told=True,
    ),
    "token-made": Kind(
        "The owner or a command made an app token", kept=True, told=True
    ),
    "token-revoked": Kind("The owner or a command revoked an app token", kept=True),
    "account-locked": Kind(
        "Too many failures in a row: only browsers that are known sign in from now on, "
        "until somebody unlocks it; without a user it is a name nobody has",
        kept=True,
        told=True,
    ),
    "user-added": Kind("A command added the user", kept=True),
    "users-imported": Kind("A command added all users of a file", kept=True, gate=True),
    "user-removed": Kind(
        "A command removed the user and all that was theirs", kept=True, gate=True
    ),
    "user-changed": Kind(
        "A command changed groups, display name or address", kept=True
    ),
    "user-disabled": Kind("A command keeps the user out", kept=True, told=True),
    "user-enabled": Kind("A command lets the user in again", kept=True, told=True),
    "user-unlocked": Kind("A command forgave failed attempts", kept=True),
    "link-made": Kind("A command made a one-time link", kept=True, told=True),
    "link-withdrawn": Kind("A command withdrew a one-time link", kept=True),
    "password-set": Kind("A command set the password", kept=True, told=True),
    "password-reset": Kind(
        "A command made the password void and made a link", kept=True, told=True
    ),
    "second-factor-reset": Kind(
        "A command removed every second factor and made a link", kept=True, told=True
    ),
    "sessions-revoked": Kind("A command ended sessions of the user", kept=True),
    "all-sessions-revoked": Kind(
        "A command ended the sessions of everybody", kept=True, gate=True
    ),
    "keys-rotated": Kind("A command made a new key of the gate", kept=True, gate=True),
    "keys-pruned": Kind("A command removed old keys of the gate", kept=True, gate=True),
    "request-held": Kind("A request that met no session was kept for its sender"),
    "held-sent": Kind("A request that was kept was sent, by its sender"),
    "held-dropped": Kind("A request that was kept was dropped, by its sender"),
    "refused": Kind(
        "A request was refused, whatever would be proven: by a rule, as an upgrade that"
        " another site asks for, or because it was kept for somebody else",
        free=("failure",),
    ),
    "form-refused": Kind(
        "A form came from elsewhere, too late or without its cookie (CSRF)",
        free=("failure",),
    ),
    "request-refused": Kind(
        "A request to a page of the gate broke the rules of HTTP", free=("failure",)
    ),
    "forward.untrusted": Kind(
        "Somebody who is no trusted proxy asked what only a web server may ask",
        free=("failure",),
    ),
    "forward.unclear": Kind(
        "A web server did not describe a request as the endpoint it asked expects",
        free=("failure",),
    ),
    "session.forged": Kind(
        "A session cookie was made up or changed: its signature is wrong. It may also "
        "be of another gate or host, or older than a pruned key",
        free=("failure",),
    ),
    "browser.forged": Kind(
        "The cookie of a known browser was made up or changed; it may also be older "
        "than a pruned key",
        free=("failure",),
    ),
    "token.refused": Kind(
        "Something was shown as an app token that is none, or is none any more: made "
        "up, revoked, expired, or of somebody who may not come in",
        free=("failure",),
    ),
    "link.refused": Kind(
        "A one-time link was opened that is none, or is none any more: made up, used, "
        "replaced or expired",
        free=("failure",),
    ),
    "identity.forged": Kind(
        "Somebody sent a header that tells the application who asks, and it was taken "
        "out; the detail names it",
        free=("failure",),
    ),
    "proxy.unlisted": Kind(
        "Somebody on this machine or in a private network who is no trusted proxy sent "
        "what only a web server may say: yours may be missing in "
        "`gate.trusted_proxies`; an address once an hour"
    ),
    "upstream.untrusted": Kind(
        "The certificate of the application did not fit, so nothing was sent to it",
        free=("failure",),
    ),
    "trouble": Kind(
        "A part of the gate failed, or the application behind it was not ready when a "
        "monitor asked; each request it failed is in the log and the metrics. Where "
        "the detail is `failed` and the name of a Python exception, it is a bug of the "
        "gate: the log (logger `totp_gate`) says more under the same request"
    ),
}
"""By name; the names are part of what others may rely on."""

UNKNOWN = Kind("An event that is missing in the list")


def kind_of(event: str) -> Kind:
    """Return what becomes of *event*; of an unknown one, nothing but its line."""
    return EVENTS.get(event, UNKNOWN)


def told_events() -> tuple[str, ...]:
    """Return the events for which the command runs if the settings name none."""
    return tuple(name for name, kind in EVENTS.items() if kind.told)
