"""Hashes of htpasswd files that are weak: verified, and only where they are let in."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from totp_gate.core.passwords import (
    Passwords,
    Profile,
    Verdict,
    scheme,
    understands,
)

# Apache HTTP Server 2.4, Password Formats.
APR1 = "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/"
APR1_OF_OPENSSL = "$apr1$qHDFfhPC$nITSVHgYbDAK1Y0acGRnY0"
SHA1 = "{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE="
WRONG = Verdict(right=False)
OPENSSL = shutil.which("openssl")


@pytest.fixture(scope="module")
def passwords() -> Passwords:
    return Passwords(Profile.cheap_for_tests())


@pytest.mark.parametrize("stored", [APR1, APR1_OF_OPENSSL, SHA1])
def test_published_hashes_are_those_of_their_password(passwords, stored):
    assert passwords.verify(stored, "myPassword") == Verdict(right=True, stale=True)
    assert passwords.verify(stored, "mypassword") == WRONG
    assert passwords.verify(stored, "myPassword ") == WRONG


@pytest.mark.skipif(OPENSSL is None, reason="there is no openssl to compare with")
@settings(max_examples=25, deadline=None)
@given(
    password=st.text(
        st.characters(min_codepoint=33, exclude_categories=("Cs", "Cn", "Co")),
        min_size=1,
        max_size=70,
    ).filter(lambda text: not text.startswith("-")),
    salt=st.text("./0123456789ABCXYZabcxyz", min_size=1, max_size=8),
)
def test_apr1_is_what_openssl_makes_of_it(passwords, password, salt):
    made = subprocess.run(
        [OPENSSL, "passwd", "-apr1", "-salt", salt, "-stdin"],
        input=password + "\n",
        capture_output=True,
        text=True,
        check=True,
    )

    assert passwords.verify(made.stdout.strip(), password).right


@pytest.mark.parametrize(
    ("stored", "kind"), [(APR1, "apr1"), (SHA1, "sha1")], ids=["apr1", "sha1"]
)
def test_a_weak_hash_may_stand_for_a_password_only_by_name(stored, kind):
    assert scheme(stored) == kind
    assert not understands(stored)
    assert not understands(stored, {"apr1", "sha1"} - {kind})
    assert understands(stored, {kind})


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param("rqXexS6ZhobKA", id="crypt"),
        pytest.param("$1$Z0S5uoZj$cxKrhEyHbjjG4k4p4x5tm.", id="MD5 of crypt"),
        pytest.param("{SSHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=", id="SSHA"),
        pytest.param("myPassword", id="plain text"),
        pytest.param(APR1[:-1], id="apr1, cut"),
        pytest.param(APR1.replace("r31.....", ""), id="apr1 without salt"),
        pytest.param(APR1.replace("r31.....", "r31......"), id="a longer salt"),
        pytest.param(SHA1[:-2] + "=", id="SHA-1, cut"),
        pytest.param(SHA1 + "\n", id="a line end"),
    ],
)
def test_nothing_else_can_be_allowed(passwords, stored):
    assert not understands(stored, {"apr1", "sha1"})
    assert passwords.verify(stored, "myPassword") == WRONG
