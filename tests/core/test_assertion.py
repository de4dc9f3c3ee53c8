"""Assertions: signed by the newest key, verified by a library that is not the signer's."""

from __future__ import annotations

import subprocess
import sys
import warnings

import jwt
import pytest

from totp_gate.core.assertion import LIFE, Claims, Signer

NOW = 1_800_000_000.5
# RFC 8037, appendix A.1 and A.2: the seed and the public key of RFC 8032, test 1.
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
CLAIMS = Claims(
    issuer="https://a.example",
    audience="https://b.example",
    user="alice",
    groups=("staff", "ops"),
    name="Alice Ä",
    email="a@example.com",
    level="two-factor",
    methods=("pwd", "otp", "mfa"),
    proven=NOW - 100,
    session="3f2a9c1b77d0",
)


def verified(token, signer, **checked):
    keys = jwt.PyJWKSet.from_dict(signer.public)
    key = keys[jwt.get_unverified_header(token)["kid"]]
    options = {"verify_exp": False, "verify_iat": False}
    return jwt.decode(
        token,
        key,
        ["EdDSA"],
        audience="https://b.example",
        issuer="https://a.example",
        options=options,
    )


def test_the_key_of_a_seed_is_that_of_the_standard():
    assert Signer({"old1": SEED}).public == {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "x": PUBLIC,
                "kid": "old1",
                "use": "sig",
                "alg": "EdDSA",
            }
        ]
    }


def test_all_that_is_known_is_stated():
    signer = Signer({"old1": SEED})

    assert verified(signer.sign(CLAIMS, now=NOW), signer) == {
        "iss": "https://a.example",
        "aud": "https://b.example",
        "sub": "alice",
        "groups": ["staff", "ops"],
        "name": "Alice Ä",
        "email": "a@example.com",
        "acr": "two-factor",
        "amr": ["pwd", "otp", "mfa"],
        "auth_time": int(NOW - 100),
        "iat": int(NOW),
        "exp": int(NOW) + LIFE,
        "sid": "3f2a9c1b77d0",
    }


def test_the_newest_key_signs_and_all_are_published():
    old = Signer({"old1": SEED})
    both = Signer({"new1": bytes(range(32)), "old1": SEED})

    token = both.sign(CLAIMS, now=NOW)

    assert jwt.get_unverified_header(token) == {
        "alg": "EdDSA",
        "kid": "new1",
        "typ": "JWT",
    }
    assert verified(token, both)["sub"] == "alice"
    assert verified(old.sign(CLAIMS, now=NOW), both)["sub"] == "alice"


def test_nothing_private_is_published():
    signer = Signer({"old1": SEED, "old2": bytes(range(32))})

    assert len(signer.public["keys"]) == 2
    assert all("d" not in key for key in signer.public["keys"])


def test_a_changed_assertion_is_none():
    signer = Signer({"old1": SEED})
    head, _, signature = signer.sign(CLAIMS, now=NOW).split(".")
    other = signer.sign(Claims(issuer="x", audience="y", user="eve", level=""), now=NOW)

    with pytest.raises(jwt.InvalidSignatureError):
        verified(f"{head}.{other.split('.')[1]}.{signature}", signer)


def test_signing_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Signer({"old1": SEED}).sign(CLAIMS, now=NOW)


def test_a_gate_that_signs_nothing_imports_nothing_for_it():
    code = "import sys, totp_gate.app; sys.exit('joserfc' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
