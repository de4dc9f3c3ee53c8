"""What is wired together where a gate is made from its settings."""

import inspect
import json
import socket
import traceback

import bcrypt
import pytest
from gunicorn.errors import AppImportError
from werkzeug.test import create_environ
from werkzeug.wrappers import Response

from tests.applications import echo
from totp_gate import load_config
from totp_gate.app import Gate, create_app
from totp_gate.errors import ConfigError
from totp_gate.testing import Installation, write_settings


def test_the_audit_hears_of_a_certificate_that_does_not_fit(tmp_path):
    settings = '[upstream]\nurl = "https://127.0.0.1:9"\n[audit]\nfile = "audit.log"\n'
    gate = create_app(write_settings(tmp_path, settings))

    gate.app.observer.untrusted("0123456789ab", "certificate has expired")
    gate.accounts.store.close()

    line = json.loads((tmp_path / "audit.log").read_text())
    assert (line["event"], line["request"]) == ("upstream.untrusted", "0123456789ab")


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_where_no_tunnel_has_a_place_that_is_what_is_said(tmp_path, accept):
    settings = '[upstream]\nurl = "http://127.0.0.1:9"\nmax_tunnels = 0\n'
    gate = create_app(write_settings(tmp_path, settings))
    sent = {"Upgrade": "websocket", "Connection": "Upgrade", "Accept": accept}
    environ = create_environ("/ws", headers=sent)
    with socket.socket() as client:
        environ |= {"gunicorn.socket": client, "RAW_URI": "/ws"}
        answer = Response.from_app(gate.app, environ)
    gate.accounts.store.close()

    assert answer.status_code == 503
    assert "Too many connections are open." in answer.get_data(as_text=True)
    assert answer.headers["Retry-After"] == "5"


def test_the_signature_of_load_config_shows_nobodys_environment(monkeypatch):
    monkeypatch.setenv("A_SECRET", "hunter2")

    assert "hunter2" not in str(inspect.signature(load_config))


def broken_settings(folder):
    return write_settings(folder, "[session]\nidle = 3\n[cache]\n")


def spoilt_keys(folder):
    path = write_settings(folder)
    (folder / "gate.keys").write_text("nonsense")
    return path


@pytest.mark.parametrize("make", [create_app, lambda path: Gate(echo, path)])
@pytest.mark.parametrize(
    ("spoil", "keys"),
    [
        (broken_settings, ["session.idle (line 5)", "cache (line 6)"]),
        (spoilt_keys, ["gate.keys_file"]),
    ],
)
def test_what_is_wrong_is_told_once_with_its_file(
    tmp_path, monkeypatch, make, spoil, keys
):
    monkeypatch.setattr("totp_gate.app.creation.missing_upstream", lambda _: [])
    path = spoil(tmp_path)

    with pytest.raises(ConfigError) as caught:
        make(path)

    first, *lines = str(caught.value).splitlines()
    assert first == f"{path} cannot be used:"
    assert [line.partition(": ")[0] for line in lines] == keys
    told = "".join(traceback.format_exception(caught.value))
    assert told.count(lines[0]) == 1
    # Whom gunicorn tells by their text, and nothing else.
    assert isinstance(caught.value, AppImportError)


def test_what_a_foreign_hash_costs_is_known_before_anybody_asks(tmp_path):
    hashed = bcrypt.hashpw(b"correct horse battery", bcrypt.gensalt(4)).decode()
    (tmp_path / "people").write_text(f"bob:{hashed}\n")
    house = Installation(echo, tmp_path, gate={"htpasswd": "people"})

    known = house.accounts.passwords.measure([])

    house.accounts.store.close()
    assert len(known) == 2
    assert known["bcrypt:04"] > 0
