"""What a good file says, what the environment changes, and what is never shown."""

from __future__ import annotations

import stat

import pytest
from pydantic import ValidationError

from tests.config.conftest import GOOD_HASH, GOOD_SECRET
from totp_gate.config import load_config
from totp_gate.config.settings import Config
from totp_gate.config.sources import section_of
from totp_gate.core.otp import Params, parse_secret
from totp_gate.core.password_rules import Requirements
from totp_gate.core.sessions import Limits
from totp_gate.core.urls import parse_origin
from totp_gate.errors import ConfigError
from totp_gate.telemetry.inventory import told_events
from totp_gate.upstream.destination import Limits as UpstreamLimits

GATE = '[gate]\norigin = "https://app.example.com"\n'


def test_a_file_with_just_an_origin_is_enough(files):
    config = files.load(GATE)

    assert config.origins == (parse_origin("https://app.example.com"),)
    assert config.gate.name == "app.example.com"
    assert config.upstream is None
    assert config.file_users() == []


def test_the_defaults_are_those_of_the_parts(files):
    config = files.load(GATE)

    assert config.limits() == Limits()
    assert config.otp_params() == Params()
    assert config.requirements() == Requirements()
    assert config.upstream_limits() == UpstreamLimits()


def test_settings_reach_the_parts(files):
    config = files.load(
        GATE
        + '[session]\nidle = "10m"\nlifetime = "8h"\nmax_per_user = 3\n'
        + '[second_factor]\nalgorithm = "SHA256"\ndigits = 8\nperiod = 60\ndrift = 0\n'
        + "[password]\nmin_length = 12\n"
        + '[upstream]\nurl = "http://a.example:81"\nhost = "upstream"\nmax_tunnels = 7\n'
    )

    assert config.limits() == Limits(idle=600, lifetime=28_800, max_per_user=3)
    assert config.otp_params() == Params(
        algorithm="SHA256", digits=8, period=60, drift=0
    )
    assert config.requirements() == Requirements(min_length=12)
    assert config.destination().authority == "a.example:81"
    assert config.destination().host == "upstream"
    assert config.upstream_limits().max_tunnels == 7


def test_a_session_may_live_as_long_without_activity_as_with_it(files):
    config = files.load(GATE + '[session]\nidle = "24h"')

    assert config.limits().idle == config.limits().lifetime


def test_a_destination_needs_a_url(files):
    with pytest.raises(ValueError, match=r"upstream\.url"):
        files.load(GATE + '[upstream]\napp = "a:b"').destination()


def test_paths_are_counted_from_the_file(files, monkeypatch, tmp_path_factory):
    (files.folder / "pages").mkdir()
    files.write("gate.toml", GATE + 'theme = "pages"\n[server]\nbind = "unix:g.sock"')
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)

    config = load_config(files.folder / "gate.toml", environ={})

    assert config.path == files.folder / "gate.toml"
    assert config.folder == files.folder
    assert config.keys_file == files.folder / "gate.keys"
    assert config.state_url == f"sqlite:///{files.folder}/gate.db"
    assert config.gate.theme == str(files.folder / "pages")
    assert config.server.bind == f"unix:{files.folder}/g.sock"


def test_an_absolute_path_stays_as_it_is(files):
    config = files.load(GATE + 'state = "sqlite:////var/lib/gate.db"')

    assert config.state_url == "sqlite:////var/lib/gate.db"


def test_reading_makes_neither_state_nor_keys(files):
    files.load(GATE)

    assert sorted(path.name for path in files.folder.iterdir()) == [
        "gate.keys",
        "gate.toml",
    ]


def test_the_file_is_named_by_argument_environment_or_habit(files, monkeypatch):
    monkeypatch.chdir(files.folder)
    for name in ("gate", "other", "third"):
        files.write(f"{name}.toml", GATE + f'name = "{name}"')
    other = {"TOTP_GATE_CONFIG": "other.toml"}

    assert load_config("third.toml", environ=other).gate.name == "third"
    assert load_config(environ=other).gate.name == "other"
    assert load_config(environ={"TOTP_GATE_CONFIG": ""}).gate.name == "gate"


