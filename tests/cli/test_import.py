"""``user import``: all users of a file, or none."""

from __future__ import annotations

import bcrypt
import pytest
from werkzeug.security import generate_password_hash

from tests.cli.conftest import PASSWORD, Terminal
from totp_gate.accounts.guessing import Visitor

BCRYPT = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
SCRYPT = generate_password_hash(PASSWORD)
CSV = f"""\ufeffName,Display,email,groups,password_hash
Alice,Alice A.,alice@example.com,staff;ops,{BCRYPT}
bob,,,,
"Carol ""C"" D",,,"staff, ops",{SCRYPT}
"""


def names(terminal: Terminal) -> list[str]:
    return [each["name"] for each in terminal.json("user", "list")]


def test_people_come_from_csv(terminal: Terminal):
    told = terminal.json("user", "import", "-", "--group", "new", input=CSV)

    assert told == {"imported": 3, "read": 3, "with_password": 2, "links": []}
    users = {each["name"]: each for each in terminal.json("user", "list")}
    assert users["alice"]["display"] == "Alice A."
    assert users["alice"]["groups"] == ["staff", "ops", "new"]
    assert users["bob"]["password"] is False
    assert users['carol "c" d']["groups"] == ["staff", "ops", "new"]


def test_people_come_from_htpasswd(terminal: Terminal):
    file = terminal.folder / "htpasswd"
    file.write_text(f"# ours\n\nalice:{BCRYPT}\nbob:{BCRYPT.replace('$2b', '$2y')}\n")

    told = terminal.do("user", "import", str(file))

    assert told == "imported: 2\nwith a password: 2\n"
    assert names(terminal) == ["alice", "bob"]
    accounts = terminal.open()
    for name in ("alice", "bob"):
        user = accounts.store.user(name)
        assert user is not None
        assert accounts.passwords.verify(user.password_hash, PASSWORD).right
    accounts.store.close()


@pytest.mark.parametrize(
    ("stored", "scheme"),
    [
        ("{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "SHA-1 without salt"),
        ("{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "SHA-1 (SSHA)"),
        ("$apr1$Z0S5uoZj$cxKrhEyHbjjG4k4p4x5tm.", "MD5 (apr1)"),
        ("$1$Z0S5uoZj$cxKrhEyHbjjG4k4p4x5tm.", "MD5 (crypt)"),
        ("$5$salt$hash", "SHA-256 (crypt)"),
        ("$6$salt$hash", "SHA-512 (crypt)"),
        ("rqXexS6ZhobKA", "DES (crypt)"),
        ("in the clear", "plain text, or unknown"),
        ("$2b$99$" + "a" * 53, "plain text, or unknown"),
    ],
)
def test_weak_hashes_are_named_and_refused(
    terminal: Terminal, stored: str, scheme: str
):
    complaint = terminal.refused(
        "user", "import", "-", input=f"bob:{BCRYPT}\neve:{stored}\n"
    )

    assert f"line 2: the password hash of eve is {scheme}: make it bcrypt" in complaint
    assert stored not in complaint
    assert names(terminal) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "no user", id="an empty file"),
        pytest.param("name\n", "no user", id="nothing but a heading"),
        pytest.param("name,password\na,b\n", "name the columns", id="clear passwords"),
        pytest.param("name,name\na,b\n", "name the columns", id="a column twice"),
        pytest.param("name,email\nbob\n", "line 2: there are not 2", id="too few"),
        pytest.param("name,email\na,b,c\n", "line 2: there are not 2", id="too many"),
        pytest.param("name;email\na;b\n", "semicolons between the", id="semicolons"),
        pytest.param('"name"\temail\na\tb\n', "tabs between the", id="tabs"),
        pytest.param('name\n"bob\n', "no CSV", id="an open quote"),
        pytest.param("alice\n", "not name:hash", id="no hash"),
        pytest.param("name\nbob\nBOB\n", "line 3: bob is the same", id="twice"),
        pytest.param("name\nb:b\n", "line 2: name holds a colon", id="no name"),
        pytest.param("name\n\x00\n", "line 2: name", id="nothing that is seen"),
        pytest.param("name,email\nbob,bob\n", "line 2: email", id="no address"),
        pytest.param('name,groups\nbob,"a\x07b"\n', "line 2: groups", id="no group"),
    ],
)
def test_a_file_with_mistakes_changes_nothing(
    terminal: Terminal, text: str, words: str
):
    assert words in terminal.refused("user", "import", "-", input=text)
    assert names(terminal) == []


# Apache HTTP Server 2.4, Password Formats: both of "myPassword".
APR1 = "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/"
SHA1 = "{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE="


