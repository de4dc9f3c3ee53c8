"""nginx with the printed configuration, in front of the gate and an application."""

from __future__ import annotations

import ipaddress
import ssl
import time
from datetime import UTC, datetime, timedelta
from http.client import HTTPSConnection

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.integration.asking import Asking
from tests.integration.fronts import Front, statuses_without_the_gate, until_refused

CACHE_SECONDS = 5
FEED_SECONDS = 1


@pytest.fixture(scope="module")
def front(tmp_path_factory, program):
    program("nginx")
    with Front(tmp_path_factory.mktemp("nginx"), "nginx") as front:
        yield front


@pytest.fixture(scope="module")
def alice(front):
    return front.sign_in(front.person("alice"))


class TestNginx(Asking):
    """nginx keeps the contract."""


def test_an_ambiguous_path_is_refused(front, alice):
    front.app.heads.clear()

    for target in ("/public/..%2fpage", "/public/%2e%2e/page", "/public/%252e%252e/x"):
        assert front.ask(target, visitor=alice).status in {400, 403}
    assert front.app.heads == []


def test_the_end_of_a_session_is_felt_within_the_seconds_of_the_cache(front):
    visitor = front.sign_in(front.person("short"))
    assert front.ask("/page", visitor=visitor).status == 200
    front.installation.accounts.store.end_sessions("short")

    assert until_refused(front, visitor) < CACHE_SECONDS + FEED_SECONDS + 10


def test_answers_are_repeated_but_for_the_same_request_only(front, alice):
    asked = ["/repeat", "/repeat?x", "/repeat/"]
    for target in asked:
        front.ask(target, visitor=alice)
    begun = time.monotonic()
    front.gate.kill()
    try:
        repeated = [front.ask(target, visitor=alice).status for target in asked]
        took = time.monotonic() - begun
        others = [
            front.ask("/repeat").status,
            front.ask("/repeat", method="POST", visitor=alice).status,
            front.ask("/repeat", "Origin: https://evil.example", visitor=alice).status,
            front.ask("/repeat", "Gate-Token: tg_x", visitor=alice).status,
            front.ask("/repeat", "Gate-Held: x", visitor=alice).status,
            front.ask("/repeat", "X-HTTP-Method: GET", visitor=alice).status,
            front.ask("/repeat", "X-HTTP-Method-Override: 0", visitor=alice).status,
            front.ask("/repeat", "X-Method-Override: GET", visitor=alice).status,
            front.ask("/repeat", "Authorization: Basic x", visitor=alice).status,
            front.ask("/repeat", "Upgrade: websocket", visitor=alice).status,
            front.ask("/repeat", "Destination: /x", visitor=alice).status,
            front.ask("/other", visitor=alice).status,
        ]
    finally:
        front.gate.start()

    # What is older is not repeated: a machine that stands still proves nothing here.
    assert repeated == [200, 200, 200] or took > CACHE_SECONDS / 2
    assert set(others) == {500}


def test_an_answer_is_not_repeated_for_long_by_a_gate_that_is_gone(front, alice):
    front.ask("/page", visitor=alice)
    front.gate.kill()
    try:
        took = until_refused(front, alice)
    finally:
        front.gate.start()

    assert took < CACHE_SECONDS + 10


@pytest.mark.parametrize("sign", ["|", "", "-", ":", "/"])
def test_no_two_requests_share_an_answer(front, sign):
    """A key of cookie, origin, method and target could be put together in two ways."""
    key = sign.join(["", front.origin, "GET", ""])
    assert front.ask(f"/public/a?{key}/page").status == 200
    front.app.heads.clear()

    assert front.ask("/page", f"Cookie: {key}/public/a?").status != 200
    assert front.app.heads == []


def test_a_dead_gate_is_a_closed_one(front, alice):
    assert statuses_without_the_gate(front, alice) == {500}
    assert front.app.heads == []


def test_a_form_that_met_the_end_of_a_session_is_sent_once_later(front):
    writer = front.person("writer")
    visitor = front.sign_in(writer)
    front.installation.accounts.store.end_sessions("writer")
    front.app.heads.clear()

    kept = visitor.post("/comment?id=1", text="long " * 2000)
    assert kept.status == 303
    assert kept.headers["Gate-Held"]
    asked = visitor.submit(kept.location, username="writer", password=writer.password)
    code = front.installation.code(writer, steps=1)
    assert visitor.submit(asked.location, code=code).location == "/_gate/held"
    assert front.app.heads == []
    answer = visitor.submit("/_gate/held", act="send")

    assert answer.status == 200
    assert answer.text.startswith("10005\nPOST /comment?id=1 ")
    assert len(front.app.heads) == 1


def test_over_https_the_cookie_is_bound_to_its_host(tmp_path, program):
    program("nginx")
    certificate = certify(tmp_path)
    trust = ssl.create_default_context(cafile=str(certificate))
    with Front(tmp_path, "nginx", certificate=certificate) as front:
        browser = front.installation.sign_in(front.person("alice"))
        cookie = browser.get_cookie("__Host-totp_gate", domain="127.0.0.1")
        statuses = []
        for headers in ({}, {"Cookie": f"__Host-totp_gate={cookie.value}"}):
            connection = HTTPSConnection("127.0.0.1", front.port, context=trust)
            connection.request("GET", "/", headers=headers | {"Accept": "text/html"})
            answer = connection.getresponse()
            statuses.append((answer.status, answer.getheader("Location")))
            connection.close()

        assert statuses == [(303, "/_gate/login"), (200, None)]
        assert front.received()["X-Forwarded-Proto"] == "https"
        assert front.received()["Remote-User"] == "alice"


def certify(folder):
    """Write a certificate for loopback, and its key beside it; return the former."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "a.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    path.with_suffix(".key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path
