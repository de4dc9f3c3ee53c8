"""For people who test their own application behind the gate.

    from totp_gate.testing import Installation

    def test_a_stranger_sees_nothing(tmp_path):
        gate = Installation(my_app, tmp_path)
        assert gate.client().get("/").status_code == 303

    def test_alice_sees_her_page(tmp_path):
        gate = Installation(my_app, tmp_path)
        alice = gate.add_user("alice", groups=["staff"])
        page = gate.sign_in(alice).get("/")
        assert "alice" in page.text

Everything is real (settings, keys, state, pages, codes) but for two things: the clock
stands still until it is told to tick, and passwords are hashed cheaply. All of it is
shown in ``docs/testing.md``.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from werkzeug import test
from werkzeug.test import EnvironBuilder, TestResponse

from totp_gate.app import Gate
from totp_gate.config import load_config
from totp_gate.core import otp
from totp_gate.core.keys import new_line
from totp_gate.core.passwords import Profile
from totp_gate.model import AuthenticatorKind, User

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

ORIGIN = "https://app.example.com"


class Clock:
    """A clock that stands still.

    Attributes:
        now: Unix seconds.
    """

    def __init__(self, now: float | None = None) -> None:
        self.now = float(int(time.time())) if now is None else now

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def tick(self, seconds: float) -> None:
        """Let *seconds* pass (or, negative, set the clock back)."""
        self.now += seconds


@dataclass(frozen=True, slots=True)
class Person:
    """A user whose password and authenticator the test holds.

    Attributes:
        seed: shared secret of the authenticator; empty: none is enrolled.
        kind: its codes go by the clock (``totp``) or by a counter (``hotp``).
        device: its id.
    """

    name: str
    password: str
    seed: bytes = b""
    kind: AuthenticatorKind = "totp"
    device: str = ""


class Client(test.Client):
    """Werkzeug's test client, asking for pages as a browser does.

    ``get`` and ``post`` send what a browser sends with a navigation; give
    ``headers={"Accept": "application/json"}`` to be a program.
    """

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        """Send one request."""
        if not (args and isinstance(args[0], EnvironBuilder)):
            sent = {"Accept": "text/html,application/xhtml+xml"}
            sent.update(dict(kwargs.get("headers") or {}))
            kwargs["headers"] = sent
            kwargs.setdefault("base_url", self.origin)
            kwargs.setdefault("environ_base", {"REMOTE_ADDR": "127.0.0.1"})
        return super().open(*args, **kwargs)

    origin = ORIGIN


class Installation:
    """A gate in front of *app*, in a folder of its own.

    Args:
        app: the application to protect; None: there is none, web servers ask.
        folder: an empty folder (pytest's ``tmp_path``).
        settings: further lines of ``gate.toml``, sections included.
        origin: where browsers find the application.
        clock: shared with other installations, or a fresh one.
    """

    def __init__(
        self,
        app: WSGIApplication | None,
        folder: Path,
        settings: str = "",
        *,
        gate: Mapping[str, object] | None = None,
        origin: str = ORIGIN,
        clock: Clock | None = None,
    ) -> None:
        self.folder = folder
        self.origin = origin
        self.clock = clock or Clock()
        self.path = write_settings(folder, settings, gate=gate, origin=origin)
        self.app = app
        self.gate = self._open()

    def __enter__(self) -> Self:
        """Return the installation, which is closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the state."""
        self.accounts.store.close()

    @property
    def accounts(self) -> Any:
        """The use cases and backends of the gate (``totp_gate.app.Accounts``)."""
        return self.gate.accounts

    def restart(self) -> None:
        """Close the gate and open it again from its files."""
        self.accounts.store.close()
        self.gate = self._open()

    def add_user(
        self,
        name: str,
        password: str = "correct horse battery",  # noqa: S107 - for tests
        *,
        groups: Iterable[str] = (),
        enrolled: bool = True,
        kind: AuthenticatorKind = "totp",
        **known: Any,
    ) -> Person:
        """Add a user to the store, by default with authenticator and recovery codes.

        Args:
            name: as ``model.canonical_name`` spells it.
            kind: its codes go by the clock (``totp``) or by a counter (``hotp``).
            known: ``display``, ``email``, ``disabled``.
        """
        accounts = self.accounts
        hashed = accounts.passwords.hash(password)
        user = User(
            name=name,
            password_hash=hashed,
            groups=tuple(groups),
            created=self.clock(),
            **known,
        )
        accounts.store.add_users([user])
        if not enrolled:
            return Person(name, password)
        factor = accounts.factors.draw(kind=kind)
        ready = accounts.factors.sealed(
            factor, name, name="test", last=-1, now=self.clock()
        )
        accounts.store.add_authenticator(ready, only=True)
        accounts.recovery.renew(name, now=self.clock())
        return Person(name, password, factor.seed, kind, factor.id)

    def code(self, person: Person, *, steps: int = 0) -> str:
        """Return the code *person* would see now, or *steps* later.

        Of a counter that is the code after the last one accepted.
        """
        params = self.accounts.factors.params
        step = otp.step_at(self.clock(), params)
        if person.kind == "hotp":
            step = self.accounts.store.last_step(person.device) + 1
        return otp.code_at(person.seed, step + steps, params)

    def recovery_codes(self, person: Person) -> list[str]:
        """Return ten fresh recovery codes of *person*; older ones are dead."""
        codes: list[str] = self.accounts.recovery.renew(person.name, now=self.clock())
        return codes

    def client(self, origin: str = "") -> Client:
        """Return a browser without any cookie.

        Args:
            origin: where it looks, of several; empty: where ``origin`` says.
        """
        browser = Client(self.gate)
        browser.origin = origin or self.origin
        return browser

    def sign_in(self, person: Person, browser: Client | None = None) -> Client:
        """Return a browser in which *person* is signed in, through the pages.

        The clock ticks a period first, so that the code is one nobody has used.
        """
        browser = browser or self.client()
        self.clock.tick(self.accounts.factors.params.period)
        prefix = self.accounts.config.gate.prefix
        answer = submit(
            browser,
            f"{prefix}/login",
            username=person.name,
            password=person.password,
        )
        answer = submit(browser, answer.headers["Location"], code=self.code(person))
        if answer.status_code != 303:
            raise AssertionError(f"{person.name} could not sign in: {answer.status}")
        return browser

    def _open(self) -> Gate:
        profile = Profile.cheap_for_tests()
        return Gate(self.app, load_config(self.path), clock=self.clock, profile=profile)


def write_settings(
    folder: Path,
    settings: str = "",
    *,
    gate: Mapping[str, object] | None = None,
    origin: str = ORIGIN,
) -> Path:
    """Write ``gate.toml`` and ``gate.keys`` into *folder*; return the former."""
    keys = folder / "gate.keys"
    if not keys.exists():
        keys.touch(mode=0o600)
        keys.write_text(new_line("2026-01-01") + "\n")
    section = {"origin": origin, "insecure_http": origin.startswith("http:")}
    section.update(gate or {})
    lines = [f"{key} = {_toml(value)}" for key, value in section.items()]
    path = folder / "gate.toml"
    path.touch(mode=0o600)
    path.write_text("[gate]\n" + "\n".join(lines) + "\n" + settings)
    return path


def submit(browser: Client, page: str, **fields: str) -> TestResponse:
    """Open *page*, fill in its first form that has all *fields*, and send it."""
    shown = browser.get(page)
    for form in re.findall(r"<form\b.*?</form>", shown.text, re.DOTALL):
        names = re.findall(r'\bname="([^"]+)"', form)
        if set(fields) <= set(names):
            action = re.search(r'\baction="([^"]*)"', form)
            hidden = re.findall(
                r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form
            )
            sent = {name: unescape(value) for name, value in hidden} | fields
            url = unescape(action[1]) if action else page
            return browser.post(url, data=sent)
    raise AssertionError(f"no form with {sorted(fields)} on {page} ({shown.status})")


def new_password() -> str:
    """Return a random password that every rule accepts."""
    return secrets.token_urlsafe(18)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)