def test_nothing_can_be_changed_once_it_is_read(files):
    config = files.load(GATE)

    with pytest.raises(ValidationError):
        config.session.idle = 5
    with pytest.raises(ValidationError):
        config.gate = config.gate


def test_plain_http_is_accepted_where_it_is_meant(files):
    config = files.load(
        '[gate]\norigin = "http://127.0.0.1:8000"\ninsecure_http = true'
    )

    assert config.gate.insecure_http
    assert config.origins[0].port == 8000


def test_networks_and_the_unix_socket_can_be_trusted(files):
    proxies = '["10.0.0.0/8", "::1", "unix", "127.0.0.1"]'
    config = files.load(GATE + f"trusted_proxies = {proxies}")

    assert config.gate.trusted_proxies == (
        "10.0.0.0/8",
        "::1/128",
        "unix",
        "127.0.0.1/32",
    )


def test_the_audit_and_its_command_are_counted_from_the_file(files):
    files.write("notify", "#!/bin/sh\n", mode=0o700)
    config = files.load(GATE + '[audit]\nfile = "a.log"\ncommand = ["notify", "-x"]\n')

    assert config.audit.file == str(files.folder / "a.log")
    assert config.audit.command == (str(files.folder / "notify"), "-x")
    assert config.audit.command_events == told_events()


@pytest.mark.parametrize("place", ["-", "syslog:", "syslog:local0"])
def test_the_audit_need_not_be_a_file(files, place):
    assert files.load(GATE + f'[audit]\nfile = "{place}"').audit.file == place


@pytest.mark.parametrize("name", ["X-Forwarded-User", "X-WEBAUTH-USER", "User"])
def test_headers_that_applications_expect_can_be_chosen(files, name):
    config = files.load(GATE + f'[identity]\nuser = "{name}"')

    assert config.identity.user == name


def test_a_byte_order_mark_and_dos_lines_do_not_matter(files):
    config = files.load("\ufeff" + GATE.replace("\n", "\r\n"))

    assert config.origins[0].host == "app.example.com"


USER = GATE + f'[[users]]\nname = " ALICE "\npassword_hash = "{GOOD_HASH}"\n'


def test_a_user_of_the_file_is_a_user(files):
    (user,) = files.load(
        USER
        + f'totp_secret = "{GOOD_SECRET}"\ngroups = ["staff", "ops"]\n'
        + 'display = "Alice Ä"\nemail = "alice@example.com"\ndisabled = true\n'
    ).file_users()

    assert user.name == "alice"
    assert user.password_hash == GOOD_HASH
    assert user.totp_secret == parse_secret(GOOD_SECRET)
    assert user.groups == ("staff", "ops")
    assert user.display == "Alice Ä"
    assert user.email == "alice@example.com"
    assert user.disabled
    assert user.source == "file"


def test_secrets_can_be_in_files_of_their_own(files):
    files.write("a.hash", f"{GOOD_HASH}\n")
    files.write("a.totp", f"{GOOD_SECRET}\n", mode=0o400)
    (user,) = files.load(
        GATE + '[[users]]\nname = "a"\n'
        'password_hash_file = "a.hash"\ntotp_secret_file = "a.totp"\n'
    ).file_users()

    assert user.password_hash == GOOD_HASH
    assert user.totp_secret == parse_secret(GOOD_SECRET)


def test_users_in_one_list_are_read_like_tables(files):
    user = f'{{name = "a", password_hash = "{GOOD_HASH}"}}'
    config = files.load(f"users = [{user}]\n{GATE}")

    assert [user.name for user in config.file_users()] == ["a"]


