"""Two lives behind the gate, and every secret in them by name.

Dora enrolls by a link, mistypes and signs in by each kind of code. Erin does what people
do who are known already: she trusts her browser, goes to another host, sends something
after her session has ended, makes an app token, proves who she is once more, and changes
her password. Whatever servers and visitors said is remembered.
"""

from __future__ import annotations

import base64
import re
import time
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import parse_qs, quote, urlsplit

from tests.integration.house import House
from tests.integration.visitor import Guest
from tests.servers import wait_until
from tests.visitor import Answer
from totp_gate.core import otp
from totp_gate.model import User
from totp_gate.testing import Person

PASSWORD = "canary-Password/with+signs 7"
WRONG = "canary-wrong-Password"
AS_A_NAME = "canary-Password-typed-as-a-name"
ERINS = "canary-Erins/first+password 8"
CHANGED = "canary-Erins/other+password 9"
BODY = "canary of what was being sent"
ADDRESS = "/?canary-query=harmless"
MADE_UP = {
    "made up token": f"tg_{'canary-':X<43}",
    "made up link": f"{'canary-':Y<32}",
    "made up cookie": f"{'canary-':Z<32}.{'canary-':W<43}",
}
RULES = """
[second_factor]
trusted_device = "30d"
[[rules]]
name = "no"
paths = ["/no"]
policy = "deny"
"""


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


@dataclass
class Watched(Guest):
    """A visitor whose answers are kept.

    Attributes:
        answers: all that came, in order, beside ``visited``.
    """

    answers: list[Answer] = field(default_factory=list)

    def _ask(self, method: str, path: str, body: str | None = None) -> Answer:
        answer = super()._ask(method, path, body)
        self.answers.append(answer)
        return answer


