# ruff: noqa: RUF001  (names and digits that look like others are the point)
"""A matrix of bad files: each says which key is wrong, where, and what to do."""

from __future__ import annotations

import os

import pytest

from tests.config.conftest import GOOD_HASH, GOOD_SECRET
from totp_gate.config import load_config
from totp_gate.config.users import EXAMPLE_HASH
from totp_gate.errors import ConfigError
from totp_gate.testing import write_settings

GATE = '[gate]\norigin = "https://app.example.com"\n'
URL = GATE + '[upstream]\nurl = "http://127.0.0.1:5000"\n'
HTTPS = GATE + '[upstream]\nurl = "https://127.0.0.1:5000"\n'
APP = GATE + '[upstream]\napp = "package.wsgi:app"\n'
SESSION = GATE + "[session]\n"
CODE = GATE + "[second_factor]\n"
IDENTITY = GATE + "[identity]\n"
SERVER = GATE + "[server]\n"
BARE_USER = GATE + "[[users]]\n"
USER = BARE_USER + f'password_hash = "{GOOD_HASH}"\n'
ALICE = USER + 'name = "alice"\n'


def bad(id, text, key, word):
    return pytest.param(text, key, word, id=id)


GATE_CASES = [
    bad("an empty file", "", "gate.origin", "is missing"),
    bad("no origin", "[gate]\n", "gate.origin", "https://app.example.com"),
    bad("an origin that is a number", "[gate]\norigin = 3", "gate.origin (line 2)", "list"),
    bad("an empty list of origins", "[gate]\norigin = []", "gate.origin (line 2)", "missing"),
    bad("an origin with a path", '[gate]\norigin = "https://a.example/x"', "gate.origin (line 2)", "a path"),
    bad("an origin without scheme", '[gate]\norigin = "a.example"', "gate.origin (line 2)", "https://"),
    bad("one origin twice", '[gate]\norigin = ["https://a.example", "https://A.example:443"]', "gate.origin (line 2)", "twice"),
    bad("http by accident", '[gate]\norigin = "http://a.example"', "gate.origin (line 2)", "insecure_http = true"),
    bad("insecure https", GATE + "insecure_http = true", "gate.insecure_http (line 3)", "contradicts"),
    bad("a truth in quotes", GATE + 'insecure_http = "yes"', "gate.insecure_http (line 3)", "without quotes"),
    bad("the root as prefix", GATE + 'prefix = "/"', "gate.prefix (line 3)", "/_gate"),
    bad("a prefix without slash", GATE + 'prefix = "gate"', "gate.prefix (line 3)", "slash at its start"),
    bad("a prefix with a slash at its end", GATE + 'prefix = "/gate/"', "gate.prefix (line 3)", "none at its end"),
    bad("a prefix with an escape", GATE + 'prefix = "/g%61te"', "gate.prefix (line 3)", "letters"),
    bad("a prefix with a dot segment", GATE + 'prefix = "/a/../b"', "gate.prefix (line 3)", "write a path"),
    bad("a prefix with a line break", GATE + 'prefix = "/gate\\n"', "gate.prefix (line 3)", "write a path"),
    bad("a name with a colon", GATE + 'name = "a: b"', "gate.name (line 3)", "leave it out"),
    bad("a name with a control", GATE + 'name = "a\\u0007b"', "gate.name (line 3)", "type it anew"),
    bad("a long name", GATE + f'name = "{"a" * 65}"', "gate.name (line 3)", "at most 64"),
    bad("a name that is a number", GATE + "name = 7", "gate.name (line 3)", "quotes"),
    bad("another database", GATE + 'state = "mysql://localhost/x"', "gate.state (line 3)", "sqlite:///gate.db"),
    bad("a state in memory", GATE + 'state = "sqlite://"', "gate.state (line 3)", "sqlite:///gate.db"),
    bad("a state with parameters", GATE + 'state = "sqlite:///a?mode=ro"', "gate.state (line 3)", "leave them out"),
    bad("keys that are not there", GATE + 'keys_file = "no.keys"', "gate.keys_file (line 3)", "put it back from the backup"),
    bad("keys that are a folder", GATE + 'keys_file = "."', "gate.keys_file (line 3)", "is no file"),
    bad("a proxy that is everybody", GATE + 'trusted_proxies = ["0.0.0.0/0"]', "gate.trusted_proxies (line 3)", "everybody"),
    bad("a proxy that is half of everybody", GATE + 'trusted_proxies = ["0.0.0.0/1"]', "gate.trusted_proxies (line 3)", "everybody"),
    bad("a proxy that is everybody on IPv6", GATE + 'trusted_proxies = ["::/0"]', "gate.trusted_proxies (line 3)", "IPv4"),
    bad("a proxy that is the IPv6 internet", GATE + 'trusted_proxies = ["2000::/3"]', "gate.trusted_proxies (line 3)", "everybody"),
    bad("IPv4 inside IPv6", GATE + 'trusted_proxies = ["::ffff:0:0/96"]', "gate.trusted_proxies (line 3)", "write them as IPv4"),
    bad("a proxy with a host's bits", GATE + 'trusted_proxies = ["10.0.0.1/8"]', "gate.trusted_proxies (line 3)", "10.0.0.0/8"),
    bad("a proxy by name", GATE + 'trusted_proxies = ["proxy"]', "gate.trusted_proxies (line 3)", "write it like"),
    bad("proxies without a list", GATE + 'trusted_proxies = "10.0.0.0/8"', "gate.trusted_proxies (line 3)", "brackets"),
    bad("a proxy that is a number", GATE + "trusted_proxies = [1]", "gate.trusted_proxies[1] (line 3)", "quotes"),
    bad("a theme that is not there", GATE + 'theme = "pretty"', "gate.theme (line 3)", "make it"),
]  # fmt: skip

