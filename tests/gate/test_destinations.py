"""A request that copies or moves has two addresses, and both are judged (RFC 4918)."""

from __future__ import annotations

import math

import pytest

from tests.applications import echo
from totp_gate.testing import Installation

ORIGIN = "https://app.example.com"
RULES = """
[[rules]]
name = "alices"
paths = ["/dav/alice/*"]
policy = "two-factor"
users = ["alice"]
[[rules]]
name = "bobs"
paths = ["/dav/bob/*"]
policy = "two-factor"
users = ["bob"]
[[rules]]
name = "fresh"
paths = ["/dav/fresh/*"]
policy = "two-factor"
max_age = "10m"
[[rules]]
name = "open"
paths = ["/open/*"]
policy = "public"
"""
HERE = "/dav/alice/x"
ALLOWED = [
    "/dav/alice/y",
    f"{ORIGIN}/dav/alice/y",
    "https://APP.example.com:443/dav/alice/%79",
    f"{ORIGIN}/dav/other",
    "/open/y",
]
REFUSED = [
    "/dav/bob/x",
    f"{ORIGIN}/dav/bob/x",
    f"{ORIGIN}/dav/alice/../bob/x",
    "/dav/alice/%2e%2e/bob/x",
    "/dav/%62ob/x",
    "//dav/bob/x",
    "/dav/bob;v=1/x",
]
UNCLEAR = [
    "",
    "x",
    "../bob/x",
    "https://elsewhere.example/dav/alice/y",
    "https://app.example.com@elsewhere.example/dav/alice/y",
    "//elsewhere.example\\/dav/alice/y",
    "ftp://app.example.com/dav/alice/y",
    f"{ORIGIN}/dav/alice/y{ORIGIN}/dav/bob/x\0",
    "/dav/alice/y#x",
    "/dav/alice/" + "y" * 9000,
]


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    made = Installation(echo, tmp_path_factory.mktemp("destinations"), RULES)
    yield made
    made.accounts.store.close()


@pytest.fixture(scope="module")
def alice(house):
    return house.sign_in(house.add_user("alice"))


def ask(browser, there, *, here=HERE, method="MOVE", **headers):
    """Ask *here* for what names *there*, too."""
    sent = {"Destination": there, "Accept": "application/json", **headers}
    return browser.open(here, method=method, headers=sent)


def move(browser, there, **more):
    """Return the status of the answer, and whether the application was asked."""
    before = echo.calls
    status = ask(browser, there, **more).status_code
    return status, echo.calls > before


@pytest.mark.parametrize("method", ["MOVE", "COPY", "GET"])
@pytest.mark.parametrize("there", ALLOWED)
def test_where_both_are_allowed_it_arrives_as_it_came(alice, there, method):
    answer = ask(alice, there, method=method)

    assert answer.status_code == 200
    assert answer.json["HTTP_DESTINATION"] == there


@pytest.mark.parametrize("method", ["MOVE", "COPY", "GET"])
@pytest.mark.parametrize("there", REFUSED)
def test_nothing_is_put_where_it_could_not_be_put_directly(alice, there, method):
    status, asked = move(alice, there, method=method)

    assert not asked
    assert status in {400, 403}


@pytest.mark.parametrize("there", UNCLEAR, ids=range(len(UNCLEAR)))
def test_what_is_no_address_of_this_origin_is_refused(alice, there):
    status, asked = move(alice, there)

    assert not asked
    assert 400 <= status < 500


def test_nothing_that_was_permitted_before_stands_for_the_second_address(alice):
    for _ in range(3):
        assert move(alice, "/dav/alice/y", method="GET") == (200, True)
        assert alice.get(HERE).status_code == 200
        assert move(alice, "/dav/bob/x", method="GET") == (403, False)


def test_a_stranger_copies_from_open_to_open_only(house):
    assert move(house.client(), "/open/y", here="/open/x") == (200, True)
    assert move(house.client(), "/dav/alice/y", here="/open/x") == (401, False)


def test_a_fresh_code_is_asked_for_there_too(house, alice):
    assert move(alice, "/dav/fresh/y") == (200, True)
    house.clock.tick(601)

    assert move(alice, "/dav/fresh/y") == (401, False)
    assert move(alice, "/dav/alice/y") == (200, True)


def test_the_scope_of_a_token_holds_for_both(house, alice):
    tokens, now = house.accounts.app_tokens, house.clock()
    text, _ = tokens.make(
        "alice", "dav", now=now, expires=math.inf, paths=("/dav/alice/*",)
    )
    program = house.client()

    for _ in range(2):
        assert move(program, "/dav/alice/y") == (401, False)
        sent = {"Gate-Token": text}
        assert move(program, "/dav/alice/y", **sent) == (200, True)
        assert move(program, "/dav/other", **sent) == (403, False)


@pytest.mark.parametrize("page", ["nginx", "forward"])
@pytest.mark.parametrize(("there", "status"), [("/dav/bob/x", 403), (HERE, 200)])
def test_a_web_server_is_told_the_same(tmp_path, page, there, status):
    gate = {"trusted_proxies": ["127.0.0.1"]}
    house = Installation(echo, tmp_path, RULES, gate=gate)
    browser = house.sign_in(house.add_user("alice"))
    told = {
        "nginx": {"X-Original-URL": f"{ORIGIN}{HERE}", "X-Original-Method": "MOVE"},
        "forward": {
            "X-Forwarded-Method": "MOVE",
            "X-Forwarded-Uri": HERE,
            "X-Forwarded-Host": "app.example.com",
        },
    }
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}
    sent = {**told[page], **forwarded, "Destination": there}

    answer = browser.get(f"/_gate/auth/{page}", headers=sent)
    house.accounts.store.close()

    assert answer.status_code == status
