"""Opens the parts a ``gate.toml`` names and wires them into a gate.

The only place, with the commands, that chooses backends.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gunicorn.util import import_app

from totp_gate.accounts.enrollment import Enrollment
from totp_gate.accounts.factors import Factors
from totp_gate.accounts.guessing import Guessing
from totp_gate.accounts.live import LiveSessions
from totp_gate.accounts.sessions import Sessions
from totp_gate.accounts.signin import SignIn
from totp_gate.config import Config, load_config
from totp_gate.core import throttle
from totp_gate.core.headers import Networks, plain
from totp_gate.core.keys import KeyRing
from totp_gate.core.passwords import Passwords, Profile
from totp_gate.core.policy import Policy
from totp_gate.core.sealing import Sealer
from totp_gate.core.signing import Tokens
from totp_gate.errors import ConfigError, UpstreamUnavailable
from totp_gate.gate import GateMiddleware, Parts
from totp_gate.model import Identity, Session, User
from totp_gate.stores.base import Store
from totp_gate.stores.sql import open_store
from totp_gate.telemetry.audit import Audit
from totp_gate.upstream.proxy import Proxy
from totp_gate.users.base import Directory
from totp_gate.users.combined import Combined
from totp_gate.users.stored import StoredUsers
from totp_gate.users.toml import FileUsers
from totp_gate.web.admit import Admission
from totp_gate.web.arrival import Arrivals
from totp_gate.web.csrf import FormTokens
from totp_gate.web.desk import Desk
from totp_gate.web.enrollment import EnrollmentPages
from totp_gate.web.pages import Pages
from totp_gate.web.prelogin import LoginCookie
from totp_gate.web.request import CookieNames
from totp_gate.web.routes import Routes
from totp_gate.web.signin import SignInPages
from totp_gate.web.status import StatusPages
from totp_gate.web.trouble import Trouble

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

T = TypeVar("T")
Clock = Callable[[], float]
Check = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """The use cases of one installation, and the backends below them."""

    config: Config
    clock: Clock
    ring: KeyRing
    store: Store
    directory: Directory
    tokens: Tokens
    sealer: Sealer
    passwords: Passwords
    factors: Factors
    guessing: Guessing
    enrollment: Enrollment
    signin: SignIn
    sessions: Sessions


class Gate(GateMiddleware):
    """A login gate in front of a WSGI application.

    ``application = Gate(application, "gate.toml")`` is all there is to it: no request
    reaches the application before its sender has proven a password and a code.

    Args:
        app: the application.
        settings: path of the settings file, or settings that were read already.
        clock: Unix seconds, for tests. profile: what a password hash costs.
        checks: what else has to work before ``/readyz`` says so, by name.

    Raises:
        ConfigError: something about the settings, the keys or the state is wrong; the
            text lists all of it.
        StoreUnavailable: the state cannot be read or written.
    """

    def __init__(
        self,
        app: WSGIApplication,
        settings: str | Path | Config | None = None,
        *,
        clock: Clock = time.time,
        profile: Profile | None = None,
        checks: Mapping[str, Check] | None = None,
    ) -> None:
        config = settings if isinstance(settings, Config) else load_config(settings)
        self.accounts = open_accounts(config, clock=clock, profile=profile)
        super().__init__(app, furnish(self.accounts, checks or {}))


def create_app(settings: str | Path | None = None) -> WSGIApplication:
    """Return the gate in front of what ``[upstream]`` names, ready for a server.

    Args:
        settings: path of the settings file; None: ``TOTP_GATE_CONFIG``, ``gate.toml``.

    Raises:
        ConfigError: as ``Gate``; also where ``[upstream]`` is missing or its
            application cannot be imported.
    """
    config = load_config(settings)
    upstream = config.upstream
    if upstream is None:
        reason = "is missing; name what is behind the gate by app or url"
        raise ConfigError([("upstream", reason)])
    if upstream.app:
        return Gate(load_upstream(upstream.app, config.folder), config)
    proxy = Proxy(
        config.destination(),
        limits=config.upstream_limits(),
        trouble=_page(Trouble(_pages(config))),
    )
    return Gate(proxy, config, checks={"upstream": _reaching(proxy)})


def open_accounts(
    config: Config, *, clock: Clock = time.time, profile: Profile | None = None
) -> Accounts:
    """Open keys and state and return the use cases.

    Raises:
        ConfigError, StoreUnavailable: as ``Gate``.
    """
    ring = read_keys(config.keys_file)
    store = open_store(config.state_url, now=clock)
    directory = Combined([FileUsers(config.file_users()), StoredUsers(store)])
    directory.check()
    tokens = Tokens(list(ring.derive("signing").values()), store.instance())
    sealer = Sealer(ring.derive("sealing"))
    passwords = Passwords(profile or Profile(), run=off_the_loop)
    factors = Factors(store=store, sealer=sealer, params=config.otp_params())
    guessing = Guessing(
        store=store,
        params=throttle.Guessing(),
        key=next(iter(ring.derive("strangers").values())),
    )
    return Accounts(
        config=config,
        clock=clock,
        ring=ring,
        store=store,
        directory=directory,
        tokens=tokens,
        sealer=sealer,
        passwords=passwords,
        factors=factors,
        guessing=guessing,
        enrollment=Enrollment(
            store=store,
            directory=directory,
            factors=factors,
            passwords=passwords,
            sealer=sealer,
            requirements=config.requirements(),
            context=(config.gate.name, *(one.host for one in config.origins)),
        ),
        signin=SignIn(
            store=store,
            directory=directory,
            passwords=passwords,
            factors=factors,
            guessing=guessing,
            tokens=tokens,
            limits=config.limits(),
        ),
        sessions=Sessions(store=store, tokens=tokens, limits=config.limits()),
    )


def furnish(accounts: Accounts, checks: Mapping[str, Check]) -> Parts:
    """Return the web side over *accounts*; *checks* as in ``Gate``."""
    config = accounts.config
    insecure = config.gate.insecure_http
    names = CookieNames.under(insecure=insecure)
    pages = _pages(config)
    desk = Desk(
        pages=pages,
        trouble=Trouble(pages),
        forms=FormTokens(accounts.tokens),
        login_cookie=LoginCookie(accounts.tokens, accounts.sealer),
        names=names,
        origins=config.origins,
        prefix=config.gate.prefix,
        secure=not insecure,
        audit=Audit(),
    )
    identity = _Identity(config)
    return Parts(
        origins=config.origins,
        prefix=config.gate.prefix,
        names=names,
        identity=identity.headers,
        policy=Policy.compile(()),
        arrivals=Arrivals(
            origins=config.origins,
            prefix=config.gate.prefix,
            identity=identity.headers,
            trusted=Networks(config.gate.trusted_proxies),
        ),
        live=LiveSessions(
            store=accounts.store,
            directory=accounts.directory,
            tokens=accounts.tokens,
            limits=config.limits(),
            dress=identity.dress,
            clock=accounts.clock,
        ),
        routes=_routes(accounts, desk, checks),
        admission=Admission(pages, prefix=config.gate.prefix),
        trouble=desk.trouble,
        audit=desk.audit,
        clock=accounts.clock,
    )


def read_keys(path: Path) -> KeyRing:
    """Return the key ring of the file *path*.

    Raises:
        ConfigError: it cannot be read, or what it holds are no keys.
    """
    try:
        return KeyRing.parse(path.read_text("ascii"))
    except OSError as error:
        reason = f"cannot be read ({error.strerror}); make it with: totp-gate key init"
        raise ConfigError([("gate.keys_file", reason)]) from error
    except ValueError as error:
        raise ConfigError([("gate.keys_file", str(error))]) from error


def load_upstream(name: str, folder: Path) -> WSGIApplication:
    """Return the WSGI application ``module:name``, found from *folder* too.

    Raises:
        ConfigError: it cannot be imported.
    """
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        app: WSGIApplication = import_app(name)
    except Exception as error:
        reason = f"{name} cannot be imported ({error}); write module:application"
        raise ConfigError([("upstream.app", reason)]) from error
    return app


def off_the_loop(work: Callable[[], T]) -> T:
    """Run *work* where it does not stop others: under gevent in a native thread."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None or not monkey.is_module_patched("threading"):
        return work()
    import gevent

    done: T = gevent.get_hub().threadpool.apply(work)
    return done