UPSTREAM_CASES = [
    bad("nothing behind the gate", GATE + "[upstream]\n", "upstream.url", "app ="),
    bad("app and url", URL + 'app = "a:b"', "upstream.url (line 4)", "remove one"),
    bad("an app without a name", GATE + '[upstream]\napp = "package"', "upstream.app (line 4)", "package.wsgi:app"),
    bad("a url without scheme", GATE + '[upstream]\nurl = "127.0.0.1:5000"', "upstream.url (line 4)", "http://"),
    bad("a url with a path", GATE + '[upstream]\nurl = "http://a.example/x"', "upstream.url (line 4)", "path"),
    bad("a url with a password", GATE + '[upstream]\nurl = "http://u:p@a.example"', "upstream.url (line 4)", "leave it out"),
    bad("a host that is a host", URL + 'host = "a.example"', "upstream.host (line 5)", "'preserve' or 'upstream'"),
    bad("a wait without unit", URL + "read_timeout = 60", "upstream.read_timeout (line 5)", '"60s"'),
    bad("no wait at all", URL + 'connect_timeout = "0"', "upstream.connect_timeout (line 5)", '"1s" to "5m"'),
    bad("too many tunnels", URL + "max_tunnels = 1000000", "upstream.max_tunnels (line 5)", "0 to 100000"),
    bad("a host for an app", APP + 'host = "preserve"', "upstream.host (line 5)", "remove it"),
    bad("tunnels of an app", APP + "max_tunnels = 5", "upstream.max_tunnels (line 5)", "only with url"),
    bad("authorities that are not there", HTTPS + 'ca_file = "ca.pem"', "upstream.ca_file (line 5)", "correct the path"),
    bad("authorities that are none", HTTPS + 'ca_file = "gate.keys"', "upstream.ca_file (line 5)", "certificate file"),
    bad("authorities of plain http", URL + 'ca_file = "gate.keys"', "upstream.ca_file (line 5)", "https://"),
    bad("a key without certificate", HTTPS + 'client_key_file = "gate.keys"', "upstream.client_key_file (line 5)", "client_cert_file"),
]  # fmt: skip