class Lives:
    """What people do, and their secrets by name.

    Attributes:
        secrets: what may stand nowhere but where its owner is shown it.
        in_urls: those that are part of an address, once: the link, the code that
            carries a session to another host.
        guests: who asked.
    """

    def __init__(self, house: House) -> None:
        self.house = house
        self.guests: list[Watched] = []
        self.guest = self.visitor()
        self.secrets: dict[str, str | bytes] = {
            "password": PASSWORD,
            "wrong password": WRONG,
            "password as a name": AS_A_NAME,
            "password of Erin": ERINS,
            "changed password": CHANGED,
            "held body": BODY,
            **MADE_UP,
        }
        self.in_urls: dict[str, str] = {}
        self.codes: list[str] = []

    @property
    def link(self) -> str:
        """The one-time link's secret."""
        return self.in_urls["link"]

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
        Erin(self).live()
        self.be_refused()

    def visitor(self, origin: str = "") -> Watched:
        guest = Watched(origin or self.house.origin)
        self.guests.append(guest)
        return guest

    @property
    def answers(self) -> list[tuple[str, Answer]]:
        """Every path that was asked for, with the answer."""
        return [
            (path, answer)
            for guest in self.guests
            for path, answer in zip(guest.visited, guest.answers, strict=True)
        ]

    def enroll_by_link(self) -> None:
        accounts = self.house.installation.accounts
        accounts.store.add_users([User(name="dora", created=time.time())])
        self.in_urls["link"], _ = accounts.enrollment.make_link(
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
        guest = self.visitor()
        login = "/_gate/login?next=/private%3Fcanary-query%3Dharmless"
        assert guest.fill(login, username="dora", password=WRONG).status == 401
        assert guest.fill(login, username=AS_A_NAME, password=WRONG).status == 401
        asked = guest.prove_password("dora", PASSWORD)
        self.codes.append("987654")
        assert guest.fill(asked, code="987654").status == 401

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

    def be_refused(self) -> None:
        """Meet every kind of refusal, with a secret in hand."""
        guest = self.visitor()
        form = {"username": "dora", "password": PASSWORD, "csrf_token": "x"}
        assert guest.post("/_gate/login", **form).status == 403
        assert guest.post("/_gate/login", username=AS_A_NAME).status == 400
        assert guest.post("/_gate/login", password=PASSWORD * 9999).status == 413
        assert guest.get("/no").status == 403
        guest.headers = {"Gate-Token": MADE_UP["made up token"]}
        assert guest.get("/").status == 303
        guest.headers = {
            "Remote-User": WRONG,
            "Host": PASSWORD.split("/", maxsplit=1)[0],
        }
        assert guest.get("/").status == 400
        guest.headers = {}
        value = MADE_UP["made up cookie"]
        guest.cookies = {"totp_gate": value, "totp_gate_device": value}
        assert guest.get("/").status == 303
        assert guest.get("/_gate/login").status == 200
        assert guest.get("/_gate/auth/forward").status == 403

    def code(self, person: Person | None = None, steps: int = 0) -> str:
        person = person or self.person
        code = self.house.installation.code(person, steps=steps)
        self.codes.append(code)
        return code

    def note_cookies(self, when: str, guest: Guest | None = None) -> None:
        for name, value in (guest or self.guest).cookies.items():
            self.secrets[f"cookie {name} {when}"] = value

    def found_in(self, octets: bytes, *, urls: bool = True) -> list[str]:
        """Return the names of the secrets that *octets* give away.

        Args:
            urls: also of those that are part of an address.
        """
        secrets = self.secrets | (self.in_urls if urls else {})
        names = []
        for name, secret in secrets.items():
            raw = secret if isinstance(secret, bytes) else secret.encode()
            if any(each in octets for each in spellings(raw)):
                names.append(name)
        digits = set(re.findall(rb"(?<![\w+/.-])\d{6}(?![\w+/-])", octets))
        codes = [code for code in self.codes if code.encode() in digits]
        return names + [f"code {code}" for code in codes]


class Erin:
    """Somebody who is known already."""

    def __init__(self, lives: Lives) -> None:
        self.lives = lives
        self.house = lives.house
        self.guest = lives.visitor()
        self.person = self.house.installation.add_user("erin", ERINS)
        lives.secrets["seed of Erin"] = self.person.seed

    def live(self) -> None:
        self.sign_in_and_trust()
        self.go_to_the_other_host()
        self.make_a_token()
        self.send_without_a_session()
        self.prove_it_again()
        self.change_the_password()

    def sign_in_and_trust(self) -> None:
        asked = self.guest.prove_password("erin", ERINS)
        # A code of the step before is good until this one ends.
        wait_until(lambda: time.time() % 30 < 25, "the next step")
        code = self.lives.code(self.person, steps=-1)
        answer = self.guest.fill(asked, code=code, trust_device="yes")
        assert answer.status == 303, answer.text
        self.lives.note_cookies("of Erin", self.guest)

    def go_to_the_other_host(self) -> None:
        there = self.lives.visitor(
            self.house.installation.accounts.config.origins[1].text
        )
        answer = there.get("/private")
        for _ in range(9):
            if answer.status != 303:
                break
            goal = urlsplit(answer.location)
            code = parse_qs(goal.query).get("code")
            if code:
                self.lives.in_urls["hand-off code"] = code[0]
            at_home = answer.location.startswith(self.house.origin)
            path = f"{goal.path}?{goal.query}" if goal.query else goal.path
            answer = (self.guest if at_home else there).get(path)
        assert (answer.status, answer.text[:8]) == (200, "erin met")
        assert "hand-off code" in self.lives.in_urls
        self.lives.note_cookies("at the other host", there)

    def make_a_token(self) -> None:
        answer = self.guest.fill(
            "/_gate/account", name="ci", paths="", methods="", networks="", days="30"
        )
        assert answer.status == 303, answer.text
        shown = self.guest.get(answer.location)
        token = re.search(r"tg_[A-Za-z0-9_-]{43}", shown.text)
        assert token is not None, shown.text
        self.lives.secrets["app token"] = token[0]
        program = self.lives.visitor()
        program.headers = {"Authorization": f"Bearer {token[0]}"}
        assert program.get("/").text.startswith("erin met")
        self.house.installation.accounts.store.remove_token(
            self.house.installation.accounts.app_tokens.of("erin")[0].id
        )
        assert program.get("/").status == 303

    def send_without_a_session(self) -> None:
        self.house.installation.accounts.store.end_sessions("erin")
        refused = self.guest.post("/private", text=BODY)
        assert refused.headers["Gate-Held"], refused.headers
        asked = self.guest.get(refused.location)
        answer = self.guest.fill(asked, username="erin", password=ERINS)
        assert answer.status == 303, answer.text
        news = self.guest.get(answer.location)
        onward = re.search(r'href="([^"]+)">Continue<', news.text)
        assert onward is not None, news.text
        held = self.guest.get(unescape(onward[1]))
        assert BODY in held.text, answer.location
        sent = self.guest.fill(held)
        assert sent.text == f"erin wrote {BODY}"
        self.lives.note_cookies("of the trusted browser", self.guest)

    def prove_it_again(self) -> None:
        code = self.lives.code(self.person)
        page = "/_gate/account/confirm"
        answer = self.guest.fill(page, password=ERINS, code=code)
        assert answer.status == 303, answer.text
        self.lives.note_cookies("after another proof", self.guest)

    def change_the_password(self) -> None:
        answer = self.guest.fill(
            "/_gate/account/password",
            current_password=ERINS,
            password=CHANGED,
            password_again=CHANGED,
            code=self.lives.code(self.person, steps=1),
        )
        assert answer.status == 303, answer.text
        self.lives.note_cookies("after a new password", self.guest)
