"""An address that cannot be had is told before a server starts, with what helps."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest

from totp_gate.cli import listening
from totp_gate.cli.listening import is_for_root, port_of, try_address
from totp_gate.errors import ConfigError, Conflict


@pytest.fixture
def taken():
    """The address of somebody who listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_a_free_address_is_left_as_it_was(taken: str):
    port = listening.bound("127.0.0.1", 0)
    free = f"127.0.0.1:{port.getsockname()[1]}"
    port.close()

    try_address(free)
    try_address(free)


def test_an_address_in_use_is_refused(taken: str):
    with pytest.raises(Conflict, match="somebody listens there already"):
        try_address(taken)


@pytest.mark.parametrize("name", ["LISTEN_FDS", "GUNICORN_FD"])
def test_a_socket_that_is_handed_over_is_in_use(taken: str, monkeypatch, name: str):
    monkeypatch.setenv(name, "1")

    try_address(taken)


@pytest.mark.parametrize(
    ("bind", "word"),
    [
        pytest.param("203.0.113.9:8000", "no address of this machine", id="not ours"),
        pytest.param("nowhere.invalid:8000", "cannot be looked up", id="a name"),
        pytest.param("unix:/nowhere/gate.sock", "make it", id="no folder"),
        pytest.param(f"unix:/{'a' * 200}", "too long", id="too long"),
    ],
)
def test_an_address_nobody_could_have_is_a_setting_to_correct(bind: str, word: str):
    with pytest.raises(ConfigError, match=word) as refused:
        try_address(bind)

    ((key, reason),) = refused.value.problems
    assert key == "server.bind"
    assert bind.removeprefix("unix:")[:20] in reason


def test_a_port_for_root_is_told(monkeypatch):
    def refuse(*_: object) -> socket.socket:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(listening, "bound", refuse)

    with pytest.raises(ConfigError, match="config systemd"):
        try_address("127.0.0.1:80")


def test_a_socket_that_nobody_uses_any_more_is_free(tmp_path: Path):
    path = tmp_path / "gate.sock"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))

    try_address(f"unix:{path}")

    assert path.exists()


def test_a_socket_of_another_gate_is_not_taken_from_it(tmp_path: Path):
    path = tmp_path / "gate.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()

        with pytest.raises(Conflict, match="somebody listens there already"):
            try_address(f"unix:{path}")


def test_a_file_is_not_replaced_by_a_socket(tmp_path: Path):
    path = tmp_path / "precious"
    path.write_text("precious")

    with pytest.raises(ConfigError, match="no socket"):
        try_address(f"unix:{path}")


def test_who_listens_until_now_is_in_nobodys_way(taken: str, tmp_path: Path):
    port = port_of(taken)

    try_address(taken, held=taken)
    try_address(f"0.0.0.0:{port}", held=taken)
    with pytest.raises(Conflict):
        try_address(taken, held=f"unix:{tmp_path / 'gate.sock'}")


@pytest.mark.parametrize(
    ("bind", "port", "root"),
    [
        ("127.0.0.1:80", 80, True),
        ("[::1]:1023", 1023, True),
        ("127.0.0.1:1024", 1024, False),
        ("127.0.0.1:0", 0, False),
        ("unix:/run/gate:80", None, False),
    ],
)
def test_the_port_decides_who_may_listen(bind: str, port: int | None, root: bool):
    assert port_of(bind) == port
    assert is_for_root(bind) is root
