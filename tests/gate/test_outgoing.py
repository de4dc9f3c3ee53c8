"""What an application says by another way than its answer is cleaned, too."""

import pytest

from totp_gate.testing import Installation


@pytest.mark.parametrize("signed_in", [True, False], ids=["signed in", "a stranger"])
def test_an_upgrade_sets_no_cookie_of_the_gate(tmp_path, signed_in):
    seen = []

    def application(environ, start_response):
        seen.append(environ["totp_gate.filter_headers"])
        start_response("200 OK", [])
        return []

    rules = "" if signed_in else '[[rules]]\nname = "all"\npolicy = "public"\n'
    installation = Installation(application, tmp_path, rules)
    browser = installation.client()
    if signed_in:
        browser = installation.sign_in(installation.add_user("alice"))
    browser.get("/", headers={"Upgrade": "websocket"})
    installation.accounts.store.close()

    (clean,) = seen
    theirs = ("Set-Cookie", "own=1")
    assert clean([("Set-Cookie", "__Host-totp_gate=evil"), theirs]) == [theirs]


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ('"cookies"', None),
        ('"COOKIES"', None),
        ('"cache"', '"cache"'),
        ('"cache", "cookies", "storage"', '"cache", "storage"'),
        ('"cache","cookies"', '"cache"'),
        ('"*"', '"cache", "storage", "executionContexts"'),
        ('"cookies", "*"', '"cache", "storage", "executionContexts"'),
        ("", None),
    ],
)
@pytest.mark.parametrize("name", ["Clear-Site-Data", "clear-site-data"])
def test_nobody_has_the_browser_clear_the_cookies_of_the_gate(
    tmp_path, name, said, left
):
    def application(_, start_response):
        start_response("200 OK", [("X-Before", "1"), (name, said), ("X-After", "")])
        return [b"ok"]

    rules = '[[rules]]\nname = "all"\npolicy = "public"\n'
    with Installation(application, tmp_path, rules) as installation:
        answer = installation.client().get("/")

    assert answer.headers.get("Clear-Site-Data") == left
    assert (answer.headers["X-Before"], answer.headers["X-After"]) == ("1", "")
