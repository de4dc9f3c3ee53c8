"""The backends of one installation, and the use cases over them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from totp_gate.accounts.browsers import Browsers
from totp_gate.accounts.enrollment import Enrollment
from totp_gate.accounts.factors import Factors
from totp_gate.accounts.guessing import Guessing
from totp_gate.accounts.held import Held
from totp_gate.accounts.owner import Owner
from totp_gate.accounts.recovery import Recovery
from totp_gate.accounts.references import References
from totp_gate.accounts.sessions import Sessions
from totp_gate.accounts.signin import SignIn
from totp_gate.accounts.tokens import AppTokens
from totp_gate.app import threads
from totp_gate.config import Config
from totp_gate.config.entry import PUT_BACK, keys_reason
from totp_gate.core.keys import KeyRing
from totp_gate.core.passwords import Profile
from totp_gate.core.sealing import Sealer
from totp_gate.core.signing import Tokens
from totp_gate.errors import ConfigError
from totp_gate.stores.base import Store
from totp_gate.stores.sql import open_store
from totp_gate.telemetry.audit import Audit
from totp_gate.telemetry.metrics import Meter
from totp_gate.telemetry.opening import open_audit
from totp_gate.telemetry.watch import WatchedPasswords, watched_store
from totp_gate.users.base import Directory
from totp_gate.users.combined import Combined
from totp_gate.users.htpasswd import HtpasswdUsers
from totp_gate.users.stored import StoredUsers
from totp_gate.users.toml import FileUsers

Clock = Callable[[], float]


class Accounts:
    """Everything about people, without HTTP; commands work with it too.

    Args:
        config: the settings.
        clock: Unix seconds.
        profile: what a password hash costs.
        meter: counts what happens.

    Raises:
        ConfigError: the audit, the keys or the state cannot be used.
        StoreUnavailable: the state cannot be read or written.
    """

    def __init__(
        self, config: Config, *, clock: Clock, profile: Profile, meter: Meter
    ) -> None:
        self.config = config
        self.clock = clock
        later = _LaterKeys(config.keys_file)
        self.ring: KeyRing = read_keys(config.keys_file)
        self.meter = meter
        store = open_store(config.state_url, now=clock, commit=threads.for_commits())
        self.store: Store = watched_store(store, meter)
        self.audit = _audit(config, store, meter)
        self.directory: Directory = _directory(config, self.store)
        signing = list(self.ring.derive("signing").values())
        self.tokens = Tokens(signing, self.store.instance())
        self.references = References(self.tokens)
        self.sealer = Sealer(self.ring.derive("sealing"), later.sealing)
        self.passwords = _passwords(profile, meter)
        self.factors = Factors(
            store=self.store, sealer=self.sealer, params=config.otp_params()
        )
        self.guessing = Guessing(
            store=self.store,
            params=config.throttle.guessing(),
            key=next(iter(self.ring.derive("strangers").values())),
        )
        self.recovery = Recovery(store=self.store)
        self.browsers = Browsers(
            store=self.store,
            tokens=self.tokens,
            trust=config.second_factor.trusted_device,
            hosts=len({origin.host for origin in config.origins}),
        )
        self.held = Held(store=self.store, sealer=self.sealer, browsers=self.browsers)
        limits = config.limits()
        self.sessions = Sessions(
            store=self.store, references=self.references, limits=limits
        )
        self._tell_meter(idle=limits.idle)
        self.signin = self._signin()
        self.enrollment = self._enrollment()
        self.owner = self._owner()
        self.app_tokens = AppTokens(store=self.store, directory=self.directory)

    def look_at_keys(self) -> None:
        """Return if a gate could start with the file of the keys as it is.

        Raises:
            ConfigError: it could not.
        """
        path = self.config.keys_file
        if reason := keys_reason(path):
            raise ConfigError([("gate.keys_file", reason)])
        read_keys(path)

    def measure_hashes(self, *, times: int = 3) -> dict[str, float]:
        """Learn what a wrong password of everybody costs (``Passwords.measure``)."""
        everyone = self.directory.everyone()
        hashes = (user.password_hash for user in everyone if user.password_hash)
        return self.passwords.measure(hashes, times=times)

    def _tell_meter(self, *, idle: int) -> None:
        """Let the meter ask for what is counted nowhere else."""

        def live(now: float) -> int:
            return self.store.count_sessions(seen_after=now - idle)

        def locked(_: float) -> int:
            names = self.guessing.stopped()  # also of who is in the file no more
            return sum(self.directory.find(name) is not None for name in names)

        self.meter.ask("gate_sessions", live)
        self.meter.ask("gate_locked_accounts", locked)

    def _signin(self) -> SignIn:
        return SignIn(
            store=self.store,
            directory=self.directory,
            passwords=self.passwords,
            factors=self.factors,
            recovery=self.recovery,
            guessing=self.guessing,
            references=self.references,
            limits=self.config.limits(),
        )

    def _enrollment(self) -> Enrollment:
        config = self.config
        return Enrollment(
            store=self.store,
            directory=self.directory,
            factors=self.factors,
            passwords=self.passwords,
            sealer=self.sealer,
            requirements=config.requirements(),
            context=(config.gate.name, *(one.host for one in config.origins)),
            breached=config.password.breached() or (),
        )

    def _owner(self) -> Owner:
        return Owner(
            store=self.store,
            directory=self.directory,
            signin=self.signin,
            passwords=self.passwords,
            factors=self.factors,
            guessing=self.guessing,
            references=self.references,
        )


def open_accounts(
    config: Config,
    *,
    clock: Clock = time.time,
    profile: Profile | None = None,
    meter: Meter | None = None,
) -> Accounts:
    """Open keys and state and return the use cases.

    Raises:
        ConfigError, StoreUnavailable: as ``Accounts``.
    """
    return Accounts(
        config,
        clock=clock,
        profile=profile or Profile(),
        meter=meter or Meter.of_environment(),
    )


def read_keys(path: Path) -> KeyRing:
    """Return the key ring of the file *path*.

    Raises:
        ConfigError: it cannot be read, or what it holds are no keys.
    """
    try:
        return KeyRing.parse(path.read_text("ascii"))
    except OSError as error:
        reason = f"{path} cannot be read ({error.strerror}): correct its permissions"
    except UnicodeDecodeError:
        # A byte order mark, too: an editor has been at it.
        reason = f"{path} is no plain ASCII text: {PUT_BACK}"
    except ValueError as error:
        reason = f"{path}: {error}: {PUT_BACK}"
    raise ConfigError([("gate.keys_file", reason)])


class _LaterKeys:
    """Keys that ``key rotate`` made since this process read the file.

    It seals stored secrets with them at once, and nobody may be turned away until the
    gate is reloaded. The file is read when it has changed, otherwise only looked at.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._look()

    def sealing(self) -> dict[str, bytes]:
        """Return the keys that seal, or nothing if the file is what it was."""
        found = self._look()
        if found is None or found == self._seen:
            return {}
        self._seen = found
        try:
            return read_keys(self._path).derive("sealing")
        except ConfigError:
            return {}

    def _look(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns


def _passwords(profile: Profile, meter: Meter) -> WatchedPasswords:
    at_once = threads.concurrency()
    return WatchedPasswords(
        profile,
        meter,
        concurrency=at_once,
        queue=threads.queue(),
        run=threads.Threads(at_once, nice=threads.NICE),
    )


def _audit(config: Config, store: Store, meter: Meter) -> Audit:
    section = config.audit
    return open_audit(
        section.file,
        command=section.command,
        events=section.command_events,
        keep=store.add_event,
        meter=meter,
    )


def _directory(config: Config, store: Store) -> Directory:
    directories: list[Directory] = [FileUsers(config.file_users())]
    if config.gate.htpasswd:
        path = Path(config.gate.htpasswd)
        directories.append(HtpasswdUsers(path, config.gate.htpasswd_weak))
    combined = Combined([*directories, StoredUsers(store)])
    combined.check()
    return combined
