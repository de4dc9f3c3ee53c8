"""The assertion an application gets, and the verifiers that its documentation shows."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django.conf
import flask
import jwt
import pytest
from django.core.handlers.wsgi import WSGIRequest
from werkzeug import test
from werkzeug.test import create_environ

from tests.applications import echo
from totp_gate.core.assertion import Claims, Signer
from totp_gate.core.keys import new_line
from totp_gate.testing import Client, Clock, Installation, submit

ON = '[identity]\nassertion = "Gate-Assertion"\n'
RULES = """
[password]
min_length = 15
[[rules]]
name = "public"
paths = ["/public"]
policy = "public"
[[rules]]
name = "feed"
paths = ["/feed"]
policy = "one-factor"
[[rules]]
name = "fresh"
paths = ["/fresh"]
max_age = "10m"
"""
ORIGIN = "https://app.example.com"
OTHER = "https://other.example.com"
KEY = "HTTP_GATE_ASSERTION"


def install(folder, app=echo, settings=ON + RULES, **known):
    """Return a gate whose clock is a little behind, as those who verify look at theirs."""
    return Installation(app, folder, settings, clock=Clock(time.time() - 45), **known)


@pytest.fixture
def gate(tmp_path):
    made = install(tmp_path, gate={"origin": [ORIGIN, OTHER]})
    yield made
    made.accounts.store.close()


@pytest.fixture
def alice(gate):
    return gate.add_user("alice", groups=["staff", "ops"], display="Alice Ä")


@pytest.fixture
def browser(gate, alice):
    return gate.sign_in(alice)


def published(gate):
    return jwt.PyJWKSet.from_dict(gate.client().get("/_gate/jwks.json").json)


def claims(gate, token, audience=ORIGIN):
    key = published(gate)[jwt.get_unverified_header(token)["kid"]]
    checked = {"audience": audience, "issuer": ORIGIN, "leeway": 60}
    return jwt.decode(token, key, ["EdDSA"], **checked)


def test_it_says_who_asks_and_how_that_was_proven(gate, browser):
    said = claims(gate, browser.get("/").json[KEY])

    session = gate.accounts.store.sessions("alice")[0]
    assert said["sub"] == "alice"
    assert said["groups"] == ["staff", "ops"]
    assert (said["name"], said["email"]) == ("Alice Ä", "")
    assert (said["acr"], said["amr"]) == ("two-factor", ["pwd", "otp", "mfa"])
    assert said["auth_time"] == int(session.second_factor_at)
    assert said["exp"] - said["iat"] == 60
    assert said["sid"] == session.id[:12]


def begin(gate, alice):
    """Type the password in a new browser; return it, and where the code is asked for."""
    browser = gate.client()
    named = {"username": "alice", "password": alice.password}
    return browser, submit(browser, "/_gate/login", **named).headers["Location"]


def test_a_recovery_code_is_no_one_time_password(gate, alice):
    code = gate.accounts.recovery.renew("alice", now=gate.clock())[0]
    browser, _ = begin(gate, alice)
    submit(browser, "/_gate/recovery", code=code)

    said = claims(gate, browser.get("/").json[KEY])

    assert (said["acr"], said["amr"]) == ("two-factor", ["pwd", "mfa"])


def test_a_trusted_browser_is_no_one_time_password_until_one_is_typed(tmp_path):
    settings = ON + RULES + '[second_factor]\ntrusted_device = "30d"\n'
    gate = install(tmp_path, settings=settings)
    gate.clock.tick(-700)
    alice = gate.add_user("alice")
    browser, page = begin(gate, alice)
    submit(browser, page, code=gate.code(alice), trust_device="yes")
    gate.accounts.store.end_sessions("alice")
    gate.clock.tick(700)
    submit(browser, "/_gate/login", username="alice", password=alice.password)
    passed = claims(gate, browser.get("/").json[KEY])
    fresh = "/_gate/second-factor?next=/fresh"
    submit(browser, fresh, code=gate.code(alice))
    typed = claims(gate, browser.get("/").json[KEY])
    gate.accounts.store.close()

    assert (passed["acr"], passed["amr"]) == ("two-factor", ["pwd", "mfa"])
    assert (typed["acr"], typed["amr"]) == ("two-factor", ["pwd", "otp", "mfa"])


def test_a_password_alone_is_not_more(gate, alice):
    reader = gate.client()
    submit(reader, "/_gate/login?next=/feed", username="alice", password=alice.password)

    said = claims(gate, reader.get("/feed").json[KEY])

    assert (said["acr"], said["amr"]) == ("one-factor", ["pwd"])


def test_a_program_has_proven_nothing_lately(gate, alice):
    text, _ = gate.accounts.app_tokens.make(
        "alice", "cron", now=gate.clock(), expires=gate.clock() + 3600
    )

    said = claims(gate, gate.client().get("/", headers={"Gate-Token": text}).json[KEY])

    assert (said["acr"], said["amr"]) == ("app-token", [])
    assert "auth_time" not in said


@pytest.mark.parametrize(
    "name",
    ["Gate-Assertion", "gate_assertion", "Gate.Assertion", "GATE~ASSERTION"],
)
@pytest.mark.parametrize("path", ["/public", "/"])
def test_what_a_visitor_sends_is_gone(gate, browser, path, name):
    key = "HTTP_" + name.upper().replace("-", "_")
    forged = {"environ_overrides": {key: "forged"}}

    known = browser.get(path, **forged).json
    assert "forged" not in known.values()
    assert claims(gate, known[KEY])["sub"] == "alice"
    if path == "/public":
        nobody = gate.client().get(path, **forged).json
        assert "forged" not in nobody.values()
        assert nobody[KEY] == ""


def test_one_is_used_again_while_enough_of_its_life_is_left(gate, browser):
    first = browser.get("/").json[KEY]
    gate.clock.tick(19)
    assert browser.get("/x").json[KEY] == first
    gate.clock.tick(1)
    later = browser.get("/").json[KEY]

    assert later != first
    assert claims(gate, later)["exp"] == claims(gate, first)["exp"] + 20


def test_none_from_the_future_is_used_when_the_clock_is_set_back(gate, browser):
    first = claims(gate, browser.get("/").json[KEY])
    gate.clock.tick(-30)

    assert claims(gate, browser.get("/").json[KEY])["iat"] == first["iat"] - 30


def test_each_origin_gets_its_own(gate, alice, browser):
    there = gate.sign_in(alice, gate.client(OTHER)).get("/").json[KEY]
    here = browser.get("/").json[KEY]

    assert claims(gate, here)["aud"] == ORIGIN
    assert claims(gate, there, audience=OTHER)["aud"] == OTHER
    with pytest.raises(jwt.InvalidAudienceError):
        claims(gate, there)


def test_a_rotation_breaks_nothing(gate, browser):
    old = browser.get("/").json[KEY]
    keys = gate.folder / "gate.keys"
    keys.write_text(new_line("2026-02-02") + "\n" + keys.read_text())
    gate.restart()
    kept = Client(gate.gate)
    kept.origin = ORIGIN
    session = browser.get_cookie("__Host-totp_gate", domain="app.example.com")
    kept.set_cookie(session.key, session.value, domain="app.example.com", secure=True)

    new = kept.get("/").json[KEY]

    kids = [jwt.get_unverified_header(token)["kid"] for token in (old, new)]
    assert kids[0] != kids[1]
    assert len(published(gate).keys) == 2
    assert claims(gate, old)["sub"] == claims(gate, new)["sub"] == "alice"


def test_without_the_setting_there_is_neither_assertion_nor_key(tmp_path):
    gate = Installation(echo, tmp_path)
    browser = gate.sign_in(gate.add_user("alice"))

    assert KEY not in browser.get("/").json
    assert gate.client().get("/_gate/jwks.json").status_code == 404
    gate.accounts.store.close()


def test_the_keys_may_be_asked_for_by_any_name(gate):
    answer = test.Client(gate.gate).get(
        "/_gate/jwks.json", base_url="http://127.0.0.1:8000"
    )

    assert answer.status_code == 200
    assert answer.mimetype == "application/jwk-set+json"
    assert "d" not in answer.json["keys"][0]


# The verifiers that the documentation shows

PAGE = Path(__file__).resolve().parents[2] / "docs" / "identity.md"
FLASK, DJANGO, PROXY = re.findall(
    r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL
)


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        """Say nothing."""


def in_flask(code):
    app = flask.Flask("documented")
    exec(code, {"app": app, "request": flask.request, "g": flask.g, "jwt": jwt})
    app.add_url_rule("/", view_func=lambda: f"user={flask.g.user}")
    return app


def in_django(code):
    if not django.conf.settings.configured:
        django.conf.settings.configure(ALLOWED_HOSTS=["*"])
    known = {"jwt": jwt}
    exec(code, known)
    middleware = known["assertion"](lambda request: f"user={request.gate_user}")

    def app(environ, start_response):
        text = middleware(WSGIRequest(environ))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [text.encode()]

    return app


def behind_a_proxy(code):
    known = {"jwt": jwt}
    exec(code, known)

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"user={environ['REMOTE_USER']}".encode()]

    return known["verified"](app)


@pytest.fixture(
    params=[(in_flask, FLASK), (in_django, DJANGO), (behind_a_proxy, PROXY)],
    ids=["flask", "django", "proxy"],
)
def documented(request, tmp_path):
    """A gate in front of an application that verifies, and that application alone.

    The keys come over HTTP, from a server on another port.
    """
    make, code = request.param
    parts = {}
    gate = install(tmp_path, lambda *asked: parts["app"](*asked))
    with make_server("127.0.0.1", 0, gate.gate, handler_class=_Quiet) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        url = f"http://127.0.0.1:{server.server_port}"
        parts["app"] = make(code.replace("http://127.0.0.1:8000", url))
        yield gate, parts["app"]
        server.shutdown()
        serving.join()
    gate.accounts.store.close()


def refused(app, sent):
    """Tell whether *app* answers with an error, or raises it to its server."""
    environ = create_environ("/", headers=sent)
    try:
        return test.Client(app).open(environ).status_code == 500
    except (jwt.PyJWTError, KeyError):
        return True


@pytest.mark.server
def test_a_documented_verifier_knows_who_asks(documented):
    gate, _ = documented

    assert gate.sign_in(gate.add_user("alice")).get("/").text == "user=alice"


@pytest.mark.server
def test_a_documented_verifier_lets_nobody_in_who_was_not_named_by_the_gate(documented):
    gate, app = documented
    seeds = gate.accounts.ring.derive("assertion")
    now = time.time()
    told = Claims(issuer=ORIGIN, audience=ORIGIN, user="alice", level="two-factor")
    right = Signer(seeds).sign(told, now=now)
    kid = next(iter(seeds))
    stolen = Claims(issuer=ORIGIN, audience=OTHER, user="alice", level="two-factor")
    forged = {
        "another key": Signer({kid: bytes(range(32))}).sign(told, now=now),
        "an unknown key": Signer({"kxxxx": bytes(range(32))}).sign(told, now=now),
        "expired": Signer(seeds).sign(told, now=now - 61),
        "for another origin": Signer(seeds).sign(stolen, now=now),
        "unsigned": jwt.encode({"sub": "alice"}, "", "none", headers={"kid": kid}),
        "a shared secret": jwt.encode(
            {"sub": "alice"}, "x" * 32, "HS256", headers={"kid": kid}
        ),
        "empty": "",
        "cut": right[:-4],
    }

    assert not refused(app, {"Gate-Assertion": right})
    assert refused(app, {})
    for what, token in forged.items():
        assert refused(app, {"Gate-Assertion": token}), what
