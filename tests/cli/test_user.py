"""``user``: people come, change and go."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

import totp_gate.cli
from tests.cli.conftest import PASSWORD, Terminal
from totp_gate.accounts.guessing import Visitor
from totp_gate.core.passwords import Passwords, Profile
from totp_gate.core.signing import digest
from totp_gate.model import Browser, Session, User
from totp_gate.telemetry.inventory import EVENTS
from totp_gate.testing import write_settings

CLI = Path(totp_gate.cli.__file__).parent

HASH = Passwords(Profile.cheap_for_tests()).hash(PASSWORD)
IN_FILE = f"""
[[users]]
name = "carol"
password_hash = '{HASH}'
groups = ["staff"]
"""


def stored(terminal: Terminal, name: str) -> User | None:
    accounts = terminal.open()
    try:
        return accounts.store.user(name)
    finally:
        accounts.store.close()


def purpose(terminal: Terminal, link: str) -> str | None:
    """What the link is good for; None: nothing (any more)."""
    accounts = terminal.open()
    secret = link.rpartition("/enroll/")[2]
    found = accounts.enrollment.look_up(secret, now=terminal.clock())
    accounts.store.close()
    return found and found.purpose


def sign_in(terminal: Terminal, name: str) -> None:
    accounts = terminal.open()
    user = accounts.store.user(name)
    now = terminal.clock()
    accounts.store.add_session(
        Session(
            id=digest(f"{name}{now}"),
            user=name,
            created=now,
            seen=now,
            password_at=now,
            second_factor_at=now,
            credential=user.credential if user else "",
        )
    )
    accounts.store.close()


def sessions(terminal: Terminal) -> list[str]:
    return [each["user"] for each in terminal.json("session", "list")]


def test_a_new_user_gets_a_link_to_enroll(terminal: Terminal):
    words = ["--group", "staff", "--group", "ops", "--email", "bob@example.com"]
    told = terminal.json("user", "add", "  Bob ", *words)

    assert told["name"] == "bob"
    assert told["link"].startswith("https://app.example.com/_gate/enroll/")
    assert purpose(terminal, told["link"]) == "password-and-authenticator"
    user = stored(terminal, "bob")
    assert user is not None
    assert (user.display, user.email, user.groups) == (
        "Bob",
        "bob@example.com",
        ("staff", "ops"),
    )


def test_the_secret_of_a_link_is_not_in_the_state(terminal: Terminal):
    secret = terminal.json("user", "add", "bob")["link"].rpartition("/")[2]

    octets = b"".join(each.read_bytes() for each in terminal.folder.glob("gate.db*"))
    assert secret.encode() not in octets


def test_a_link_is_good_as_long_as_was_said(terminal: Terminal):
    link = terminal.json("user", "add", "bob", "--valid", "30m")["link"]
    terminal.clock.tick(29 * 60)
    assert purpose(terminal, link)

    terminal.clock.tick(61)
    assert purpose(terminal, link) is None


def test_a_user_with_a_password_enrolls_only_an_authenticator(terminal: Terminal):
    words = ["user", "add", "bob", "--password-stdin"]
    told = terminal.json(*words, input=PASSWORD + "\n")

    assert purpose(terminal, told["link"]) == "authenticator"
    user = stored(terminal, "bob")
    assert user is not None
    assert user.password_hash is not None
    accounts = terminal.open()
    assert accounts.passwords.verify(user.password_hash, PASSWORD).right
    accounts.store.close()


def test_a_weak_password_is_refused_with_the_reason(terminal: Terminal):
    words = ["user", "add", "bob", "--password-stdin"]
    complaint = terminal.refused(*words, input="password\n")

    assert "most common passwords" in complaint
    assert stored(terminal, "bob") is None


def test_no_link_is_made_where_none_is_wanted(terminal: Terminal):
    assert "link" not in terminal.do("user", "add", "bob", "--no-link")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("ALICE", "there is a user called alice", id="another spelling"),
        pytest.param("\u0430lice", "mixes Cyrillic and Latin", id="mixed scripts"),
        pytest.param("carol", "there is a user called carol (file)", id="in the file"),
    ],
)
def test_a_name_that_is_taken_or_looks_so_is_refused(
    alice: Terminal, name: str, words: str
):
    write_settings(alice.folder, IN_FILE)
    result = alice.run("user", "add", name)

    assert result.exit_code in {1, 2}
    assert words in result.stderr


def test_a_name_that_only_looks_taken_is_refused(terminal: Terminal):
    terminal.do("user", "add", "\u0430\u0440\u0440\u0435", "--no-link")  # all Cyrillic

    assert "looks like" in terminal.refused("user", "add", "appe")


def test_users_of_both_places_are_listed(alice: Terminal):
    write_settings(alice.folder, IN_FILE)
    alice.do("user", "add", "bob", "--no-link")

    listed = {each["name"]: each for each in alice.json("user", "list")}

    assert {name: each["source"] for name, each in listed.items()} == {
        "alice": "store",
        "bob": "store",
        "carol": "file",
    }
    states = {name: each["state"] for name, each in listed.items()}
    assert states["alice"] == "ready"
    assert states["bob"] == "has no password"
    assert states["carol"] == "has no authenticator"
    table = alice.do("user", "list").splitlines()
    assert table[0].split() == ["NAME", "DISPLAY", "GROUPS", "KEPT", "IN", "STATE"]
    assert len(table) == 4


def test_everything_of_a_user_is_shown_but_no_secret(alice: Terminal):
    sign_in(alice, "alice")
    shown = alice.json("user", "show", "Alice")

    assert shown["state"] == "ready"
    assert shown["password"] is True
    assert shown["password_scheme"] == "argon2id"
    assert len(shown["sessions"]) == 1
    assert shown["authenticators"][0]["name"] == "Phone"
    assert shown["events"][0]["event"] == "user-added"
    text = alice.do("user", "show", "alice")
    assert "Phone (totp" in text
    for told in (text, str(shown)):
        assert "$argon2id" not in told
        assert "s1.k" not in told


def test_only_browsers_that_stand_for_a_code_are_shown_as_trusted(alice: Terminal):
    write_settings(alice.folder, '[second_factor]\ntrusted_device = "30d"\n')
    accounts = alice.open()
    user = accounts.store.user("alice")
    for agent, trust in (("Known", False), ("Trusted", True)):
        visitor = Visitor(address="192.0.2.9", agent=agent)
        accounts.browsers.remember(None, user, visitor, now=alice.clock(), trust=trust)
    accounts.store.close()

    shown = alice.json("user", "show", "alice")

    assert [each["agent"] for each in shown["trusted_browsers"]] == ["Trusted"]
    text = alice.do("user", "show", "alice")
    assert "192.0.2.9  Trusted" in text
    assert "Known" not in text


def test_sessions_tokens_and_links_that_are_open_are_shown(alice: Terminal):
    accounts = alice.open()
    now = alice.clock()
    accounts.store.add_session(
        Session(
            id="ab" * 32,
            user="alice",
            created=now - 60,
            seen=now,
            password_at=now,
            address="192.0.2.7",
            agent="Firefox \x1b[31m",
        )
    )
    accounts.store.close()
    alice.do("token", "create", "alice", "backup", "--path", "/files/*")
    alice.do("user", "link", "alice", "--valid", "2h")

    shown = alice.json("user", "show", "alice")
    text = alice.do("user", "show", "alice")

    assert shown["sessions"][0]["address"] == "192.0.2.7"
    assert [each["name"] for each in shown["tokens"]] == ["backup"]
    assert [each["purpose"] for each in shown["links"]] == ["authenticator"]
    assert shown["links"][0]["expires"].startswith("20")
    for told in ("192.0.2.7  Firefox", "backup (/files/*)", "good until"):
        assert told in text
    assert "\x1b" not in text

    alice.clock.tick(7201)
    assert alice.json("user", "show", "alice")["links"] == []


def test_the_list_and_the_one_shown_say_the_same_by_the_same_name(alice: Terminal):
    (listed,) = alice.json("user", "list")
    shown = alice.json("user", "show", "alice")

    same = [name for name in listed if name != "authenticators"]
    assert {name: shown[name] for name in same} == {n: listed[n] for n in same}


def test_what_is_named_is_set_and_the_rest_stays(alice: Terminal):
    sign_in(alice, "alice")
    words = ["user", "set", "alice"]
    first = alice.json(*words, "--group", "staff", "--group", "ops")
    assert first["groups"] == ["staff", "ops"]

    second = alice.json(*words, "--display", "Alice A.", "--email", "a@example.com")

    assert second["groups"] == ["staff", "ops"]
    assert (second["display"], second["email"]) == ("Alice A.", "a@example.com")
    assert sessions(alice) == ["alice"]
    assert alice.json(*words, "--no-group", "--email", "")["groups"] == []
    user = stored(alice, "alice")
    assert user is not None
    assert (user.groups, user.email, user.display) == ((), "", "Alice A.")
    event = alice.json("user", "show", "alice")["events"][0]
    assert event["event"] == "user-changed"
    assert "groups: none; new email" in event["detail"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        pytest.param([], "Say what changes", id="nothing"),
        pytest.param(["--group", "a", "--no-group"], "contradict", id="both"),
        pytest.param(["--email", "nobody"], "no e-mail address", id="no address"),
        pytest.param(["--group", "a,b"], "comma", id="no group"),
    ],
)
def test_what_makes_no_sense_is_not_set(
    alice: Terminal, words: list[str], complaint: str
):
    before = stored(alice, "alice")

    assert complaint in alice.refused("user", "set", "alice", *words, code=2)
    assert stored(alice, "alice") == before


def test_a_link_that_was_not_used_can_be_withdrawn(alice: Terminal):
    link = alice.json("user", "link", "alice")["link"]

    assert alice.do("user", "link", "alice", "--withdraw") == "alice: link withdrawn\n"

    assert purpose(alice, link) is None
    newest = alice.json("user", "show", "alice")["events"][0]
    assert newest["event"] == "link-withdrawn"
    assert "no link" in alice.refused("user", "link", "alice", "--withdraw")


def test_a_link_does_not_come_back_with_who_was_disabled(alice: Terminal):
    link = alice.json("user", "link", "alice")["link"]
    alice.do("user", "disable", "alice")
    alice.do("user", "enable", "alice")

    assert purpose(alice, link) is None


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        pytest.param(["disable", "alice"], {"disabled": True}, id="disable"),
        pytest.param(["enable", "alice"], {"disabled": False}, id="enable"),
        pytest.param(["unlock", "alice"], {"forgiven": False}, id="unlock"),
        pytest.param(["passwd", "alice", "--password-stdin"], {}, id="passwd"),
        pytest.param(["remove", "alice", "--yes"], {"removed": True}, id="remove"),
    ],
)
def test_what_was_done_is_told_to_programs_too(
    alice: Terminal, words: list[str], fields: dict[str, object]
):
    told = alice.json("user", *words, input="tofu-lake-river-9\n")

    assert told["name"] == "alice"
    assert fields.items() <= told.items()


def test_a_link_keeps_the_password_unless_told_otherwise(alice: Terminal):
    first = alice.json("user", "link", "alice")["link"]
    assert purpose(alice, first) == "authenticator"

    second = alice.json("user", "link", "alice", "--new-password")["link"]
    assert purpose(alice, second) == "password-and-authenticator"


def test_a_new_link_kills_the_one_before(alice: Terminal):
    first = alice.json("user", "link", "alice")["link"]
    second = alice.json("user", "link", "alice")["link"]

    assert purpose(alice, first) is None
    assert purpose(alice, second)


def test_a_new_password_ends_the_sessions(alice: Terminal):
    sign_in(alice, "alice")
    alice.do("user", "passwd", "alice", "--password-stdin", input="tofu-lake-river-9\n")

    assert sessions(alice) == []
    accounts = alice.open()
    user = accounts.store.user("alice")
    assert user is not None
    assert accounts.passwords.verify(user.password_hash, "tofu-lake-river-9").right
    accounts.store.close()


def test_without_a_terminal_a_password_comes_from_standard_input(alice: Terminal):
    assert "--password-stdin" in alice.refused("user", "passwd", "alice", code=2)


def test_a_disabled_user_is_out_and_comes_back(alice: Terminal):
    sign_in(alice, "alice")
    alice.do("user", "disable", "alice")
    assert sessions(alice) == []
    assert alice.json("user", "show", "alice")["state"] == "disabled"

    alice.do("user", "enable", "alice")
    assert alice.json("user", "show", "alice")["state"] == "ready"


def test_what_somebody_of_the_settings_file_left_can_be_removed(alice: Terminal):
    text = alice.path.read_text()
    write_settings(alice.folder, IN_FILE)
    alice.do("token", "create", "carol", "script")
    alice.path.write_text(text)
    alice.refused("user", "show", "carol")
    assert [one["user"] for one in alice.json("token", "list")] == ["carol"]

    assert alice.do("user", "remove", "Carol", "--yes") == "carol: removed\n"

    assert alice.json("token", "list") == []
    assert "no user called carol" in alice.refused("user", "remove", "carol", "--yes")


def test_a_removed_user_takes_everything_along(alice: Terminal):
    sign_in(alice, "alice")
    alice.refused("user", "remove", "alice", code=2)
    assert alice.json("user", "show", "alice")["authenticators"]

    alice.do("user", "remove", "alice", "--yes")

    assert sessions(alice) == []
    assert alice.json("user", "list") == []
    assert "no user called alice" in alice.refused("user", "show", "alice")


def test_who_lost_the_second_factor_starts_anew_with_the_password(alice: Terminal):
    sign_in(alice, "alice")
    told = alice.json("user", "reset-second-factor", "alice")

    assert told["authenticators_removed"] == 1
    assert purpose(alice, told["link"]) == "authenticator"
    assert sessions(alice) == []
    shown = alice.json("user", "show", "alice")
    assert shown["authenticators"] == []
    assert shown["password_scheme"] == "argon2id"


def test_a_password_that_got_out_is_void_at_once(alice: Terminal):
    sign_in(alice, "alice")
    told = alice.json("user", "reset-password", "alice")

    assert purpose(alice, told["link"]) == "password-and-authenticator"
    assert sessions(alice) == []
    shown = alice.json("user", "show", "alice")
    assert shown["password"] is False
    assert len(shown["authenticators"]) == 1
    assert "password-reset" in [one["event"] for one in shown["events"]]


def test_failed_attempts_are_forgiven(alice: Terminal):
    accounts = alice.open()
    visitor = Visitor(address="192.0.2.7")
    for _ in range(40):
        accounts.guessing.begin(
            "password", "alice", visitor, known=True, now=alice.clock()
        )
    accounts.store.close()
    assert alice.json("user", "show", "alice")["state"] == "too many attempts"

    assert "forgiven" in alice.do("user", "unlock", "alice")
    assert alice.json("user", "show", "alice")["state"] == "ready"
    assert "no failed attempts" in alice.do("user", "unlock", "alice")


@pytest.mark.parametrize(
    "words",
    [
        ["disable", "carol"],
        ["set", "carol", "--no-group"],
        ["enable", "carol"],
        ["remove", "carol", "--yes"],
        ["passwd", "carol", "--password-stdin"],
        ["link", "carol", "--new-password"],
    ],
    ids=lambda words: words[0],
)
def test_users_of_the_settings_file_are_changed_there(
    terminal: Terminal, words: list[str]
):
    write_settings(terminal.folder, IN_FILE)
    complaint = terminal.refused("user", *words, input=PASSWORD + "\n")

    assert "gate.toml" in complaint
    assert "[[users]]" in complaint


def test_users_of_the_settings_file_enroll_by_link(terminal: Terminal):
    write_settings(terminal.folder, IN_FILE)
    told = terminal.json("user", "link", "carol")

    assert purpose(terminal, told["link"]) == "authenticator"


def test_an_authenticator_of_the_settings_file_is_reset_there(terminal: Terminal):
    secret = terminal.do("otp", "secret").strip()
    write_settings(terminal.folder, IN_FILE + f'totp_secret = "{secret}"\n')

    complaint = terminal.refused("user", "reset-second-factor", "carol")
    assert "remove totp_secret" in complaint
    assert secret not in complaint


@pytest.mark.parametrize(
    "words",
    [
        ["show", "nobody"],
        ["link", "nobody"],
        ["passwd", "nobody", "--password-stdin"],
        ["disable", "nobody"],
        ["set", "nobody", "--no-group"],
        ["enable", "nobody"],
        ["unlock", "nobody"],
        ["remove", "nobody", "--yes"],
        ["reset-second-factor", "nobody"],
        ["reset-password", "nobody"],
    ],
    ids=lambda words: words[0],
)
def test_who_is_not_there_is_not_found(terminal: Terminal, words: list[str]):
    complaint = terminal.refused("user", *words, input=PASSWORD + "\n")

    assert "there is no user called nobody" in complaint


def test_what_was_done_is_written_into_the_audit(alice: Terminal):
    write_settings(alice.folder, '[audit]\nfile = "audit.log"\n')
    result = alice.run(
        "user", "passwd", "alice", "--password-stdin", input="tofu-lake-9"
    )

    assert result.exit_code == 0
    assert result.stderr == ""
    lines = (alice.folder / "audit.log").read_text().splitlines()
    written = [json.loads(line) for line in lines]
    assert [(each["event"], each["user"]) for each in written] == [
        ("password-set", "alice")
    ]
    assert "tofu-lake-9" not in lines[0]
    newest = alice.json("user", "show", "alice")["events"][0]
    assert newest["event"] == "password-set"


def test_the_audit_does_not_stand_between_the_results(alice: Terminal):
    result = alice.run("user", "disable", "alice")

    assert (result.stdout, result.stderr) == ("alice: disabled\n", "")


def test_every_event_of_a_command_is_in_the_inventory():
    source = "".join(path.read_text() for path in CLI.glob("*.py"))
    names = re.findall(r'\.record\(\s*[^,]+,\s*"([^"]+)"', source)
    names += ["user-disabled", "user-enabled"]

    assert len(names) > 10
    assert set(names) <= set(EVENTS)


def test_who_has_a_stale_hash_is_listed_alone(alice: Terminal):
    people = "bob:$2b$04$" + "a" * 53 + "\n"
    alice.do("user", "import", "-", input=people)
    alice.do("user", "add", "dora", "--no-link")
    write_settings(alice.folder, IN_FILE)

    listed = alice.json("user", "list", "--stale-hash")

    assert [(one["name"], one["stale_hash"]) for one in listed] == [("bob", True)]
    table = alice.do("user", "list", "--stale-hash").splitlines()
    assert [line.split()[0] for line in table] == ["NAME", "bob"]


def test_who_has_to_wait_is_listed_alone(terminal: Terminal):
    terminal.do("user", "add", "alice")
    terminal.do("user", "add", "bob")
    accounts = terminal.open()
    visitor = Visitor(address="192.0.2.7")
    for _ in range(6):
        accounts.guessing.begin(
            "password", "bob", visitor, known=True, now=terminal.clock()
        )
    accounts.store.close()

    listed = terminal.json("user", "list", "--locked")

    assert [one["name"] for one in listed] == ["bob"]


def test_who_locked_their_own_browser_is_listed_and_unlocked(alice: Terminal):
    accounts, now = alice.open(), alice.clock()
    accounts.store.add_browser(
        Browser(
            id="f00d",
            user="alice",
            current="x",
            rotated=now,
            created=now,
            expires=now + 86_400,
        )
    )
    for _ in range(11):
        accounts.guessing.begin(
            "code", "alice", Visitor(device="f00d"), known=True, now=now
        )
    accounts.store.close()

    listed = alice.json("user", "list", "--locked")
    assert [one["name"] for one in listed] == ["alice"]
    assert alice.json("user", "show", "alice")["waits"] == {"browser": 4}
    assert "waits: browser 4 s" in alice.do("user", "show", "alice")

    assert "forgiven" in alice.do("user", "unlock", "alice")
    assert alice.json("user", "list", "--locked") == []


def test_a_lock_without_end_is_shown_as_one(alice: Terminal):
    accounts = alice.open()
    for number in range(100):
        alice.clock.tick(900)
        visitor = Visitor(address=f"192.0.2.{number}")
        accounts.guessing.begin(
            "password", "alice", visitor, known=True, now=alice.clock()
        )
    accounts.store.close()
    alice.clock.tick(30 * 86_400)

    assert alice.json("user", "show", "alice")["waits"] == {"password": None}
    assert "waits: password until unlocked" in alice.do("user", "show", "alice")


def test_a_password_that_was_stolen_somewhere_is_refused(alice: Terminal):
    stolen = "plover-meridian-quartz-71"
    digest = hashlib.sha1(stolen.encode()).hexdigest().upper()
    (alice.folder / "stolen.txt").write_text(f"{digest}:3\r\n")
    write_settings(alice.folder, '[password]\nbreached_file = "stolen.txt"\n')
    words = ("user", "passwd", "alice", "--password-stdin")

    assert "was stolen from some site" in alice.refused(*words, input=stolen + "\n")
    alice.do(*words, input=stolen + "-2\n")
