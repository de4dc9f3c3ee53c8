"""``serve``: gunicorn as the gate wants it, and settings that may change."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import PASSWORD, Terminal
from tests.servers import ROOT, Server, free_port, serves, wait_until
from tests.visitor import Visitor
from totp_gate.cli import server as server_module
from totp_gate.cli.installation import add_first_user
from totp_gate.cli.parts import Parts
from totp_gate.cli.server import Server as Gunicorn
from totp_gate.cli.server import is_sound
from totp_gate.cli.server import settings as gunicorn_settings
from totp_gate.config import load_config
from totp_gate.core import otp
from totp_gate.errors import Conflict
from totp_gate.testing import write_settings

APP = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"hello {environ.get('REMOTE_USER')}".encode()]
"""
BROKEN = "\n[session]\nidle = 'soon'\nlifetime = 3\n"


class Serving(Server):
    """``totp-gate serve`` in front of a small application."""

    def __init__(self, *words: str, app: str = APP) -> None:
        super().__init__()
        self.words = words
        self.app = app
        self.seed = b""

    @property
    def settings(self) -> Path:
        return self.folder / "gate.toml"

    def command(self) -> list[str]:
        if not self.settings.exists():
            self._install()
        bind = ("--bind", f"127.0.0.1:{self.port}")
        words = [sys.executable, "-m", "totp_gate", "--config", str(self.settings)]
        return [*words, "serve", *bind, *self.words]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT)}

    def is_ready(self) -> bool:
        return serves(self.url)

    def _install(self) -> None:
        (self.folder / "behind.py").write_text(self.app)
        write_settings(
            self.folder, '[upstream]\napp = "behind:application"\n', origin=self.url
        )
        parts = Parts(self.settings)
        self.seed = add_first_user(parts, "alice", PASSWORD).seed
        parts.close()

    def code(self) -> str:
        params = otp.Params()
        return otp.code_at(self.seed, otp.step_at(time.time(), params), params)

    def signed_in(self) -> Visitor:
        visitor = Visitor(self.url)
        assert visitor.sign_in("alice", PASSWORD, self.code()).status == 303
        return visitor


@pytest.mark.server
@pytest.mark.parametrize("worker_class", ["sync", "gthread", "gevent"])
def test_every_worker_class_serves(worker_class: str):
    with Serving("--worker-class", worker_class, "--workers", "2") as server:
        page = server.signed_in().get("/")

    assert page.text == "hello alice"


class Confined(Serving):
    """The same, with the system calls that the printed unit allows."""

    def command(self) -> list[str]:
        words = super().command()
        unit = self.folder / "totp-gate.service"
        with pytest.MonkeyPatch.context() as patched:
            # As where no path has a space, which no unit can name.
            patched.setattr(sys, "executable", "/usr/bin/python3")
            unit.write_text(Terminal(self.folder).do("config", "systemd"))
        return [sys.executable, "-m", "tests.cli.filtered", str(unit), *words]


class ConfinedToSocket(Confined):
    """The same, where a web server on this machine asks."""

    def is_ready(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(self.folder / "gate.sock")) == 0


@pytest.mark.server
@pytest.mark.parametrize("worker_class", ["gthread", "gevent"])
def test_the_printed_unit_leaves_what_is_needed(program, worker_class: str):
    program("systemd-analyze")
    with Confined("--worker-class", worker_class, "--workers", "1") as server:
        page = server.signed_in().get("/")
        complaints = server.stderr

    assert page.text == "hello alice"
    assert "SIGSYS" not in complaints


@pytest.mark.server
def test_the_printed_unit_lets_a_socket_be_made(program):
    program("systemd-analyze")
    with ConfinedToSocket("--bind", "unix:gate.sock", "--workers", "1") as server:
        complaints = server.stderr

    assert "SIGSYS" not in complaints