SIGN_IN_CASES = [
    bad("idle without unit", SESSION + "idle = 30", "session.idle (line 4)", '"30s"'),
    bad("idle with a foreign unit", SESSION + 'idle = "1w"', "session.idle (line 4)", '"30d"'),
    bad("idle of two units", SESSION + 'idle = "1h30m"', "session.idle (line 4)", "write it like"),
    bad("negative idle", SESSION + 'idle = "-1h"', "session.idle (line 4)", "write it like"),
    bad("idle in full-width digits", SESSION + 'idle = "３0m"', "session.idle (line 4)", "write it like"),
    bad("no idle", SESSION + 'idle = "0"', "session.idle (line 4)", "out of bounds"),
    bad("idle that is true", SESSION + "idle = true", "session.idle (line 4)", "in quotes"),
    bad("an endless life", SESSION + 'lifetime = "999d"', "session.lifetime (line 4)", "400d"),
    bad("idle longer than life", SESSION + 'idle = "48h"', "session.idle (line 4)", "shorten it"),
    bad("life shorter than idle", SESSION + 'lifetime = "30m"', "session.idle", "lifetime"),
    bad("fewer than no sessions", SESSION + "max_per_user = -1", "session.max_per_user (line 4)", "0 to"),
    bad("a typing error", SESSION + 'idel = "1h"', "session.idel (line 4)", "did you mean idle?"),
    bad("a key in the wrong table", GATE + 'idle = "1h"', "gate.idle (line 3)", "did you mean session.idle?"),
    bad("enrollment for all", CODE + 'enrollment = "open"', "second_factor.enrollment (line 4)", "'first-login'"),
    bad("a broken hash", CODE + 'algorithm = "MD5"', "second_factor.algorithm (line 4)", "SHA256"),
    bad("seven digits", CODE + "digits = 7", "second_factor.digits (line 4)", "6 or 8"),
    bad("digits in quotes", CODE + 'digits = "6"', "second_factor.digits (line 4)", "6 or 8"),
    bad("a short period", CODE + "period = 5", "second_factor.period (line 4)", "15 to 120"),
    bad("a period with a unit", CODE + 'period = "30s"', "second_factor.period (line 4)", "without quotes"),
    bad("a wide window", CODE + "drift = 3", "second_factor.drift (line 4)", "guessed code"),
    bad("a browser trusted for years", CODE + 'trusted_device = "400d"', "second_factor.trusted_device (line 4)", "90d"),
    bad("short passwords", GATE + "[password]\nmin_length = 6", "password.min_length (line 4)", "8 to 64"),
]  # fmt: skip

IDENTITY_CASES = [
    bad("a header with a space", IDENTITY + 'user = "Remote User"', "identity.user (line 4)", "Remote-User"),
    bad("a header with an underscore", IDENTITY + 'user = "Remote_User"', "identity.user (line 4)", "hyphens"),
    bad("a header with a line break", IDENTITY + 'user = "A\\r\\nB"', "identity.user (line 4)", "header name"),
    bad("an empty header", IDENTITY + 'email = ""', "identity.email (line 4)", "header name"),
    *(
        bad(f"the header {name}", IDENTITY + f'user = "{name}"', "identity.user (line 4)", "choose one")
        for name in ("Host", "cookie", "Authorization", "Content-Length", "Connection", "X-Forwarded-For", "Sec-Fetch-Mode")
    ),
    bad("one header for two", IDENTITY + 'name = "remote-user"', "identity.name (line 4)", "same header as user"),
    bad("an assertion in place of the user", IDENTITY + 'assertion = "remote-user"', "identity.assertion (line 4)", "same header as user"),
    bad("app tokens as an identity", IDENTITY + 'user = "Gate-Token"', "identity.user (line 4)", "meaning of its own"),
]  # fmt: skip

