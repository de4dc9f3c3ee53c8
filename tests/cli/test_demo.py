"""``demo``: one command, and somebody can sign in; gone again when it ends."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import Terminal
from tests.servers import PATIENCE, ROOT, answers, free_port, runs, wait_until
from tests.visitor import Visitor

pytestmark = pytest.mark.server


class Demo:
    """A demo that runs, and what it has printed so far.

    Attributes:
        folder: where it keeps its temporary folder.
    """

    def __init__(self, folder: Path, *words: str) -> None:
        self.folder = folder
        self._printed = folder.with_name("printed")
        environ = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}
        # Settings of whoever runs a demo have nothing to do with it.
        environ |= {"TOTP_GATE_CONFIG": "/nowhere", "TOTP_GATE__GATE__PREFIX": "/other"}
        with self._printed.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "totp_gate", "demo", *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environ,
                cwd=folder,
                start_new_session=True,
            )

    @property
    def text(self) -> str:
        return self._printed.read_text()

    def value(self, name: str) -> str:
        """Return the last value printed after *name*."""
        return re.findall(rf"^{name}: (.*)$", self.text, re.MULTILINE)[-1]

    @property
    def code(self) -> str:
        return self.value("code").partition(" ")[0]

    def wait(self) -> int:
        return self.process.wait(PATIENCE)

    def server(self) -> int:
        """Return the process id of what runs the server below it."""
        pid = self.process.pid
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return int(text.split()[0])

    def nothing_is_left(self) -> bool:
        """Whether there is no file of it."""
        return not list(self.folder.iterdir())


@contextmanager
def running(*words: str) -> Iterator[Demo]:
    """A demo whose code has been printed."""
    with tempfile.TemporaryDirectory() as around:
        folder = Path(around) / "tmp"
        folder.mkdir()
        demo = Demo(folder, *words)
        try:
            wait_until(
                lambda: "code: " in demo.text or demo.process.poll() is not None,
                "a code",
                seconds=60,
            )
            assert "code: " in demo.text, demo.text
            yield demo
        finally:
            demo.process.terminate()
            try:
                demo.wait()
            finally:
                demo.process.kill()
                demo.process.wait()


def is_gone(group: int) -> bool:
    """Whether nobody is in the process group."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def test_what_is_printed_signs_in_once():
    with running() as demo:
        url = demo.value("address")
        code = demo.code
        first, second = Visitor(url), Visitor(url)

        assert first.get("/").status == 303
        done = first.sign_in("demo", demo.value("password"), code)
        page = first.get("/")
        again = second.sign_in("demo", demo.value("password"), code)

        assert done.status == 303, demo.text
        assert "Hello, <strong>demo" in page.text
        assert "You sent: a line" in first.post("/", line="a line").text
        assert again.status == 401
        assert "code" in again.text
        assert second.get("/").status == 303

        first.submit("/_gate/logout")
        assert first.get("/").status == 303


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_of_it(number: signal.Signals):
    port = free_port()
    with running("--bind", f"127.0.0.1:{port}") as demo:
        master = demo.server()
        os.kill(demo.process.pid, number)

        assert demo.wait() == 0
        assert demo.nothing_is_left()
        wait_until(lambda: not answers(port), "the end of all that listen")
        wait_until(lambda: is_gone(master), "the end of its process group")


def test_a_demo_that_is_killed_leaves_nothing_either():
    port = free_port()
    with running("--bind", f"127.0.0.1:{port}") as demo:
        os.kill(demo.process.pid, signal.SIGKILL)

        assert demo.wait() == -signal.SIGKILL
        wait_until(demo.nothing_is_left, "an empty folder")
        wait_until(lambda: not answers(port), "the end of all that listen")


def test_the_guard_ends_also_what_a_dead_server_leaves(tmp_path):
    folder, pids = tmp_path / "folder", tmp_path / "pids"
    folder.mkdir()
    leave = f"sleep 90 & echo $! > {shlex.quote(str(pids))}; exec sleep 60"
    guard = subprocess.Popen(
        [sys.executable, "-m", "totp_gate.cli.guard", str(folder), "sh", "-c", leave],
        stdin=subprocess.PIPE,
        cwd=ROOT,
        start_new_session=True,
    )
    wait_until(lambda: pids.exists() and pids.read_text().endswith("\n"))
    left = int(pids.read_text())

    guard.communicate(timeout=PATIENCE)

    assert not folder.exists()
    wait_until(lambda: not runs(left), "the end of what was left", seconds=20)


def test_the_end_of_the_server_is_told():
    with running() as demo:
        os.kill(demo.server(), signal.SIGKILL)

        assert demo.wait() == 1
        assert "The server has ended" in demo.text
        assert "Traceback" not in demo.text
        assert demo.nothing_is_left()


def test_a_port_that_is_taken_is_not_taken_twice(empty: Terminal):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        complaint = empty.refused("demo", "--bind", address)

    assert "choose another port" in complaint


def test_each_demo_finds_a_port_and_prints_all_that_is_needed():
    with running() as first, running() as second:
        assert first.value("address") != second.value("address")
        for demo in (first, second):
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+", demo.value("address"))
            assert demo.value("user") == "demo"
            assert re.fullmatch(r"([a-z]{4}-){3}[a-z]{4}", demo.value("password"))
            assert re.fullmatch(r"([A-Z2-7]{4} ?){8}", demo.value("setup key"))
            assert re.fullmatch(r"\d{6} \(\d+ s\)", demo.value("code"))
            assert "\u2588" in demo.text


def test_on_a_terminal_the_code_is_refreshed_in_place():
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "totp_gate", "demo"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    demo = subprocess.Popen(command, stdin=theirs, stdout=theirs, env=environ)
    os.close(theirs)
    seen = b""
    try:
        while seen.count(b"\x1b[K") < 3:
            seen += os.read(ours, 4096)
    finally:
        demo.terminate()
        assert demo.wait(PATIENCE) == 0
        os.close(ours)

    assert seen.count(b"\rcode: ") >= 3
