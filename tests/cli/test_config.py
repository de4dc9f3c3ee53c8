"""Ready configurations: for these settings, harmless, and with what they need."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.cli.conftest import Terminal
from totp_gate.testing import write_settings
from totp_gate.web import overrides

UPSTREAM = '[upstream]\nurl = "http://127.0.0.1:5000"\n'
SERVERS = ["nginx", "caddy", "traefik", "envoy"]
REMOVED = {
    "caddy": r"request_header -(\S+)\*",
    "traefik": r'"(\S+)": ""',
    "envoy": r'- remove: "(?!x-forwarded-|x-original-)(\S+)"',
}
TRUSTED = {"trusted_proxies": ["127.0.0.1"]}


@pytest.fixture
def ready(terminal: Terminal) -> Terminal:
    """A terminal in a folder whose settings name an application."""
    write_settings(terminal.folder, UPSTREAM, gate=TRUSTED)
    return terminal


@pytest.mark.parametrize("server", SERVERS)
def test_it_is_written_for_these_settings(terminal: Terminal, server):
    settings = (
        '[upstream]\nurl = "http://10.0.0.9:5001"\n'
        '[server]\nbind = "127.0.0.1:9000"\n[identity]\nuser = "X-Who"\n'
    )
    origins = ["https://app.example.com", "https://b.example.com:8443"]
    gate = TRUSTED | {"origin": origins, "prefix": "/door"}
    write_settings(terminal.folder, settings, gate=gate)

    told = terminal.do("config", server)

    plain = told.replace('", port_value: ', ":")  # as Envoy has it
    for part in ("app.example.com", "b.example.com", "10.0.0.9:5001", "127.0.0.1:9000"):
        assert part in plain
    assert "/door/auth/" in told
    assert "x-who" in told.lower()
    assert " /_gate" not in told
    written = [line for line in told.splitlines() if not line.strip().startswith("#")]
    assert "remote_user" not in "\n".join(written).lower()


@pytest.mark.parametrize("server", SERVERS)
def test_options_go_over_the_settings(ready: Terminal, server):
    places = ("--upstream", "http://app:5002", "--gate", "http://gate:9001")

    told = ready.do("config", server, *places).replace('", port_value: ', ":")

    assert "app:5002" in told
    assert "gate:9001" in told
    assert ":5000" not in told


@pytest.mark.parametrize("server", ["nginx", "caddy"])
def test_a_web_server_that_is_not_trusted_is_warned_of(terminal: Terminal, server):
    write_settings(terminal.folder, UPSTREAM, gate={"trusted_proxies": ["10.0.0.1"]})

    result = terminal.run("config", server)

    assert result.exit_code == 0
    assert 'gate.trusted_proxies: does not hold "127.0.0.1"' in result.stderr


def test_who_listens_on_a_socket_is_trusted_by_that_word(terminal: Terminal):
    settings = UPSTREAM + '[server]\nbind = "unix:gate.sock"\n'
    write_settings(terminal.folder, settings, gate=TRUSTED)

    result = terminal.run("config", "nginx")

    assert f"server unix:{terminal.folder}/gate.sock;" in result.stdout
    assert 'does not hold "unix"' in result.stderr


@pytest.mark.parametrize("server", SERVERS)
def test_an_application_has_to_be_named(terminal: Terminal, server):
    complaint = terminal.refused("config", server, code=2)

    assert "--upstream http://127.0.0.1:5000" in complaint


def test_traefik_leads_no_visitor_to_the_endpoints(ready: Terminal):
    told = ready.do("config", "traefik")

    rules = [line for line in told.splitlines() if line.strip().startswith("rule:")]
    assert len(rules) == 2
    assert all("&& !PathPrefix(`/_gate/auth/`)" in rule for rule in rules)


@pytest.mark.parametrize("server", ["traefik", "envoy"])
def test_some_reach_no_socket(ready: Terminal, server):
    words = ("config", server, "--upstream", "unix:/run/app.sock")

    assert "no unix socket" in ready.refused(*words, code=2)


@pytest.mark.parametrize("value", ["a b", "a;b", "a{b", "a\nb", 'a"b', "$a", "%h", ""])
@pytest.mark.parametrize(
    "words", [("nginx", "--cache"), ("nginx", "--listen"), ("systemd", "--user")]
)
def test_nothing_that_means_something_is_written_down(ready: Terminal, words, value):
    assert "choose another name" in ready.refused("config", *words, value, code=2)


@pytest.mark.parametrize("option", ["--upstream", "--gate"])
def test_an_address_of_another_kind_is_told_as_it_was_typed(ready: Terminal, option):
    complaint = ready.refused("config", "nginx", option, "ftp://app", code=2)

    assert "'ftp://app': begin it with http://, https:// or unix:" in complaint


def test_nginx_has_the_certificate_and_its_key(ready: Terminal):
    told = ready.do("config", "nginx", "--certificate", "/etc/tls/a.pem")

    assert "ssl_certificate     /etc/tls/a.pem;" in told
    assert "ssl_certificate_key /etc/tls/a.key;" in told
    assert "listen 443 ssl;" in told
    assert "return 308 https://app.example.com$request_uri;" in told


def test_an_application_over_https_is_verified(terminal: Terminal):
    settings = '[upstream]\nurl = "https://app.internal"\nhost = "upstream"\n'
    write_settings(terminal.folder, settings, gate=TRUSTED)

    nginx, caddy = terminal.do("config", "nginx"), terminal.do("config", "caddy")

    assert "proxy_ssl_verify on;" in nginx
    assert "proxy_ssl_name app.internal;" in nginx
    assert 'proxy_set_header Host              "app.internal";' in nginx
    assert "tls_server_name app.internal" in caddy
    assert "header_up Host app.internal" in caddy


@pytest.mark.parametrize("server", ["caddy", "traefik", "envoy"])
@pytest.mark.parametrize(
    "name", ["Remote-User", "X-Auth-Request-User", *overrides.NAMES]
)
def test_every_other_spelling_of_a_name_is_removed(terminal: Terminal, server, name):
    who = "Remote-User" if name in overrides.NAMES else name
    settings = f'{UPSTREAM}[identity]\nuser = "{who}"\n'
    write_settings(terminal.folder, settings, gate=TRUSTED)

    told = terminal.do("config", server)

    pattern = REMOVED[server]
    removed = re.findall(pattern, told, re.IGNORECASE)
    name = name.lower() if server == "envoy" else name
    first, _, last = name.rpartition("-")
    for sign in "." if server == "envoy" else "_.":
        misspelt = f"{first}{sign}{last}"
        assert any(misspelt.startswith(start) for start in removed)
    assert not any(name.startswith(start) for start in removed)


@pytest.fixture
def plain_python(monkeypatch):
    """Run as where no path has a space, which no unit can name."""
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")


def test_the_unit_names_what_it_writes_and_nothing_else(ready: Terminal, plain_python):
    told = ready.do("config", "systemd")

    assert f"ReadWritePaths={ready.folder}\n" in told
    assert f"--config {ready.path} serve\n" in told
    assert "ProtectSystem=strict" in told


@pytest.mark.parametrize(
    ("upstream", "shut"),
    [
        pytest.param("", True, id="only asked"),
        pytest.param(UPSTREAM, True, id="a service"),
        pytest.param('[upstream]\napp = "m:a"\n', False, id="an application"),
    ],
)
def test_only_an_application_may_make_code(
    terminal: Terminal, plain_python, upstream, shut
):
    write_settings(terminal.folder, upstream, gate=TRUSTED)

    told = terminal.do("config", "systemd")

    assert ("MemoryDenyWriteExecute=yes" in told) is shut


@pytest.mark.parametrize(
    ("bind", "given"),
    [
        pytest.param("127.0.0.1:1024", "", id="a port for all"),
        pytest.param("127.0.0.1:1023", "CAP_NET_BIND_SERVICE", id="a port for root"),
        pytest.param("[::1]:80", "CAP_NET_BIND_SERVICE", id="on IPv6"),
        pytest.param("unix:/run/gate:80", "", id="a socket"),
    ],
)
def test_a_port_for_root_is_left_to_the_gate(
    terminal: Terminal, plain_python, bind, given
):
    server = f'{UPSTREAM}[server]\nbind = "{bind}"\n'
    write_settings(terminal.folder, server, gate=TRUSTED)

    lines = terminal.do("config", "systemd").splitlines()

    assert f"CapabilityBoundingSet={given}" in lines
    assert (f"AmbientCapabilities={given}" in lines) is bool(given)


@pytest.mark.parametrize("port", [8000, 80])
def test_systemd_takes_the_unit(program, plain_python, ready: Terminal, port):
    text = ready.path.read_text()
    ready.path.write_text(f'{text}[server]\nbind = "127.0.0.1:{port}"\n')
    unit = ready.folder / "totp_gate_test.service"
    told = ready.do("config", "systemd", "--user", "root")
    unit.write_text(told)

    judged = subprocess.run(
        [program("systemd-analyze"), "verify", str(unit)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert judged.stderr == ""
    assert judged.returncode == 0


@pytest.mark.parametrize(
    ("upstream", "keeps"),
    [
        pytest.param("http://127.0.0.1:5000", True, id="the gate's own"),
        pytest.param("http://127.0.0.1:5001", False, id="another"),
        pytest.param("unix:/run/app.sock", False, id="a socket"),
    ],
)
def test_forms_are_kept_only_for_where_the_gate_would_send_them(
    ready: Terminal, upstream, keeps
):
    told = ready.do("config", "nginx", "--upstream", upstream)

    answer = told.partition("location @totp_gate")[2].partition("location / ")[0]
    assert ("proxy_pass_request_body off;" not in answer) is keeps


def test_a_wrapped_application_gets_no_form_from_the_gate(terminal: Terminal):
    write_settings(terminal.folder, gate=TRUSTED)

    told = terminal.do("config", "nginx", "--upstream", "http://127.0.0.1:5000")

    assert told.count("proxy_pass_request_body off;") == 2