USER_CASES = [
    bad("a user without a name", USER, "users[1].name (line 3)", "is missing"),
    bad("a user without a password", BARE_USER + 'name = "alice"', "users[1].password_hash (line 3)", "user add"),
    bad("a password in the clear", BARE_USER + 'name = "a"\npassword_hash = "hunter2"', "users[1].password_hash (line 5)", "user add"),
    bad("the password of the example", BARE_USER + f'name = "a"\npassword_hash = "{EXAMPLE_HASH}"', "users[1].password_hash (line 5)", "example"),
    bad("the secret of the example", ALICE + 'totp_secret = "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP"', "users[1].totp_secret (line 6)", "otp secret"),
    bad("the secret of RFC 6238", ALICE + 'totp_secret = "hex:3132333435363738393031323334353637383930"', "users[1].totp_secret (line 6)", "example"),
    bad("a short secret", ALICE + 'totp_secret = "MFRGGZDF"', "users[1].totp_secret (line 6)", "otp secret"),
    bad("a secret that is none", ALICE + 'totp_secret = "!"', "users[1].totp_secret (line 6)", "base32"),
    bad("a mixed name", USER + 'name = "аlice"', "users[1].name (line 5)", "Cyrillic and Latin"),
    bad("a name with a direction", USER + 'name = "ali\\u202Ece"', "users[1].name (line 5)", "cannot be seen"),
    bad("a name with a zero width", USER + 'name = "ali\\u200Bce"', "users[1].name (line 5)", "cannot be seen"),
    bad("a name with a tab", USER + 'name = "ali\\tce"', "users[1].name (line 5)", "cannot be seen"),
    bad("a name with a colon", USER + 'name = "ali:ce"', "users[1].name (line 5)", "colon"),
    bad("a long name", USER + f'name = "{"a" * 129}"', "users[1].name (line 5)", "at most 128"),
    bad("one name twice", ALICE + USER.removeprefix(GATE) + 'name = "ＡLICE"', "users[2].name (line 8)", "twice"),
    bad("two names that look alike", USER + 'name = "асе"\n' + USER.removeprefix(GATE) + 'name = "ace"', "users[2].name (line 8)", "another user"),
    bad("a group with a comma", ALICE + 'groups = ["a,b"]', "users[1].groups (line 6)", "comma"),
    bad("a group twice", ALICE + 'groups = ["a", "a"]', "users[1].groups (line 6)", "remove one"),
    bad("groups without a list", ALICE + 'groups = "staff"', "users[1].groups (line 6)", "brackets"),
    bad("an address that is none", ALICE + 'email = "alice"', "users[1].email (line 6)", "alice@example.com"),
    bad("a misspelt key", ALICE + "disable = true", "users[1].disable (line 6)", "did you mean disabled?"),
    bad("a hash file that is not there", BARE_USER + 'name = "a"\npassword_hash_file = "no"', "users[1].password_hash_file (line 5)", "correct the path"),
    bad("hash and hash file", ALICE + 'password_hash_file = "good.hash"', "users[1].password_hash_file (line 6)", "remove one"),
    bad("secret and secret file", ALICE + f'totp_secret = "{GOOD_SECRET}"\ntotp_secret_file = "good.totp"', "users[1].totp_secret_file (line 7)", "remove one"),
    bad("a secret file others can read", ALICE + 'totp_secret_file = "open.totp"', "users[1].totp_secret_file (line 6)", "chmod 600"),
    bad("an empty secret file", ALICE + 'totp_secret_file = "empty"', "users[1].totp_secret_file (line 6)", "one secret"),
    bad("a secret file that is a folder", ALICE + 'totp_secret_file = "."', "users[1].totp_secret_file (line 6)", "is no file"),
    bad("a user that is no table", 'users = ["alice"]\n' + GATE, "users[1] (line 1)", "table"),
    bad("users that are no list", 'users = "alice"\n' + GATE, "users (line 1)", "list"),
]  # fmt: skip

AUDIT = GATE + "[audit]\n"