@pytest.mark.parametrize(
    ("name", "text", "section", "key", "value"),
    [
        pytest.param("SESSION__IDLE", "30m", "session", "idle", 1800, id="a duration"),
        pytest.param("SERVER__WORKERS", "5", "server", "workers", 5, id="a number"),
        pytest.param("SECOND_FACTOR__DIGITS", "8", "second_factor", "digits", 8, id="a choice of numbers"),
        pytest.param("GATE__NAME", "123", "gate", "name", "123", id="a text of digits"),
        pytest.param("GATE__PREFIX", "/door", "gate", "prefix", "/door", id="a text"),
        pytest.param("GATE__TRUSTED_PROXIES", "10.0.0.0/8, unix", "gate", "trusted_proxies", ("10.0.0.0/8", "unix"), id="a list with commas"),
        pytest.param("GATE__TRUSTED_PROXIES", '["::1/128"]', "gate", "trusted_proxies", ("::1/128",), id="a list as JSON"),
        pytest.param("GATE__TRUSTED_PROXIES", "", "gate", "trusted_proxies", (), id="an empty list"),
        pytest.param("GATE__ORIGIN", "https://b.example", "gate", "origin", (parse_origin("https://b.example"),), id="an origin"),
        pytest.param("UPSTREAM__URL", "http://c.example", "upstream", "url", "http://c.example", id="a section that is not there"),
    ],
)  # fmt: skip
def test_the_environment_goes_over_the_file(files, name, text, section, key, value):
    config = files.load(GATE + '[session]\nidle = "1h"', {f"TOTP_GATE__{name}": text})

    assert getattr(getattr(config, section), key) == value


@pytest.mark.parametrize("text", ["true", "1", "Yes", "on"])
def test_the_environment_can_say_yes(files, text):
    environ = {
        "TOTP_GATE__GATE__INSECURE_HTTP": text,
        "TOTP_GATE__GATE__ORIGIN": "http://localhost",
    }

    assert files.load(GATE, environ).gate.insecure_http


def test_every_single_setting_has_a_name_in_the_environment(files):
    environ = {
        f"TOTP_GATE__{section}__{key}".upper(): "\0"
        for section, field in Config.model_fields.items()
        for key in getattr(section_of(field.annotation), "model_fields", ())
    }
    text = "\n".join(reason for _, reason in files.problems(GATE, environ))

    assert len(environ) > 30
    assert "is no setting" not in text


@pytest.mark.parametrize(
    ("name", "text", "key", "word"),
    [
        pytest.param("TOTP_GATE__SESION__IDLE", "1h", "TOTP_GATE__SESION__IDLE", "TOTP_GATE__SESSION__IDLE?", id="misspelt"),
        pytest.param("TOTP_GATE__session__idle", "1h", "TOTP_GATE__session__idle", "TOTP_GATE__SESSION__IDLE?", id="small letters"),
        pytest.param("TOTP_GATE__", "1", "TOTP_GATE__", "unset it", id="no name"),
        pytest.param("TOTP_GATE_SESSION_IDLE", "1h", "TOTP_GATE_SESSION_IDLE", "TOTP_GATE__SESSION__IDLE?", id="single lines"),
        pytest.param("TOTP_GATE_CONFG", "a", "TOTP_GATE_CONFG", "TOTP_GATE_CONFIG?", id="a misspelt file"),
        pytest.param("TOTP_GATE", "a", "TOTP_GATE", "unset it", id="our name"),
        pytest.param("TOTP_GATE__USERS__0__NAME", "x", "TOTP_GATE__USERS__0__NAME", "into the file", id="a user"),
        pytest.param("TOTP_GATE__SESSION__IDLE", "1w", "session.idle (TOTP_GATE__SESSION__IDLE)", "write it like", id="no duration"),
        pytest.param("TOTP_GATE__SESSION__IDLE", "30", "session.idle (TOTP_GATE__SESSION__IDLE)", '"30s"', id="no unit"),
        pytest.param("TOTP_GATE__SERVER__WORKERS", "two", "server.workers (TOTP_GATE__SERVER__WORKERS)", "whole number", id="no number"),
        pytest.param("TOTP_GATE__GATE__INSECURE_HTTP", "maybe", "gate.insecure_http (TOTP_GATE__GATE__INSECURE_HTTP)", "true or false", id="no truth"),
        pytest.param("TOTP_GATE__GATE__TRUSTED_PROXIES", "[1", "gate.trusted_proxies (TOTP_GATE__GATE__TRUSTED_PROXIES)", "list", id="no JSON"),
        pytest.param("TOTP_GATE__GATE__ORIGIN", "[1]", "gate.origin (TOTP_GATE__GATE__ORIGIN)", "origin", id="a list of numbers"),
        pytest.param("TOTP_GATE__UPSTREAM__HOST", "upstream", "upstream.url", "missing", id="half a section"),
    ],
)  # fmt: skip
def test_a_bad_name_or_value_in_the_environment_is_refused(
    files, name, text, key, word
):
    ((found, reason),) = files.problems(GATE, {name: text})

    assert found == key
    assert word in reason


