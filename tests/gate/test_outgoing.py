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