@pytest.mark.server
def test_no_header_is_believed_and_no_version_is_told():
    with Serving() as server:
        raw = (
            b"GET /_gate/login HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
            b"X-Forwarded-Proto: https\r\nSCRIPT_NAME: /x\r\n"
            b"X-Forwarded-Host: evil.example\r\nConnection: close\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", server.port), 10) as client:
            client.sendall(raw % server.port)
            answer = b"".join(iter(lambda: client.recv(65536), b""))

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"evil.example" not in answer
    assert b"27." not in answer.partition(b"\r\n\r\n")[0]


@pytest.mark.server
def test_good_settings_are_taken_and_bad_ones_change_nothing():
    with Serving("--workers", "1") as server:
        visitor = server.signed_in()
        text = server.settings.read_text()
        old = server.children

        server.settings.write_text(text + BROKEN)
        os.kill(server.pid, signal.SIGHUP)
        wait_until(lambda: "the old ones stay in force" in server.stderr)
        assert server.children == old
        assert "session.idle" in server.stderr
        assert "session.lifetime" in server.stderr
        assert visitor.get("/").text == "hello alice"

        (server.folder / "behind.py").write_text(APP.replace("hello", "goodbye"))
        server.settings.write_text(text + '\n[session]\nidle = "30m"\n')
        os.kill(server.pid, signal.SIGHUP)
        wait_until(lambda: visitor.get("/").text == "goodbye alice")
        wait_until(lambda: set(server.children).isdisjoint(old))
        assert "Traceback" not in server.stderr


@pytest.mark.server
def test_a_worker_that_dies_is_replaced_whatever_the_file_says_by_now():
    with Serving("--workers", "1") as server:
        visitor = server.signed_in()
        (worker,) = server.children
        server.settings.write_text(server.settings.read_text() + "[nonsense]\n")

        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: worker not in server.children, "the end of the worker")
        wait_until(server.is_ready, "another worker", seconds=20)

        assert visitor.get("/").text == "hello alice"
        assert "nonsense" not in server.stderr


def test_an_application_that_breaks_changes_nothing_either():
    with Serving("--workers", "1") as server:
        visitor = server.signed_in()
        (server.folder / "behind.py").write_text("1 / 0")
        os.kill(server.pid, signal.SIGHUP)

        wait_until(lambda: "the old ones stay in force" in server.stderr)
        assert "upstream.app" in server.stderr
        assert visitor.get("/").text == "hello alice"


@pytest.mark.server
def test_keys_change_and_nobody_notices():
    with Serving("--workers", "1") as server:
        old = server.children
        Terminal(server.folder).do("key", "rotate")
        visitor = server.signed_in()
        os.kill(server.pid, signal.SIGHUP)
        wait_until(lambda: set(server.children).isdisjoint(old) and server.children)

        assert visitor.get("/").text == "hello alice"


