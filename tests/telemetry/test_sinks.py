from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.telemetry.asked import NAUGHTY, NOON
from totp_gate.errors import ConfigError
from totp_gate.telemetry import sinks
from totp_gate.telemetry.audit import LONGEST_LINE, Audit, Occasion, to_stderr
from totp_gate.telemetry.metrics import Meter
from totp_gate.telemetry.sinks import File, Syslog, open_sink


@pytest.fixture
def path(tmp_path):
    return tmp_path / "audit.log"


@pytest.fixture
def sink(path):
    sink = File(path)
    yield sink
    sink.close()


@pytest.fixture
def daemon(tmp_path, monkeypatch):
    """A syslog daemon: a socket, and the address where it is looked for."""
    address = tmp_path / "log"
    monkeypatch.setattr(sinks, "SYSLOG_SOCKET", str(address))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(address))
        listening.settimeout(5)
        yield listening


def test_the_file_is_made_for_its_owner_alone(path, sink):
    sink("one")

    assert path.read_text() == "one\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_there_stays(path):
    path.write_text("before\n")
    sink = File(path)
    sink("after")
    sink.close()

    assert path.read_text() == "before\nafter\n"


@pytest.mark.parametrize("how", ["renamed", "deleted"])
def test_a_file_that_was_rotated_away_is_begun_anew(path, sink, how):
    sink("old")
    if how == "renamed":
        path.rename(path.with_suffix(".1"))
    else:
        path.unlink()
    sink("new")

    assert path.read_text() == "new\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_was_copied_and_emptied_goes_on_at_its_start(path, sink):
    sink("old")
    os.truncate(path, 0)
    sink("new")

    assert path.read_text() == "new\n"


def test_rotation_leaves_no_file_open(path, sink):
    for turn in range(5):
        path.rename(path.with_suffix(f".{turn}"))
        sink("line")

    links = list(Path("/proc/self/fd").iterdir())
    files = [each.readlink() for each in links if each.is_symlink()]
    assert [file for file in files if file.parent == path.parent] == [path]


def test_a_folder_that_is_gone_is_said_and_its_return_is_noticed(tmp_path):
    folder = tmp_path / "log"
    folder.mkdir()
    sink = File(folder / "audit.log")
    folder.rename(tmp_path / "moved")
    with pytest.raises(FileNotFoundError):
        sink("lost")
    folder.mkdir()
    sink("found")
    sink.close()

    assert (folder / "audit.log").read_text() == "found\n"


def test_a_line_torn_by_a_full_disk_spoils_no_other(path):
    # A file may grow to ten octets, as if the disk ended there.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    sink = File(path)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
        with pytest.raises(OSError, match="part"):
            sink("0123456789abc")
        with pytest.raises(OSError, match="too large"):
            sink("nothing of it")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    sink("whole")
    sink.close()

    assert path.read_text() == "0123456789\nwhole\n"


def test_lines_of_many_processes_never_mix(path):
    program = (
        "import sys; from pathlib import Path; from totp_gate.telemetry.sinks import File\n"
        "write = File(Path(sys.argv[1]))\n"
        "for _ in range(300): write(sys.argv[2] * 4000)"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(path), letter])
        for letter in "abcd"
    ]
    assert [writer.wait(60) for writer in writers] == [0] * 4

    lines = path.read_text().splitlines()
    assert len(lines) == 1200
    assert {line[0] * 4000 for line in lines} == set(lines)