REPORT_CASES = [
    bad("an audit in no folder", AUDIT + 'file = "none/audit.log"', "audit.file (line 4)", "make it"),
    bad("an audit that is a folder", AUDIT + 'file = "."', "audit.file (line 4)", "is no file"),
    bad("an audit that is nowhere", AUDIT + 'file = ""', "audit.file (line 4)", "standard error"),
    bad("a facility that is none", AUDIT + 'file = "syslog:kitchen"', "audit.file (line 4)", "syslog:auth"),
    bad("a command that is not there", AUDIT + 'command = ["notify"]', "audit.command (line 4)", "by its path"),
    bad("a command that cannot run", AUDIT + 'command = ["gate.keys"]', "audit.command (line 4)", "chmod +x"),
    bad("a command line", AUDIT + 'command = "/bin/true"', "audit.command (line 4)", "brackets"),
    bad("an event there is not", AUDIT + 'command = ["/bin/true"]\ncommand_events = ["lunch"]', "audit.command_events (line 5)", "sign-in.code"),
    bad("events for nobody", AUDIT + 'command_events = ["sign-out"]', "audit.command_events (line 4)", "add one"),
    bad("a network by name", GATE + '[metrics]\nnetworks = ["monitor"]', "metrics.networks (line 4)", "10.0.0.0/8"),
]  # fmt: skip

OTHER_CASES = [
    bad("no port to listen on", SERVER + 'bind = "127.0.0.1"', "server.bind (line 4)", "127.0.0.1:8000"),
    bad("a port that is none", SERVER + 'bind = "127.0.0.1:99999"', "server.bind (line 4)", "127.0.0.1:8000"),
    bad("no workers", SERVER + "workers = 0", "server.workers (line 4)", "1 to 256"),
    bad("a fraction of a worker", SERVER + "workers = 1.5", "server.workers (line 4)", "whole number"),
    bad("a foreign worker", SERVER + 'worker_class = "tornado"', "server.worker_class (line 4)", "'gevent'"),
    bad("an end above what NIST allows", GATE + "[throttle]\npassword_most = 101", "throttle.password_most (line 4)", "NIST"),
    bad("an end before the first wait", GATE + "[throttle]\npassword_most = 5", "throttle.password_most (line 4)", "above password_free"),
    bad("threads of a gevent worker", SERVER + 'worker_class = "gevent"\nthreads = 4', "server.threads (line 5)", "remove it"),
    bad("a table that does not exist", GATE + "[cache]\nfree = 3", "cache (line 3)", "remove it"),
    bad("a misspelt table", GATE + '[sesion]\nidle = "1h"', "sesion (line 3)", "did you mean session?"),
    bad("a table that is a value", "session = 3\n" + GATE, "session (line 1)", "table"),
    bad("a key with odd letters", GATE + '"a\\u001bb" = 1', 'gate."a\\u001bb" (line 3)', "remove it"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "key", "word"),
    [
        *GATE_CASES,
        *UPSTREAM_CASES,
        *SIGN_IN_CASES,
        *IDENTITY_CASES,
        *USER_CASES,
        *REPORT_CASES,
        *OTHER_CASES,
    ],
)
def test_a_bad_file_is_refused_with_key_line_and_remedy(files, text, key, word):
    files.write("good.hash", GOOD_HASH)
    files.write("good.totp", GOOD_SECRET)
    files.write("open.totp", GOOD_SECRET, mode=0o644)
    files.write("empty", "\n")

    problems = files.problems(text)

    assert [found for found, _ in problems] == [key]
    assert word in problems[0][1]


@pytest.mark.parametrize(
    ("text", "key", "word"),
    [
        pytest.param("[gate\n", "gate.toml (line 1, column 6)", "toml.io", id="a bracket"),
        pytest.param("[gate]\nidle = 1h\n", "gate.toml (line 2, column 9)", "toml.io", id="a bare duration"),
        pytest.param("[gate]\nname = Example\n", "gate.toml (line 2, column 8)", "quotes", id="a bare text"),
        pytest.param("a = 1\na = 2\n", "gate.toml (line 2, column 6)", "twice", id="a key twice"),
        pytest.param("[a]\n[a]\n", "gate.toml (line 2, column 3)", "twice", id="a table twice"),
        pytest.param('a = "x', "gate.toml", "toml.io", id="an open text"),
        pytest.param("a = " + "[" * 5000, "gate.toml", "nested", id="a deep list"),
        pytest.param("a = " + "9" * 5000, "gate.toml", "Invalid value", id="a huge number"),
    ],
)  # fmt: skip
def test_what_is_no_toml_is_refused_with_its_position(files, text, key, word):
    ((found, reason),) = files.problems(text)

    assert found == key
    assert word in reason