@pytest.mark.parametrize(
    ("kind", "stored"), [("apr1", APR1), ("sha1", SHA1)], ids=["apr1", "sha1"]
)
def test_a_weak_hash_that_is_allowed_lasts_until_its_owner_signs_in(
    terminal: Terminal, kind: str, stored: str
):
    words = ["user", "import", "-"]
    complaint = terminal.refused(*words, input=f"eve:{stored}\n")
    assert f"--allow-weak {kind}" in complaint

    terminal.do(*words, "--allow-weak", kind, input=f"eve:{stored}\n")
    assert terminal.json("user", "show", "eve")["password_scheme"] == kind
    warned = terminal.json("check")["warnings"]
    (reason,) = [reason for key, reason in warned if "kept" in reason]
    assert "eve" in reason

    house = terminal.open()
    visitor = Visitor(address="192.0.2.7")
    for typed in ("wrong", "myPassword"):
        house.signin.prove_password(
            "eve", typed, visitor, binding="b", now=terminal.clock()
        )
        scheme = terminal.json("user", "show", "eve")["password_scheme"]
        assert scheme == {"wrong": kind, "myPassword": "argon2id"}[typed]
    house.store.close()
    assert all("kept" not in why for _, why in terminal.json("check")["warnings"])


def test_all_that_is_wrong_is_said_at_once(alice: Terminal):
    text = "name,email\nALICE,\nbob\ncarol,carol\ndora,\nDora,\n"

    complaint = alice.refused("user", "import", "-", input=text)

    assert [line.partition(":")[0] for line in complaint.splitlines()[1:]] == [
        "line 2",
        "line 3",
        "line 4",
        "line 6",
    ]
    assert "there is a user called alice (store)" in complaint


def test_all_lines_of_an_htpasswd_file_are_judged(terminal: Terminal):
    complaint = terminal.refused(
        "user", "import", "-", input="bob\neve:secret\ncarol:\n"
    )

    assert "line 1: is not name:hash" in complaint
    assert "line 2: the password hash of eve is plain text" in complaint
    assert "line 3: is not name:hash" in complaint
    assert "For CSV, the first line must name the columns" in complaint


@pytest.mark.parametrize("words", [[], ["--json"]], ids=["text", "json"])
def test_what_is_interrupted_leaves_nobody_behind(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, words: list[str]
):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("totp_gate.stores.sql.users._add_links", interrupted)
        result = terminal.run("user", "import", "-", "--links", *words, input=CSV)

    assert result.exit_code == 1
    assert names(terminal) == []


def test_links_that_cannot_be_printed_leave_nobody_behind(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
):
    def full(text: str = "", *, err: bool = False) -> None:
        if not err:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("totp_gate.cli.joining.click.echo", full)
        complaint = terminal.refused("user", "import", "-", "--links", input=CSV)

    assert "No space left" in complaint
    assert names(terminal) == []


def test_a_name_that_was_taken_meanwhile_voids_the_links(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
):
    terminal.do("user", "add", "bob", "--no-link")
    with monkeypatch.context() as patch:
        patch.setattr("totp_gate.cli.people.taken", lambda parts: {})
        complaint = terminal.refused("user", "import", "-", "--links", input=CSV)

    assert "Nothing was imported; no link above works" in complaint
    assert names(terminal) == ["bob"]


def test_a_file_that_is_no_text_changes_nothing(terminal: Terminal):
    (terminal.folder / "users").write_bytes(b"name\nbob\n\xff\n")

    complaint = terminal.refused("user", "import", str(terminal.folder / "users"))
    assert "not UTF-8 (line 3)" in complaint


def test_who_is_there_already_stops_all(alice: Terminal):
    complaint = alice.refused("user", "import", "-", input="name\nbob\nalice\nALICE2\n")

    assert "alice" in complaint
    assert names(alice) == ["alice"]


def test_many_mistakes_are_counted(terminal: Terminal):
    lines = "".join(f"u{number}:x\n" for number in range(100))
    complaint = terminal.refused("user", "import", "-", input=lines)

    assert "line 20:" in complaint
    assert "line 21:" not in complaint
    assert "... and 80 more" in complaint


def test_a_file_can_be_judged_without_importing_it(terminal: Terminal):
    words = ["user", "import", "-", "--dry-run", "--links"]

    assert "would import: 3" in terminal.do(*words, input=CSV)
    assert names(terminal) == []


def test_everybody_gets_a_link_of_their_own(terminal: Terminal):
    told = terminal.json("user", "import", "-", "--links", input=CSV)

    links = {each["name"]: each for each in told["links"]}
    assert links["bob"]["purpose"] == "password-and-authenticator"
    assert links["alice"]["purpose"] == "authenticator"
    assert len({each["link"] for each in links.values()}) == 3
    assert {each["expires"][:2] for each in links.values()} == {"20"}


def test_links_of_an_import_work(terminal: Terminal):
    told = terminal.do("user", "import", "-", "--links", input=CSV)

    name, link = told.splitlines()[1].split("\t")
    accounts = terminal.open()
    secret = link.rpartition("/")[2]
    found = accounts.enrollment.look_up(secret, now=terminal.clock())
    accounts.store.close()
    assert name == "bob"
    assert found is not None
    assert found.user == "bob"


def test_ten_thousand_users_come_with_progress(terminal: Terminal):
    lines = "name\n" + "".join(f"user{number}\n" for number in range(10_000))
    result = terminal.run("user", "import", "-", "--links", input=lines)

    assert result.stdout.endswith("imported: 10000\nwith a password: 0\n")
    assert result.stdout.count("/enroll/") == 10_000
    assert "read 1000 of 10000" in result.stderr
    assert "made a link for 10000 of 10000" in result.stderr