@pytest.mark.server
@pytest.mark.parametrize(
    ("settings", "words", "complaints"),
    [
        pytest.param(BROKEN, [], ["session.idle", "session.lifetime"], id="settings"),
        pytest.param("", [], ["upstream: is missing"], id="no upstream"),
        pytest.param(
            '[upstream]\napp = "nowhere:app"\n', [], ["upstream.app"], id="no app"
        ),
        pytest.param(
            '[upstream]\nurl = "http://127.0.0.1:9"\n',
            ["--bind", "nowhere", "--workers", "0"],
            ["(--bind)", "(--workers)"],
            id="options",
        ),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(
    tmp_path: Path, settings: str, words: list[str], complaints: list[str]
):
    path = write_settings(tmp_path, settings)
    done = subprocess.run(
        [sys.executable, "-m", "totp_gate", "--config", str(path), "serve", *words],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )

    assert done.returncode == 2
    for complaint in complaints:
        assert complaint in done.stderr
    for unwanted in ("Starting gunicorn", "Traceback"):
        assert unwanted not in done.stderr


@pytest.mark.server
def test_a_port_that_is_taken_ends_it():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = Serving()
        server.port = taken.getsockname()[1]
        server.is_ready = lambda: False  # type: ignore[method-assign]
        with pytest.raises(RuntimeError) as failure, server:
            pass

    assert "somebody listens there already" in str(failure.value)
    for unwanted in ("Starting gunicorn", "Traceback"):
        assert unwanted not in str(failure.value)


def test_a_reload_to_an_address_that_cannot_be_had_changes_nothing(tmp_path: Path):
    path = write_settings(tmp_path, f'[server]\nbind = "127.0.0.1:{free_port()}"\n')
    server = Gunicorn(path)
    before, old = server.cfg.address, server.bind
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        write_settings(tmp_path, f'[server]\nbind = "{address}"\n')
        with pytest.raises(Conflict, match="somebody listens there already"):
            server.reload()

    assert (server.cfg.address, server.bind) == (before, old)
    server.reload()
    assert server.bind == address


@pytest.mark.parametrize(
    ("app", "words"),
    [
        pytest.param("import os; os.kill(os.getpid(), 9)", ["SIGKILL"], id="a signal"),
        pytest.param("import os; os._exit(7)", ["status 7"], id="an exit"),
        pytest.param("x = 1\ndef f(:\n", ["behind.py, line 2"], id="no Python"),
        pytest.param("\n1 / 0", ["behind.py, line 2", "division"], id="an error"),
        pytest.param("\nimport no_such", ["behind.py, line 2", "no_such"], id="import"),
        pytest.param("raise SystemExit('no')", ["behind.py, line 1"], id="its own end"),
        pytest.param("app = 1", ["'application'", "module:application"], id="no name"),
    ],
)
def test_an_application_that_breaks_down_is_told_where(
    tmp_path: Path, capfd, app: str, words: list[str]
):
    (tmp_path / "behind.py").write_text(app)
    path = write_settings(tmp_path, '[upstream]\napp = "behind:application"\n')

    assert not is_sound(path)

    told = capfd.readouterr().err
    assert "Traceback" not in told
    for word in words:
        assert word in told


def test_an_application_that_does_not_finish_is_told(
    tmp_path: Path, capfd, monkeypatch
):
    (tmp_path / "behind.py").write_text("import time; time.sleep(30)")
    path = write_settings(tmp_path, '[upstream]\napp = "behind:application"\n')
    monkeypatch.setattr(server_module, "JUDGING", 1)

    assert not is_sound(path)
    assert "took more than 1 seconds" in capfd.readouterr().err


def test_gunicorn_is_set_up_so_that_only_the_gate_judges(tmp_path: Path):
    url = f'[upstream]\nurl = "http://127.0.0.1:{free_port()}"\n'
    path = write_settings(tmp_path, url, gate={"trusted_proxies": ["127.0.0.1"]})
    settings = Gunicorn(path).cfg

    assert settings.forwarded_allow_ips == []
    assert settings.forwarder_headers == []
    assert settings.secure_scheme_headers == {}
    assert settings.header_map == "drop"
    assert settings.http_parser == "python"
    assert settings.worker_class_str == "gevent"
    assert settings.accesslog is None


@pytest.mark.parametrize(
    ("upstream", "server", "worker_class", "threads"),
    [
        ('url = "http://127.0.0.1:9"', "", "gevent", 1),
        ('app = "m:a"', "", "totp_gate.cli.threaded.Worker", 8),
        ('app = "m:a"', 'worker_class = "sync"', "sync", 1),
        ('app = "m:a"', "threads = 3", "totp_gate.cli.threaded.Worker", 3),
        ('app = "m:a"', 'worker_class = "gevent"', "gevent", 1),
        ("", "", "gevent", 1),
    ],
)
def test_the_worker_fits_what_is_behind_the_gate(
    tmp_path: Path, upstream: str, server: str, worker_class: str, threads: int
):
    behind = f"[upstream]\n{upstream}\n" if upstream else ""
    trusted = {"trusted_proxies": ["127.0.0.1"]}
    path = write_settings(tmp_path, f"{behind}[server]\n{server}\n", gate=trusted)
    chosen = gunicorn_settings(load_config(path))

    assert (chosen["worker_class"], chosen["threads"]) == (worker_class, threads)
