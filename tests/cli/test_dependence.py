"""Whatever an answer depends on: nginx keeps it apart, and Envoy asks about it."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from tests.applications import echo
from totp_gate.cli import main
from totp_gate.testing import Installation
from totp_gate.web import forward

PROXY = "10.0.0.2"
SET_BY_NGINX = {"HTTP_HOST", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO"}
SET_BY_NGINX |= {"HTTP_X_FORWARDED_HOST", "HTTP_SEC_GATE_ECHO"}
FRAMING = {"HTTP_TRANSFER_ENCODING"}
RULES = """
[[rules]]
name = "kept"
methods = ["DELETE"]
paths = ["/kept/*"]
policy = "deny"
[[rules]]
name = "api"
paths = ["/api/*"]
methods = ["GET", "POST"]
preflight = true
[[rules]]
name = "open"
paths = ["/public/*"]
query = { kind = "ping" }
networks = ["192.0.2.0/24"]
policy = "public"
"""


class Read(dict):
    """An environ that notes which headers somebody has looked for."""

    def __init__(self, known):
        super().__init__(known)
        self.headers = set()
        self.written = set()

    def note(self, key):
        if key.startswith("HTTP_") and key not in self.written:
            self.headers.add(key)

    def __getitem__(self, key):
        self.note(key)
        return super().__getitem__(key)

    def __contains__(self, key):
        self.note(key)
        return super().__contains__(key)

    def get(self, key, default=None):
        self.note(key)
        return super().get(key, default)

    def pop(self, key, *default):
        self.note(key)
        return super().pop(key, *default)

    def __setitem__(self, key, value):
        self.written.add(key)
        super().__setitem__(key, value)

    def update(self, more):
        self.written |= more.keys()
        super().update(more)


@pytest.fixture
def reads(monkeypatch):
    """The environs that were judged."""
    made = []

    def noting(environ, described):
        made.append(Read(real(environ, described)))
        return made[-1]

    real = forward.environ_of
    monkeypatch.setattr(forward, "environ_of", noting)
    return made


@pytest.fixture
def gate(tmp_path):
    made = Installation(echo, tmp_path, RULES, gate={"trusted_proxies": [PROXY]})
    yield made
    made.accounts.store.close()


@pytest.fixture
def found(gate, reads):
    """The headers that were looked for in requests that may pass."""
    browser = gate.sign_in(gate.add_user("alice"))
    page = "https://app.example.com"
    for method, target, sent in (
        ("GET", "/a", {}),
        ("POST", "/kept/a", {"X-HTTP-Method": "PUT", "Gate-Held": "x"}),
        ("OPTIONS", "/api/a", {"Origin": page, "Access-Control-Request-Method": "GET"}),
        ("GET", "/public/a?kind=ping", {"Authorization": "Bearer x"}),
        ("GET", "/socket", {"Origin": page, "Upgrade": "websocket"}),
    ):
        told = {
            "X-Original-URL": page + target,
            "X-Original-Method": method,
            "X-Forwarded-For": "192.0.2.7",
            "Sec-Gate-Echo": "1",
        }
        asked = browser.open(
            "/_gate/auth/nginx",
            method="OPTIONS" if method == "OPTIONS" else "GET",
            headers=told | sent,
            environ_base={"REMOTE_ADDR": PROXY},
        )
        assert asked.status_code == 200
    return {key for read in reads for key in read.headers}


def printed(gate, server):
    words = ["config", server, "--upstream", "http://127.0.0.1:5000"]
    told = CliRunner().invoke(main, ["--config", str(gate.path), *words])
    assert told.exit_code == 0
    return told.stdout


def test_every_header_the_gate_reads_is_part_of_nginxs_key_or_asked_anew(gate, found):
    assert {"HTTP_COOKIE", "HTTP_GATE_HELD", "HTTP_X_METHOD_OVERRIDE"} <= found

    assert found - SET_BY_NGINX - FRAMING <= kept_apart(printed(gate, "nginx"))


def test_envoy_asks_about_every_header_the_gate_reads_or_lets_none_in(gate, found):
    told = printed(gate, "envoy")
    asked = told.partition("allowed_headers:\n")[2].partition("- name:")[0]
    names = re.findall(r"exact: (\S+)", asked) + re.findall(r"remove: \"(.+)\"", told)
    known = {f"HTTP_{name.upper().replace('-', '_')}" for name in names}

    left = {key for key in found - known if not key.startswith("HTTP_SEC_")}
    assert left <= {"HTTP_HOST", "HTTP_TRANSFER_ENCODING"}


def kept_apart(told):
    """Return the headers that two requests with one answer in the cache agree in."""
    key = re.search(r'proxy_cache_key "(.*)";', told)[1]
    anew = re.search(r'map "(.*)" \$totp_gate_anew {', told)[1]
    for skipping in ("bypass", "no_cache"):
        assert re.search(rf"proxy_(cache_)?{skipping} +\$totp_gate_anew;", told)
    names = re.findall(r"\$http_(\w+)", key + anew)
    return {f"HTTP_{name.upper()}" for name in names}
