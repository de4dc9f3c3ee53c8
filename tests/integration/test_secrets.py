"""Canaries: no secret is in the state, in a log line or in a URL."""

from __future__ import annotations

import base64
import json
import re
import time
from html import unescape
from urllib.parse import quote

import pytest

from tests.integration.house import House
from totp_gate.core import otp
from totp_gate.model import User
from totp_gate.testing import Person

PASSWORD = "canary-Password/with+signs 7"
WRONG = "canary-wrong-Password"
AS_A_NAME = "canary-Password-typed-as-a-name"
ADDRESS = "/?canary-query=harmless"


def spellings(secret: bytes) -> set[bytes]:
    """Return how *secret* could be written."""
    coded = {
        base64.b64encode(secret).rstrip(b"="),
        base64.urlsafe_b64encode(secret).rstrip(b"="),
        base64.b32encode(secret).rstrip(b"="),
        secret.hex().encode(),
        quote(secret).encode(),
        quote(secret, safe="").encode(),
        quote(secret).replace("%20", "+").encode(),
    }
    return {secret, *coded, *(each.lower() for each in coded)}


class Life:
    """What one person does, and the secrets of it by name."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.guest = house.visitor()
        self.secrets: dict[str, str | bytes] = {
            "password": PASSWORD,
            "wrong password": WRONG,
            "password as a name": AS_A_NAME,
        }
        self.codes: list[str] = []
        self.link = ""

    def live(self) -> None:
        self.enroll_by_link()
        self.note_cookies("after enrollment")
        self.guest.fill("/_gate/logout")
        self.fail()
        self.sign_in_by_code()
        self.note_cookies("after a code")
        self.guest.fill("/_gate/logout")
        self.sign_in_by_recovery_code()
        self.note_cookies("after a recovery code")

    def enroll_by_link(self) -> None:
        accounts = self.house.installation.accounts
        accounts.store.add_users([User(name="dora", created=time.time())])
        self.link, _ = accounts.enrollment.make_link(
            "dora", "password-and-authenticator", now=time.time()
        )
        begun = self.guest.fill(f"/_gate/enroll/{self.link}")
        page = self.guest.fill(begun, password=PASSWORD, password_again=PASSWORD)
        key = re.search(r'<code class="key">([A-Z2-7 ]+)</code>', page.text)
        assert key is not None, page.text
        seed = otp.parse_secret(key[1])
        self.person = Person("dora", PASSWORD, seed)
        self.secrets["seed"] = seed
        done = self.guest.fill(page, code=self.code())
        assert done.status == 303, done.text
        shown = self.guest.get(done.location)
        found = re.findall(r"<li><code>([^<]+)</code>", shown.text)
        assert len(found) == 10, shown.text
        self.recovery = unescape(found[0])
        for number, each in enumerate(found):
            self.secrets[f"recovery code {number}"] = each
            self.secrets[f"bare recovery code {number}"] = each.replace("-", "")
        assert self.guest.get(ADDRESS).status == 200

    def fail(self) -> None:
        guest = self.house.visitor()
        login = "/_gate/login?next=/private%3Fcanary-query%3Dharmless"
        assert guest.fill(login, username="dora", password=WRONG).status == 401
        assert guest.fill(login, username=AS_A_NAME, password=WRONG).status == 401
        asked = guest.prove_password("dora", PASSWORD)
        self.codes.append("987654")
        assert guest.fill(asked, code="987654").status == 401
        self.guest.visited += guest.visited

    def sign_in_by_code(self) -> None:
        asked = self.guest.prove_password("dora", PASSWORD, "/private?a=b")
        answer = self.guest.fill(asked, code=self.code(steps=1))
        assert answer.status == 303, answer.text
        assert self.guest.get(answer.location).status == 200

    def sign_in_by_recovery_code(self) -> None:
        self.guest.prove_password("dora", PASSWORD)
        answer = self.guest.fill("/_gate/recovery", code=self.recovery)
        assert answer.status == 303, answer.text
        self.guest.get(answer.location)

    def code(self, steps: int = 0) -> str:
        code = self.house.installation.code(self.person, steps=steps)
        self.codes.append(code)
        return code

    def note_cookies(self, when: str) -> None:
        for name, value in self.guest.cookies.items():
            self.secrets[f"cookie {name} {when}"] = value


@pytest.fixture(scope="module")
def life(tmp_path_factory):
    """One person's life behind the gate, lived, with the server still running."""
    folder = tmp_path_factory.mktemp("house")
    settings = "[audit]\nfile = 'audit.log'\n"
    arguments = ["--log-level", "debug"]
    with House(folder, settings=settings, workers=2, arguments=arguments) as house:
        made = Life(house)
        made.live()
        keys = (folder / "gate.keys").read_text().split()
        made.secrets["key of the gate"] = max(keys, key=len)
        yield made


def found_in(octets: bytes, life: Life, *, link: bool = True) -> list[str]:
    """Return the names of the secrets that *octets* give away."""
    secrets = dict(life.secrets)
    if link:
        secrets["link"] = life.link
    names = []
    for name, secret in secrets.items():
        raw = secret if isinstance(secret, bytes) else secret.encode()
        if any(each in octets for each in spellings(raw)):
            names.append(name)
    digits = set(re.findall(rb"(?<!\d)\d{6}(?!\d)", octets))
    return names + [f"code {code}" for code in life.codes if code.encode() in digits]


def test_no_secret_is_in_the_octets_of_the_state(life):
    files = sorted(life.house.folder.glob("gate.db*"))

    assert {"gate.db", "gate.db-wal"} <= {each.name for each in files}
    for each in files:
        assert found_in(each.read_bytes(), life) == [], each.name
    life.house.server.stop()
    assert found_in((life.house.folder / "gate.db").read_bytes(), life) == []


def test_no_secret_is_in_a_line_of_the_audit(life):
    lines = (life.house.folder / "audit.log").read_text()
    events = [json.loads(line)["event"] for line in lines.splitlines()]

    assert {"enrollment", "sign-in.password", "sign-in.code"} <= set(events)
    assert found_in(lines.encode(), life) == []


def test_no_secret_is_on_standard_error_or_in_the_access_log(life):
    lines = life.house.server.stderr

    assert "canary-query=harmless" in lines
    assert life.link in lines
    assert found_in(lines.encode(), life, link=False) == []
    elsewhere = lines.replace(f"/_gate/enroll/{life.link}", "its own address")
    assert found_in(elsewhere.encode(), life) == []


def test_no_secret_is_in_a_url_but_that_of_the_link(life):
    visited = life.guest.visited
    others = [url for url in visited if url != f"/_gate/enroll/{life.link}"]

    assert len(others) < len(visited)
    assert found_in("\n".join(visited).encode(), life, link=False) == []
    assert found_in("\n".join(others).encode(), life) == []


def test_a_secret_would_be_found(life):
    for name, secret in life.secrets.items():
        raw = secret if isinstance(secret, bytes) else secret.encode()
        for each in spellings(raw):
            assert name in found_in(b"before " + each + b" after", life)
    for code in life.codes:
        assert found_in(f"code={code}".encode(), life) == [f"code {code}"]