@pytest.mark.parametrize(
    "name",
    [
        "SESSION__IDLE",
        "TOTP_GATE_CONFIG",
        "TOTP_GATE_METRICS_DIR",
        "TOTP_GATE_SERVICE_HOST",
        "TOTP_GATE_SERVICE_PORT_HTTP",
        "TOTP_GATE_PORT",
        "TOTP_GATE_PORT_8000_TCP_ADDR",
    ],
)
def test_other_names_of_the_environment_mean_nothing(files, name):
    assert files.load(GATE, {name: "x"}).session.idle == 3600


def test_a_misspelt_name_is_told_where_the_file_is_not_found(files):
    with pytest.raises(ConfigError) as caught:
        load_config(files.folder / "absent.toml", environ={"TOTP_GATE_CONFG": "x"})

    assert [key for key, _ in caught.value.problems][1] == "TOTP_GATE_CONFG"


SECRETS = ["canary-hash", "canary-secret", "canary-filed"]


def test_no_secret_is_shown_in_a_message(files):
    files.write("a.totp", "canary-filed")
    problems = files.problems(
        GATE
        + '[[users]]\nname = "a"\npassword_hash = "canary-hash"\n'
        + 'totp_secret = "canary-secret"\ntotp_secret_file = "a.totp"\n'
        + '[[users]]\nname = "b"\npassword_hash = ["canary-hash"]\ntotp_secret = 3\n'
    )
    text = str(problems)

    assert len(problems) == 5
    assert [secret for secret in SECRETS if secret in text] == []


def test_no_secret_hangs_on_the_error(files):
    from totp_gate.errors import ConfigError

    files.write("gate.toml", GATE + '[[users]]\npassword_hash = "canary-hash"\n')

    with pytest.raises(ConfigError) as caught:
        load_config(files.folder / "gate.toml", environ={})

    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_no_secret_is_shown_by_the_settings_or_their_users(files):
    files.write("a.totp", GOOD_SECRET)
    config = files.load(USER + 'totp_secret_file = "a.totp"')
    shown = f"{config!r} {config} {config.users!r} {config.file_users()!r}"

    assert "alice" in shown
    assert GOOD_HASH not in shown
    assert GOOD_SECRET not in shown
    assert str(parse_secret(GOOD_SECRET)) not in shown


def test_every_setting_is_described():
    silent = [
        name
        for name, field in Config.model_fields.items()
        if not field.description
        or not all(
            each.description
            for each in getattr(
                section_of(field.annotation), "model_fields", {}
            ).values()
        )
    ]

    assert silent == []


def test_keys_may_be_reached_through_a_link(files):
    (files.folder / "gate.keys").rename(files.folder / "real.keys")
    (files.folder / "gate.keys").symlink_to("real.keys")

    config = files.load(GATE)

    assert stat.S_ISREG(config.keys_file.stat().st_mode)


def test_a_list_of_breached_passwords_is_one(files):
    settings = GATE + '[password]\nbreached_file = "list"\n'
    ((key, reason),) = files.problems(settings)
    assert key == "password.breached_file (line 4)"
    assert "make it, or correct the path" in reason

    files.write("list", "F" * 40 + ":1\n" + "0" * 40 + ":2\n")
    ((key, reason),) = files.problems(settings)
    assert key == "password.breached_file (line 4)"
    assert "not in order" in reason

    files.write("list", "0" * 40 + ":2\n" + "F" * 40 + ":1\n")
    assert files.load(settings).password.breached() is not None
    assert files.load(GATE).password.breached() is None
