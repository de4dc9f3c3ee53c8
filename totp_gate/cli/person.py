"""One user, with everything an administrator needs to know."""

from __future__ import annotations

from typing import Any

from totp_gate.cli import people, session, token
from totp_gate.cli.output import iso, local, print_fields, print_json, print_section
from totp_gate.cli.parts import Parts
from totp_gate.core.passwords import scheme
from totp_gate.core.sessions import is_live
from totp_gate.model import AppToken, Authenticator, Browser, Event, Link, Session, User

EVENTS = 10


class Person:
    """What there is of one user just now.

    Attributes:
        waits: seconds before the next password and the next code of strangers, and the
            next attempt in a known browser, where there are any; None: until somebody
            unlocks it.
        stale_hash: the password has another hash than it would have today.
        links: those that were not used and are still good.
        browsers: those that stand for a code, and not all that are known.
    """

    def __init__(self, parts: Parts, user: User) -> None:
        accounts = parts.accounts
        store = accounts.store
        now = parts.now()
        limits = parts.config.limits()
        waits = accounts.guessing.waits(user.name, now=now)
        self.user = user
        self.waits = {
            kind: None if wait.hard else wait.seconds for kind, wait in waits.items()
        }
        self.stale_hash = people.is_stale(parts, user)
        self.recovery_left = store.recovery_left(user.name)
        self.factors = accounts.factors.of(user)
        self.browsers = accounts.browsers.trusted(user.name, now=now)
        self.sessions = [
            each for each in store.sessions(user.name) if is_live(each, limits, now=now)
        ]
        self.links = [each for each in store.links(user.name) if now < each.expires]
        self.tokens = accounts.app_tokens.of(user.name)
        self.events = store.events(user.name, limit=EVENTS)

    @property
    def state(self) -> str:
        """Whether they can sign in, in words."""
        return people.state(self.user, len(self.factors), locked=bool(self.waits))

    @property
    def scheme(self) -> str | None:
        """How the password is hashed; None: there is none."""
        return self.user.password_hash and scheme(self.user.password_hash)

    def print_json(self) -> None:
        """Print all of it for programs."""
        user = self.user
        print_json(
            {
                **people.described(user),
                "state": self.state,
                "created": iso(user.created) if user.created else None,
                "password_scheme": self.scheme,
                "stale_hash": self.stale_hash,
                "waits": self.waits,
                "recovery_codes_left": self.recovery_left,
                "authenticators": [described_factor(each) for each in self.factors],
                "trusted_browsers": [_browser(each) for each in self.browsers],
                "sessions": [session.described(each) for each in self.sessions],
                "links": [_link(each) for each in self.links],
                "tokens": [token.described(each) for each in self.tokens],
                "events": [_event(each) for each in self.events],
            }
        )

    def print_text(self) -> None:
        """Print all of it for people."""
        user = self.user
        print_fields(
            [
                ("name", user.name),
                ("display", user.display),
                ("email", user.email),
                ("groups", user.groups),
                ("kept in", user.source),
                ("state", self.state),
                ("created", local(user.created) if user.created else ""),
                ("password", self.scheme or "none"),
                ("waits", [_wait(*each) for each in self.waits.items()]),
                ("recovery codes left", self.recovery_left),
            ]
        )
        print_section("authenticators", [_factor_line(each) for each in self.factors])
        print_section(
            "trusted browsers", [_browser_line(each) for each in self.browsers]
        )
        print_section("sessions", [_session_line(each) for each in self.sessions])
        print_section("links not used yet", [_link_line(each) for each in self.links])
        print_section("app tokens", [_token_line(each) for each in self.tokens])
        print_section("lately", [_event_line(each) for each in self.events])


def _wait(kind: str, left: int | None) -> str:
    return f"{kind} until unlocked" if left is None else f"{kind} {left} s"


def described_factor(one: Authenticator) -> dict[str, Any]:
    """Return an authenticator for programs; its secret is not among it."""
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


def _factor_line(one: Authenticator) -> str:
    since = f"since {local(one.created)}" if one.sealed else "from the settings"
    return f"{one.name} ({one.kind}, {since}, last used {local(one.used)})"


def _browser(one: Browser) -> dict[str, Any]:
    return {
        "created": iso(one.created),
        "used": iso(one.rotated),
        "trusted_until": iso(one.trusted_until),
        "address": one.address,
        "agent": one.agent,
    }


def _browser_line(one: Browser) -> str:
    until = f"until {local(one.trusted_until)}, last used {local(one.rotated)}"
    return f"{until}  {one.address}  {one.agent}"


def _session_line(one: Session) -> str:
    times = f"since {local(one.created)}, last seen {local(one.seen)}"
    return f"{one.id[: session.REFERENCE]}  {times}  {one.address}  {one.agent}"


def _link(one: Link) -> dict[str, Any]:
    return {
        "purpose": one.purpose,
        "created": iso(one.created),
        "expires": iso(one.expires),
    }


def _link_line(one: Link) -> str:
    return f"{one.purpose}, made {local(one.created)}, good until {local(one.expires)}"


def _token_line(one: AppToken) -> str:
    times = f"expires {token.expiry(one)}, last used {local(one.used)}"
    return f"{one.id}  {one.name} ({token.scope(one)}), {times}"


def _event(one: Event) -> dict[str, Any]:
    return {
        "at": iso(one.at),
        "event": one.event,
        "outcome": one.outcome,
        "address": one.address,
        "detail": one.detail,
    }


def _event_line(one: Event) -> str:
    what = " ".join(filter(None, (one.event, one.outcome, one.detail)))
    return f"{local(one.at)}  {what}  {one.address}"