def test_a_file_that_is_not_utf_8_is_refused_with_its_line(files):
    path = files.folder / "gate.toml"
    path.write_bytes(b'[gate]\nname = "caf\xe9"\n')

    with pytest.raises(ConfigError) as caught:
        load_config(path, environ={})

    assert "line 2" in caught.value.problems[0][1]


@pytest.mark.parametrize(
    ("name", "word"), [("absent.toml", "totp-gate init"), (".", "/gate.toml")]
)
def test_a_file_that_cannot_be_read_is_one_problem(files, name, word):
    with pytest.raises(ConfigError) as caught:
        load_config(files.folder / name, environ={})

    ((_, reason),) = caught.value.problems
    assert word in reason


def test_all_problems_are_told_at_once_and_in_the_order_of_the_file(files):
    text = """\
[server]
workers = 0
bind = 8000
[session]
idle = "2h"
lifetime = "1h"
idel = 1
[[users]]
name = "alice"
[[users]]
name = "bob"
password_hash = "x"
[gate]
origin = "http://a.example"
keys_file = "no.keys"
"""
    keys = [key for key, _ in files.problems(text, {"TOTP_GATE__NO__WAY": "1"})]

    assert keys == [
        "server.workers (line 2)",
        "server.bind (line 3)",
        "session.idle (line 5)",
        "session.idel (line 7)",
        "users[1].password_hash (line 8)",
        "users[2].password_hash (line 12)",
        "gate.origin (line 14)",
        "gate.keys_file (line 15)",
        "TOTP_GATE__NO__WAY",
    ]


def test_a_contradiction_is_not_told_of_a_setting_that_is_wrong_anyway(files):
    keys = [key for key, _ in files.problems(SESSION + 'idle = "2d"\nlifetime = "1"')]

    assert keys == ["session.lifetime (line 5)"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(
            '[gate]\norigin = ["a.example", "https://b.example/x"]',
            ["a.example", "https://b.example/x"],
            id="origins",
        ),
        pytest.param(
            GATE + 'trusted_proxies = ["here", "::1", "0.0.0.0/0", "there"]',
            ["'here'", "0.0.0.0/0", "'there'"],
            id="proxies",
        ),
        pytest.param(
            GATE + '[metrics]\nnetworks = ["here", "::1", "there"]',
            ["'here'", "'there'"],
            id="networks",
        ),
        pytest.param(
            AUDIT + 'command = ["/bin/true"]\ncommand_events = ["lunch", "tea"]',
            ["'lunch', 'tea'"],
            id="events",
        ),
    ],
)
def test_everything_wrong_in_a_list_is_told_at_once(files, text, words):
    ((_, reason),) = files.problems(text)

    for word in words:
        assert word in reason


def test_a_wrong_value_in_a_list_hides_no_contradiction(files):
    text = GATE + 'trusted_proxies = [1, 2]\n[session]\nidle = "48h"'
    keys = [key for key, _ in files.problems(text)]

    assert keys == [
        "gate.trusted_proxies[1] (line 3)",
        "gate.trusted_proxies[2] (line 3)",
        "session.idle (line 5)",
    ]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o700])
def test_keys_that_others_may_touch_are_refused(files, mode):
    (files.folder / "gate.keys").chmod(mode)

    ((key, reason),) = files.problems(GATE)

    assert key == "gate.keys_file"
    assert "chmod 600" in reason


def test_keys_of_another_user_are_refused(files, monkeypatch):
    owner = (files.folder / "gate.keys").stat().st_uid
    if owner == 0:
        os.chown(files.folder / "gate.keys", 12345, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 54321)

    ((key, reason),) = files.problems(GATE)

    assert key == "gate.keys_file"
    assert "chown 54321" in reason


def test_a_theme_is_no_whole_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("totp_gate.config.fields.MOST_FILES", 3)
    theme = tmp_path / "theme"
    theme.mkdir(mode=0o755)
    for number in range(4):
        (theme / f"{number}.html").write_text("")

    path = write_settings(tmp_path, gate={"theme": "theme"})
    with pytest.raises(ConfigError, match="holds too much to be one of ours"):
        load_config(path)
