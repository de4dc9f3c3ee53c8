"""Tokens count for one purpose, one instance, one spelling."""

import base64
import itertools
import json
import secrets

import pytest
from itsdangerous import URLSafeSerializer

from totp_gate.core.signing import Tokens, digest

KEY = secrets.token_bytes(32)
PURPOSES = [
    "session",
    "login",
    "login-state",
    "form",
    "device",
    "browser",
    "asked",
    "ask",
    "hand-off",
]


@pytest.fixture
def tokens():
    return Tokens([KEY], "instance")


def test_claims_come_back(tokens):
    token = tokens.write("form", {"a": "/login", "t": 5})

    assert tokens.read("form", token) == {"a": "/login", "t": 5}


def test_references_are_distinct_and_long(tokens):
    references = {tokens.reference("session") for _ in range(1000)}

    assert len(references) == 1000
    assert all(len(tokens.verify("session", one)) == 24 for one in references)


@pytest.mark.parametrize(("made", "used"), list(itertools.permutations(PURPOSES, 2)))
def test_no_kind_of_token_stands_in_for_another(tokens, made, used):
    assert tokens.verify(used, tokens.reference(made)) is None
    assert tokens.read(used, tokens.write(made, {"a": 1})) is None


def test_another_installation_with_the_same_key_does_not_believe_it(tokens):
    other = Tokens([KEY], "another")

    assert other.verify("session", tokens.reference("session")) is None


@pytest.mark.parametrize(
    ("made", "used"), [("a", "b"), ("a", ""), ("", "a"), ("a", "a|b"), ("a|b", "a")]
)
def test_what_is_for_one_audience_is_nothing_for_another(tokens, made, used):
    token = tokens.reference("session", made)

    assert tokens.verify("session", token, made) is not None
    assert tokens.verify("session", token, used) is None


def test_no_changed_character_is_believed(tokens):
    token = tokens.reference("session")

    for at in range(len(token)):
        for other in "AB._=-":
            if other != token[at]:
                changed = token[:at] + other + token[at + 1 :]
                assert tokens.verify("session", changed) is None, changed


@pytest.mark.parametrize("tail", ["=", "==", " ", "\n", ".", "A", "\x00", "é"])
def test_another_spelling_of_the_same_token_is_refused(tokens, tail):
    assert tokens.verify("session", tokens.reference("session") + tail) is None


def test_only_one_spelling_of_the_last_character_counts(tokens):
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    token = tokens.reference("session")

    right = [c for c in alphabet if tokens.verify("session", token[:-1] + c)]

    assert right == [token[-1]]


@pytest.mark.parametrize("token", ["", ".", "a.b", "." * 100, "A" * 5000, "é.é"])
def test_nonsense_is_nothing(tokens, token):
    assert tokens.verify("session", token) is None


def test_a_token_without_our_derivation_is_nothing(tokens):
    forged = URLSafeSerializer(KEY, salt="totp_gate|session|v1|instance").dumps("x")
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).decode()

    assert tokens.verify("session", forged) is None
    assert tokens.verify("session", header + ".e30.") is None


def test_an_old_key_verifies_until_it_is_removed():
    old, new = secrets.token_bytes(32), secrets.token_bytes(32)
    token = Tokens([old], "i").reference("session")

    assert Tokens([new, old], "i").verify("session", token) is not None
    assert Tokens([new], "i").verify("session", token) is None


def test_the_newest_key_signs():
    old, new = secrets.token_bytes(32), secrets.token_bytes(32)
    token = Tokens([new, old], "i").reference("session")

    assert Tokens([new], "i").verify("session", token) is not None


def test_a_digest_says_nothing_about_its_token():
    assert digest("token") == digest("token") != digest("other")
    assert "token" not in digest("token")