class _Identity:
    """What the application is told about a session."""

    def __init__(self, config: Config) -> None:
        section = config.identity
        self.headers = (section.user, section.groups, section.name, section.email)
        self._keys = ["HTTP_" + name.upper().replace("-", "_") for name in self.headers]

    def dress(self, session: Session, user: User) -> dict[str, object]:
        """Return the environ entries of a request of *session*."""
        identity = Identity(
            user=user.name,
            groups=user.groups,
            name=user.display,
            email=user.email,
            level=session.level,
            session_id=session.id[:12],
            password_at=session.password_at,
            second_factor_at=session.second_factor_at,
        )
        values = (user.name, ",".join(user.groups), user.display, user.email)
        told = [_header_text(value) for value in values]
        return {
            "REMOTE_USER": told[0],
            "AUTH_TYPE": "totp_gate",
            "totp_gate.identity": identity,
            **dict(zip(self._keys, told, strict=True)),
        }


def _header_text(text: str) -> str:
    """Return *text* as WSGI wants it: UTF-8 octets as latin-1 characters (PEP 3333)."""
    return plain(text).encode().decode("latin-1")


def _pages(config: Config) -> Pages:
    return Pages(
        site=config.gate.name,
        prefix=config.gate.prefix,
        theme=config.gate.theme,
        insecure=config.gate.insecure_http,
    )


def _page(trouble: Trouble) -> Callable[..., Iterable[bytes]]:
    """Return what renders the proxy's error answers as pages of the gate."""

    def answer(
        environ: WSGIEnvironment, start_response: StartResponse, status: int, _: str
    ) -> Iterable[bytes]:
        return trouble.answer(environ, status)(environ, start_response)

    return answer


def _reaching(proxy: Proxy) -> Check:
    def check() -> None:
        if not proxy.reachable():
            raise UpstreamUnavailable("the upstream cannot be reached")

    return check


def _routes(accounts: Accounts, desk: Desk, checks: Mapping[str, Check]) -> Routes:
    config = accounts.config
    first_login = config.second_factor.enrollment == "first-login"
    signin = SignInPages(
        desk, accounts.signin, accounts.sessions, first_login=first_login
    )
    enrollment = EnrollmentPages(
        desk,
        accounts.enrollment,
        accounts.signin,
        signin,
        issuer=config.gate.name,
        first_login=first_login,
    )
    status = StatusPages(desk, {"store": accounts.store.ping, **checks})
    return Routes(desk, signin, enrollment, status)
