"""Several hosts behind one gate: a cookie is good at its own and nowhere else."""

from __future__ import annotations

import pytest

from tests.applications import echo
from totp_gate.testing import Client, Installation, submit

HOME = "https://app.example.com"
WIKI = "https://wiki.example.com"
PROXY = "10.0.0.2"
SESSION = "__Host-totp_gate"
VISITOR = {"X-Forwarded-For": "192.0.2.7"}


@pytest.fixture
def several(tmp_path):
    """A gate that answers for two hosts, and for one of them at another port too."""
    origins = [HOME, WIKI, f"{WIKI}:8443"]
    made = Installation(
        echo, tmp_path, gate={"origin": origins, "trusted_proxies": [PROXY]}
    )
    yield made
    made.accounts.store.close()


@pytest.fixture
def alice(several):
    return several.add_user("alice")


@pytest.fixture
def cookie(several, alice):
    """What Alice shows at the wiki, where she has signed in."""
    browser = several.sign_in(alice, several.client(WIKI))
    value = browser.get_cookie(SESSION, domain="wiki.example.com").value
    return f"{SESSION}={value}"


def show(installation, cookie, origin, page="/"):
    """Ask for *page* with *cookie* as whoever has copied it would."""
    thief = Client(installation.gate, use_cookies=False)
    thief.origin = origin
    return thief.get(page, headers={"Cookie": cookie})


def test_a_cookie_is_nobody_at_another_host(several, cookie):
    for _ in range(2):  # what is remembered is remembered for its host
        assert show(several, cookie, WIKI).status_code == 200
        assert show(several, cookie, HOME).status_code == 303
        assert show(several, cookie, HOME, "/_gate/account").status_code == 303


def test_a_cookie_shown_first_elsewhere_is_nobody_there(several, cookie):
    assert show(several, cookie, HOME).status_code == 303
    assert show(several, cookie, WIKI).status_code == 200


def test_a_cookie_is_good_at_every_port_of_its_host_since_browsers_send_it(
    several, cookie
):
    assert show(several, cookie, f"{WIKI}:8443").status_code == 200


@pytest.mark.parametrize(
    ("page", "told"),
    [
        (
            "/_gate/auth/nginx",
            lambda host: {
                "X-Original-URL": f"https://{host}/",
                "X-Original-Method": "GET",
            },
        ),
        (
            "/_gate/auth/forward",
            lambda host: {
                "X-Forwarded-Method": "GET",
                "X-Forwarded-Proto": "https",
                "X-Forwarded-Host": host,
                "X-Forwarded-Uri": "/",
            },
        ),
    ],
    ids=["nginx", "forward"],
)
def test_a_web_server_that_asks_names_the_host_that_counts(several, cookie, page, told):
    asking = Client(several.gate, use_cookies=False)
    peer = {"REMOTE_ADDR": PROXY}

    def ask(host, origin):
        sent = VISITOR | told(host) | {"Cookie": cookie, "Accept": "*/*"}
        return asking.get(page, headers=sent, base_url=origin, environ_base=peer)

    for origin in (HOME, WIKI):  # whatever name the web server itself uses
        assert ask("wiki.example.com", origin).status_code == 200
        assert ask("app.example.com", origin).status_code == 401


def test_a_form_ends_no_session_of_another_host(several, alice, cookie):
    home = several.sign_in(alice)
    home.set_cookie(SESSION, cookie.partition("=")[2], domain="app.example.com")
    assert home.get("/").status_code == 303

    several.sign_in(alice, home)

    assert show(several, cookie, WIKI).status_code == 200


def test_signing_out_ends_it_at_every_port(several, alice):
    browser = several.sign_in(alice, several.client(WIKI))
    value = browser.get_cookie(SESSION, domain="wiki.example.com").value
    submit(browser, "/_gate/logout")

    assert show(several, f"{SESSION}={value}", f"{WIKI}:8443").status_code == 303
