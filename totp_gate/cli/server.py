"""gunicorn as the gate wants it.

Strategy: whatever a request claims about itself is judged by the gate alone, so
gunicorn believes no header from anybody. The master process imports neither the gate
nor the application: workers do, after gevent has patched them. So new settings are
judged in a child of the master before workers are exchanged, and settings that do not
work change nothing.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import AppImportError

from totp_gate.cli.listening import try_address
from totp_gate.config import Config, load_config
from totp_gate.errors import GateError
from totp_gate.telemetry.metrics import FOLDER_VARIABLE

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

JUDGING = 60
"""Seconds after which settings whose application does not finish importing are bad."""

_GRACE = 30
_KEEPALIVE = 5
_CONNECTIONS = 1000
_THREADED = "totp_gate.cli.threaded.Worker"
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - gunicorn makes a file only it can read


def settings(config: Config) -> dict[str, Any]:
    """Return gunicorn's settings for *config*."""
    upstream, server = config.upstream, config.server
    # Threads are for applications; slow visitors of anything else should hold none.
    wrapped = upstream is not None and bool(upstream.app)
    kind = server.worker_class or ("gthread" if wrapped else "gevent")
    tunnels = 0 if upstream is None else upstream.max_tunnels
    chosen: dict[str, Any] = {
        "bind": server.bind,
        "workers": server.workers,
        "worker_class": _THREADED if kind == "gthread" else kind,
        "threads": server.threads if kind == "gthread" else 1,
        "worker_connections": _CONNECTIONS + tunnels,
        "proc_name": "totp_gate",
        "graceful_timeout": _GRACE,
        "keepalive": _KEEPALIVE,
        "accesslog": None,
        "errorlog": "-",
        "control_socket_disable": True,
        # Nobody's headers are believed here; the gate has trusted_proxies.
        "forwarded_allow_ips": "",
        "forwarder_headers": "",
        "secure_scheme_headers": {},
        "header_map": "drop",
        # The other parser leaves it to the application to refuse what is ambiguous.
        "http_parser": "python",
        "limit_request_line": 8190,
        "limit_request_fields": 100,
        "limit_request_field_size": 8190,
    }
    if os.access(_SHARED_MEMORY, os.W_OK):
        chosen["worker_tmp_dir"] = _SHARED_MEMORY
    return chosen


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with the gate of one settings file.

    Args:
        path: the settings file, absolute.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._config = load_config(path)
        super().__init__()

    @property
    def bind(self) -> str:
        """Where it listens, or will."""
        return self._config.server.bind

    def load_config(self) -> None:
        """Set gunicorn's settings from those of the gate."""
        for name, value in settings(self._config).items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def reload(self) -> None:
        """Read the settings anew; they have been judged.

        Raises:
            GateError: it cannot listen where they say; then nothing changed.
        """
        config = load_config(self.path)
        try_address(config.server.bind, held=self.bind)
        self._config = config
        super().reload()

    def load(self) -> WSGIApplication:
        """Return the gate, in a worker.

        Of the settings that are in force, not of what the file may say by now: a worker
        that takes the place of a dead one must not end the others.
        """
        from totp_gate.app import create_app

        try:
            return create_app(self._config)
        except GateError as error:
            raise AppImportError(str(error)) from error

    def run(self) -> None:
        """Serve until a signal ends it."""
        with _counted_together():
            Master(self).run()


class Master(Arbiter):  # type: ignore[misc]
    """gunicorn's master, which does not exchange workers for ones that cannot work."""

    def reload(self) -> None:
        """Exchange the workers, if the settings are good."""
        if not is_sound(self.app.path):
            self.log.warning("The settings are not good; the old ones stay in force")
            return
        try:
            super().reload()
        except GateError as error:
            self.log.warning("%s\nThe old settings stay in force", error)


@contextmanager
def _counted_together() -> Iterator[None]:
    """Give the workers a folder in which their numbers can be added up."""
    if os.environ.get(FOLDER_VARIABLE):  # whoever named one also removes it
        yield
        return
    shared = _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else None
    folder = tempfile.mkdtemp(prefix="totp_gate-", dir=shared)
    master = os.getpid()
    os.environ[FOLDER_VARIABLE] = folder
    try:
        yield
    finally:
        if os.getpid() == master:  # the end of a worker comes by here, too
            shutil.rmtree(folder, ignore_errors=True)


def is_sound(path: Path) -> bool:
    """Tell whether a gate of the settings *path* would start; prints why not.

    Asked in a child of this process, into which nothing is imported.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _judge(path)
    _, status = os.waitpid(child, 0)
    if reason := _broken(status):
        sys.stderr.write(f"Error: {path}: {reason}\n")
    return status == 0


def _broken(status: int) -> str:
    """Return what became of the child that judged, where it told nothing itself."""
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGALRM:
        return (
            f"importing the application took more than {JUDGING} seconds: let it begin"
            " slow work later, not while it is imported"
        )
    if code < 0:
        name = signal.Signals(-code).name
        remedy = "see what ends it (memory? a library?) with totp-gate check"
        return f"judging it was ended by {name}: {remedy}"
    if code not in {0, 1, 2}:
        remedy = "the application must not end the process while it is imported"
        return f"judging it ended with exit status {code}: {remedy}"
    return ""


def _judge(path: Path) -> None:
    """Judge the settings *path* and end the process."""
    status = 1
    try:
        for each in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(each, signal.SIG_DFL)
        signal.alarm(JUDGING)
        from totp_gate.cli.check import report

        status = report(path)
    except BaseException:  # noqa: BLE001 - nobody above this would tell
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)
