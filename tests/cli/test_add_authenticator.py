"""``user add-authenticator``: hardware tokens, and secrets from elsewhere."""

from __future__ import annotations

import pytest

from tests.cli.conftest import PASSWORD, Terminal
from totp_gate.core import otp
from totp_gate.model import Session
from totp_gate.testing import write_settings

SECRET = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U"
KEY = otp.parse_secret(SECRET)
ADD = ["user", "add-authenticator", "alice", "--secret-stdin"]


def spent(terminal: Terminal, code: str) -> str | None:
    """Return the kind of the authenticator of alice that *code* was right for."""
    accounts = terminal.open()
    user = accounts.directory.find("alice")
    found = accounts.factors.spend(user, code, now=terminal.clock())
    accounts.store.close()
    return found and found.kind


@pytest.mark.parametrize(
    ("words", "text"),
    [
        pytest.param([], SECRET, id="base32"),
        pytest.param([], SECRET.lower(), id="base32 in small letters"),
        pytest.param(["--hex"], KEY.hex(), id="hexadecimal"),
        pytest.param([], f"hex:{KEY.hex()}", id="hexadecimal that says so"),
        pytest.param(["--hex"], f"hex:{KEY.hex()}", id="hexadecimal, said twice"),
    ],
)
def test_codes_of_a_device_are_right_from_then_on(
    alice: Terminal, words: list[str], text: str
):
    told = alice.json(*ADD, "--name", "Key fob", *words, input=text + "\n")

    assert told["authenticator"]["name"] == "Key fob"
    assert told["authenticator"]["kind"] == "totp"
    params = otp.Params()
    code = otp.code_at(KEY, otp.step_at(alice.clock(), params), params)
    assert spent(alice, code) == "totp"
    assert spent(alice, code) is None


def test_a_counter_goes_on_where_it_stands(alice: Terminal):
    alice.do(*ADD, "--hotp", "--counter", "100", input=SECRET)

    params = otp.Params()
    assert spent(alice, otp.code_at(KEY, 99, params)) is None
    assert spent(alice, otp.code_at(KEY, 100, params)) == "hotp"
    assert spent(alice, otp.code_at(KEY, 100, params)) is None


def test_a_device_may_have_codes_of_another_shape(alice: Terminal):
    shape = ["--digits", "8", "--period", "60", "--algorithm", "SHA256"]
    alice.do(*ADD, *shape, input=SECRET)

    params = otp.Params(digits=8, period=60, algorithm="SHA256")
    code = otp.code_at(KEY, otp.step_at(alice.clock(), params), params)
    assert spent(alice, code) == "totp"


@pytest.mark.parametrize("period", [otp.SHORTEST_PERIOD - 1, otp.LONGEST_PERIOD + 1])
def test_no_device_may_be_quicker_or_slower_than_any(alice: Terminal, period):
    words = [*ADD, "--period", str(period)]

    assert "--period" in alice.refused(*words, code=2, input=SECRET)


def test_what_began_before_it_ends(alice: Terminal):
    accounts = alice.open()
    now = alice.clock()
    accounts.store.add_session(
        Session(id="a" * 64, user="alice", created=now, seen=now, password_at=now)
    )
    accounts.store.close()

    alice.do(*ADD, input=SECRET)

    assert alice.json("session", "list") == []
    newest = alice.json("user", "show", "alice")["events"][0]
    assert (newest["event"], newest["outcome"]) == ("enrollment", "success")
    assert SECRET not in str(newest)


@pytest.mark.parametrize(
    ("words", "text", "complaint"),
    [
        pytest.param([], "MFRGGZDFMZTWQ2LK", "16 to 128 bytes", id="80 bits"),
        pytest.param([], "no secret!", "base32", id="no secret"),
        pytest.param([], "", "expected on standard input", id="none"),
        pytest.param(
            [], "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "everybody knows", id="an example"
        ),
        pytest.param(["--counter", "7"], SECRET, "--hotp", id="a counter of a clock"),
    ],
)
def test_what_cannot_be_used_changes_nothing(
    alice: Terminal, words: list[str], text: str, complaint: str
):
    said = alice.refused(*ADD, *words, input=text + "\n", code=2)

    assert complaint in said
    assert len(alice.json("user", "show", "alice")["authenticators"]) == 1


def test_one_secret_is_not_good_twice(alice: Terminal):
    alice.do(*ADD, input=SECRET)

    assert "already" in alice.refused(*ADD, "--hotp", input=SECRET)
    assert len(alice.json("user", "show", "alice")["authenticators"]) == 2


def test_a_user_of_the_settings_file_has_it_too(alice: Terminal):
    accounts = alice.open()
    hashed = accounts.passwords.hash(PASSWORD)
    accounts.store.close()
    write_settings(
        alice.folder, f"[[users]]\nname = 'carol'\npassword_hash = '{hashed}'\n"
    )

    words = ["user", "add-authenticator", "carol", "--secret-stdin"]
    alice.do(*words, input=SECRET)

    assert len(alice.json("user", "show", "carol")["authenticators"]) == 1


def test_without_a_terminal_the_secret_comes_from_standard_input(alice: Terminal):
    assert "--secret-stdin" in alice.refused(*ADD[:-1], code=2)
