"""A gate in front of an application, or of what ``[upstream]`` names."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gunicorn.errors import AppImportError

from totp_gate.app.accounts import Clock, open_accounts
from totp_gate.app.behind import load_upstream
from totp_gate.app.furnishing import Check, furnish, identity_headers, pages_of
from totp_gate.config import Config, load_config, settings_file
from totp_gate.core.passwords import Profile
from totp_gate.errors import ConfigError, UpstreamUnavailable
from totp_gate.gate import GateMiddleware
from totp_gate.telemetry.metrics import Meter
from totp_gate.telemetry.watch import UpstreamCounts
from totp_gate.upstream.proxy import Proxy
from totp_gate.web.trouble import Trouble

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


_RETRY_AFTER = 5
"""Seconds after which a place for another tunnel may be free."""


class StartError(ConfigError, AppImportError):  # type: ignore[misc]
    """The gate cannot start with these settings.

    gunicorn tells an error of its own kind by its text alone, without a traceback.

    Attributes:
        path: the settings file.
    """

    def __init__(self, path: Path, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__(problems)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path} cannot be used:\n{super().__str__()}"


class Gate(GateMiddleware):
    """A login gate in front of a WSGI application.

    ``application = Gate(application, "gate.toml")`` is all there is to it: no request
    reaches the application before its sender has proven a password and a code.

    Args:
        app: the application; None: web servers that have one ask this gate.
        settings: path of the settings file, or settings that were read already.
        clock: Unix seconds, for tests. profile: what a password hash costs.
        checks: what else has to work before ``/readyz`` says so, by name.
        meter: counts what happens; None: over all workers of this server.

    Raises:
        StartError: something about the settings, the keys or the state is wrong; the
            text lists all of it.
        StoreUnavailable: the state cannot be read or written.
    """

    def __init__(
        self,
        app: WSGIApplication | None,
        settings: str | Path | Config | None = None,
        *,
        clock: Clock = time.time,
        profile: Profile | None = None,
        checks: Mapping[str, Check] | None = None,
        meter: Meter | None = None,
    ) -> None:
        with _starting(settings):
            self.accounts = open_accounts(
                _read(settings), clock=clock, profile=profile, meter=meter
            )
            self.accounts.measure_hashes()
            super().__init__(app, furnish(self.accounts, checks or {}))


def create_app(settings: str | Path | Config | None = None) -> WSGIApplication:
    """Return the gate in front of what ``[upstream]`` names, ready for a server.

    Args:
        settings: path of the settings file, or settings that were read already; None:
            ``TOTP_GATE_CONFIG``, ``gate.toml``.

    Raises:
        StartError: as ``Gate``; also where ``[upstream]`` is missing (see
            ``missing_upstream``) or its application cannot be imported.
    """
    with _starting(settings):
        return _gate_of(_read(settings))


def _read(settings: str | Path | Config | None) -> Config:
    return settings if isinstance(settings, Config) else load_config(settings)


def _gate_of(config: Config) -> Gate:
    upstream = config.upstream
    if upstream is None:
        missing = missing_upstream(config)
        if missing:
            raise ConfigError(missing)
        return Gate(None, config)
    if upstream.app:
        return Gate(load_upstream(upstream.app, config.folder), config)
    meter = Meter.of_environment()
    counts = UpstreamCounts(meter)
    proxy = Proxy(
        config.destination(),
        limits=config.upstream_limits(),
        own_headers=identity_headers(config),
        trouble=_page(Trouble(pages_of(config))),
        observer=counts,
    )
    gate = Gate(proxy, config, checks={"upstream": _reaching(proxy)}, meter=meter)
    counts.audit = gate.accounts.audit
    return gate


@contextmanager
def _starting(settings: str | Path | Config | None) -> Iterator[None]:
    """Let what is wrong in the block be told with the file, and only once."""
    try:
        yield
    except StartError:
        raise
    except ConfigError as error:
        if isinstance(settings, Config):
            raise StartError(settings.path, error.problems) from None
        raise StartError(settings_file(settings), error.problems) from None


def missing_upstream(config: Config) -> list[tuple[str, str]]:
    """Return the problem of a gate with nothing behind it that nobody may ask."""
    if config.upstream is not None or config.gate.trusted_proxies:
        return []
    reason = (
        "is missing: name what is behind the gate by app or url, or list the web"
        " server that asks it in gate.trusted_proxies"
    )
    return [("upstream", reason)]


def _page(trouble: Trouble) -> Callable[..., Iterable[bytes]]:
    """Return what renders the proxy's error answers as pages of the gate."""

    def answer(
        environ: WSGIEnvironment,
        start_response: StartResponse,
        status: int,
        reason: str,
    ) -> Iterable[bytes]:
        # Of an application that cannot be asked the usual words tell enough; that the
        # gate has no place is no fault of it.
        full = status == 503
        answer = trouble.answer(
            environ,
            status,
            message=reason if full else "",
            retry_after=_RETRY_AFTER if full else None,
        )
        return answer(environ, start_response)

    return answer


def _reaching(proxy: Proxy) -> Check:
    def check() -> None:
        if not proxy.reachable():
            raise UpstreamUnavailable("the upstream cannot be reached")

    return check
