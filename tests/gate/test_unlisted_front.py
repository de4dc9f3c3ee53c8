"""A web server in front that is not listed, or does not say all it has to."""

import json

import pytest

from tests.applications import echo
from tests.gate.status import status_pages
from totp_gate.testing import Client, Installation

LOGIN = "/_gate/login"
INSIDE = """\
[[rules]]
name = "open inside"
paths = ["/open"]
networks = ["127.0.0.0/8"]
policy = "public"
[[rules]]
name = "only inside"
paths = ["/only"]
networks = ["127.0.0.0/8"]
policy = "two-factor"
[[rules]]
name = "not from there"
paths = ["/shop"]
networks = ["203.0.113.0/24"]
policy = "deny"
[[rules]]
name = "shop"
paths = ["/shop"]
policy = "public"
"""
AUDIT = '[audit]\nfile = "audit.log"\n'
PROXIED = [
    pytest.param({"X-Forwarded-For": "203.0.113.9"}, id="for"),
    pytest.param({"X-Forwarded-Proto": "https"}, id="proto"),
    pytest.param({"X-Forwarded-Host": "app.example.com"}, id="host"),
    pytest.param({"X-Real-IP": "203.0.113.9"}, id="real ip"),
    pytest.param({"Forwarded": "for=203.0.113.9;proto=https"}, id="forwarded"),
]


@pytest.fixture
def house(tmp_path):
    made = Installation(echo, tmp_path, AUDIT + INSIDE)
    yield made
    made.accounts.store.close()


def ask(house, path, *, peer="127.0.0.1", scheme="http", **headers):
    """Ask as the web server in front does: over plain http, from *peer*."""
    return Client(house.gate, use_cookies=False).get(
        path,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        base_url=f"{scheme}://app.example.com",
        environ_base={"REMOTE_ADDR": peer},
    )


def told(house, event="proxy.unlisted"):
    text = (house.folder / "audit.log").read_text()
    return [
        line for line in map(json.loads, text.splitlines()) if line["event"] == event
    ]


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", ""])
@pytest.mark.parametrize("headers", PROXIED)
def test_a_web_server_here_that_is_not_listed_is_not_this_machine(house, headers, peer):
    assert ask(house, "/_gate/metrics", peer=peer or "127.0.0.1").status_code == 200

    assert ask(house, "/_gate/metrics", peer=peer, **headers).status_code == 404
    assert ask(house, "/open", peer=peer, **headers).status_code == 303
    assert ask(house, "/only", peer=peer, **headers).status_code == 403
    page = ask(house, LOGIN, peer=peer, **headers)
    assert page.status_code == 403
    assert "Only over https" in page.text
    assert "is not listed in trusted_proxies" in page.text


def test_rules_for_this_machine_hold_for_who_is_here(house):
    for _ in range(2):
        assert ask(house, "/open", scheme="https").status_code == 200
        proxied = ask(house, "/open", scheme="https", X_Forwarded_For="127.0.0.1")
        assert proxied.status_code == 303


@pytest.mark.parametrize("headers", PROXIED)
def test_who_may_come_from_a_denied_network_is_denied(house, headers):
    direct = ask(house, "/shop", peer="192.0.2.1", scheme="https")
    proxied = ask(house, "/shop", scheme="https", **headers)

    assert (direct.status_code, proxied.status_code) == (200, 403)


def test_what_keeps_the_gate_from_being_ready_is_not_told_through_it(
    house, monkeypatch
):
    from totp_gate.errors import StoreUnavailable

    def fail():
        raise StoreUnavailable("the state is busy")

    status = status_pages(house)
    monkeypatch.setattr(status, "_checks", {"store": fail})

    assert "busy" in ask(house, "/_gate/readyz").text
    assert "busy" not in ask(house, "/_gate/readyz", X_Real_IP="192.0.2.1").text


def test_the_application_is_not_told_that_its_visitor_is_here(house):
    browser = house.sign_in(house.add_user("alice"))

    seen = browser.get("/", headers={"X-Forwarded-For": "203.0.113.9"}).json

    assert seen["HTTP_X_FORWARDED_FOR"] == "unknown"


@pytest.mark.parametrize("peer", ["127.0.0.1", "172.17.0.1", "fd00::5"])
def test_the_audit_names_the_setting_and_seldom(house, peer):
    for _ in range(3):
        ask(house, LOGIN, peer=peer, X_Forwarded_For="203.0.113.9", X_Real_IP="1.1.1.1")
    house.clock.tick(1800)
    ask(house, LOGIN, peer=peer, X_Forwarded_For="203.0.113.10")
    (line,) = told(house)

    assert line["outcome"] == "failure"
    assert line["address"] == peer
    assert "gate.trusted_proxies" in line["detail"]
    assert "X-Forwarded-For" in line["detail"]
    assert "203.0.113.9" not in line["detail"]


def test_strangers_of_the_internet_are_no_web_server_to_list(house):
    ask(house, LOGIN, peer="203.0.113.9", X_Forwarded_For="127.0.0.1")

    assert told(house) == []


def test_who_forges_from_elsewhere_keeps_their_address(house):
    house.add_user("alice")
    seen = ask(house, "/", peer="198.51.100.7", X_Forwarded_For="127.0.0.1")
    refused = ask(house, "/only", peer="198.51.100.7", X_Forwarded_For="127.0.0.1")

    assert seen.status_code == 303
    assert refused.status_code == 403
    assert told(house, "refused")[-1]["address"] == "198.51.100.7"


class TestListed:
    @pytest.fixture
    def house(self, tmp_path):
        trusted = {"trusted_proxies": ["127.0.0.1"]}
        made = Installation(echo, tmp_path, AUDIT, gate=trusted)
        yield made
        made.accounts.store.close()

    @pytest.mark.parametrize(
        "headers",
        [
            pytest.param({}, id="nothing"),
            pytest.param({"X-Forwarded-For": "203.0.113.9"}, id="no scheme"),
            pytest.param({"X-Forwarded-Proto": "on"}, id="no word we know"),
            pytest.param({"X-Forwarded-Proto": ""}, id="an empty scheme"),
        ],
    )
    def test_one_that_does_not_say_the_scheme_is_told_so_and_not_sent_round(
        self, house, headers
    ):
        page = ask(house, LOGIN, **headers)

        assert page.status_code == 403
        assert "does not say X-Forwarded-Proto" in page.text
        assert told(house) == []

    def test_one_that_says_http_is_sent_to_https(self, house):
        answer = ask(house, LOGIN, X_Forwarded_Proto="http")

        assert answer.status_code == 308
        assert answer.headers["Location"] == f"https://app.example.com{LOGIN}"