@pytest.fixture
def restless():
    """Let threads take turns as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def test_threads_and_rotation_lose_no_line(path, sink, restless):
    def write(who):
        for number in range(600):
            sink(f"{who} {number}")

    writers = [threading.Thread(target=write, args=[who]) for who in "abcd"]
    for writer in writers:
        writer.start()
    turn = 0
    while any(writer.is_alive() for writer in writers):
        if path.exists():
            path.rename(path.with_suffix(f".{turn}"))
            turn += 1
    for writer in writers:
        writer.join()

    found = [
        line for each in path.parent.iterdir() for line in each.read_text().splitlines()
    ]
    assert len(set(found)) == len(found) == 2400


@pytest.mark.parametrize(
    ("target", "priority"),
    [
        pytest.param("syslog:", 10 * 8 + 5, id="authpriv, unless said otherwise"),
        pytest.param("syslog:local3", 19 * 8 + 5, id="a facility of its own"),
    ],
)
def test_syslog_gets_the_line_under_the_gates_name(daemon, target, priority):
    sink = open_sink(target)
    sink('{"event": "sign-out"}')
    message = daemon.recv(9000).decode()
    sink.close()

    assert message == f'<{priority}>totp_gate[{os.getpid()}]: {{"event": "sign-out"}}'


def test_a_syslog_that_was_restarted_is_found_again(tmp_path):
    address = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as first:
        first.bind(str(address))
        sink = Syslog("auth", address)
    address.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as second:
        second.bind(str(address))
        second.settimeout(5)
        sink("still here")
        assert second.recv(9000).endswith(b"still here")
    with pytest.raises(OSError, match="refused"):
        sink("nobody listens")
    sink.close()


def test_a_syslog_that_takes_nothing_is_waited_for_only_once(daemon, monkeypatch):
    monkeypatch.setattr(sinks, "_PATIENCE", 0.5)
    sink = open_sink("syslog:")

    with pytest.raises(TimeoutError):
        [sink("x" * 4000) for _ in range(100_000)]
    begun = time.monotonic()
    for _ in range(20):
        with pytest.raises(BlockingIOError):
            sink("x" * 4000)
    assert time.monotonic() - begun < 5, "each line waited for the daemon"

    daemon.recv(9000)
    sink("taken")
    with pytest.raises(TimeoutError):
        [sink("x" * 4000) for _ in range(100_000)]
    sink.close()


#: PRI, then TAG and process, then the message (RFC 3164, 4.1; time and host are added
#: by the daemon, which accepts a local message without them).
SYSLOG = re.compile(rb"<(\d{1,3})>([A-Za-z0-9_]{1,32})\[(\d+)\]: ([ -~]+)")


def test_a_daemon_gets_one_datagram_of_a_known_form_for_each_event(daemon):
    sink = open_sink("syslog:")
    audit = Audit(sink)
    for text in NAUGHTY.values():
        here = Occasion(now=NOON, address=text, request_id=text)
        audit.event(here, "sign-out", "success", user=text, rule=text, detail=text)
        datagram = daemon.recv(65_536)
        form = SYSLOG.fullmatch(datagram)

        assert form, datagram
        assert (int(form[1]) // 8, int(form[1]) % 8) == (10, 5)  # authpriv, notice
        assert (form[2], int(form[3])) == (b"totp_gate", os.getpid())
        assert json.loads(form[4])["event"] == "sign-out"
        assert len(form[4]) < LONGEST_LINE
    daemon.setblocking(False)
    with pytest.raises(BlockingIOError):
        daemon.recv(9000)
    sink.close()


def test_a_syslog_that_is_gone_stops_nothing_and_is_said(daemon, tmp_path, capsys):
    meter = Meter()
    sink = open_sink("syslog:")
    audit = Audit(sink, meter=meter)
    daemon.close()
    for _ in range(2):
        audit.event(Occasion(now=NOON), "sign-out", "success", user="alice")
    sink.close()

    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in said] == ["trouble", "sign-out", "sign-out"]
    assert "the audit cannot be written" in said[0]["detail"]
    assert b"\ngate_audit_failures_total 2.0\n" in meter.text(NOON)


def test_a_dash_is_standard_error():
    assert open_sink("-") is to_stderr


@pytest.mark.parametrize(
    ("target", "remedy"),
    [
        pytest.param("{}/none/audit.log", "No such file", id="no folder"),
        pytest.param("{}", "Is a directory", id="a folder"),
        pytest.param("syslog:kitchen", "write syslog:auth", id="no facility"),
        pytest.param("syslog:", "No such file", id="no daemon"),
    ],
)
def test_what_cannot_be_opened_names_the_setting_and_the_remedy(
    tmp_path, monkeypatch, target, remedy
):
    monkeypatch.setattr(sinks, "SYSLOG_SOCKET", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match=re.escape(remedy)) as caught:
        open_sink(target.format(tmp_path))

    assert caught.value.problems[0][0] == "audit.file"
