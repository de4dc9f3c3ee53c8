"""Pages for people open in windows: no script of the application reads or sends them.

The application shares the gate's origin, so cookies and form tokens are no obstacle to a
script that it was made to show.
"""

import pytest

from tests.applications import echo
from tests.web.forms import ACCOUNT, forms_on
from totp_gate.testing import Installation

PAGES = [
    *("/", "/login", "/second-factor", "/recovery", "/logout", "/enroll", "/enroll/x"),
    *("/done", "/held", "/account", "/account/confirm", "/account/password"),
    *("/account/recovery-codes", "/account/token"),
]
FOR_PROGRAMS = ["/healthz", "/readyz", "/metrics", "/jwks.json"]


def asked_by(dest, mode="cors"):
    return {
        "Sec-Fetch-Dest": dest,
        "Sec-Fetch-Mode": mode,
        "Sec-Fetch-Site": "same-origin",
    }


IN_A_WINDOW = asked_by("document", "navigate")


@pytest.fixture(scope="module")
def signed_in(tmp_path_factory):
    """A browser that no test here signs out."""
    house = Installation(echo, tmp_path_factory.mktemp("windows"))
    yield house.sign_in(house.add_user("alice"))
    house.accounts.store.close()


SCRIPTS = [
    pytest.param(asked_by("empty"), id="fetch"),
    pytest.param(asked_by("iframe", "navigate"), id="a frame"),
    pytest.param(asked_by("object", "navigate"), id="an object"),
    pytest.param(asked_by("script", "no-cors"), id="a script element"),
    pytest.param(asked_by("image", "no-cors"), id="a picture"),
]


@pytest.mark.parametrize("headers", SCRIPTS)
@pytest.mark.parametrize("page", PAGES)
def test_no_page_is_given_to_a_script(signed_in, page, headers):
    answer = signed_in.get("/_gate" + page, headers=headers)

    assert answer.status_code == 403
    assert "csrf_token" not in answer.text


@pytest.mark.parametrize("page", FOR_PROGRAMS)
def test_what_programs_ask_is_answered(signed_in, page):
    answer = signed_in.get("/_gate" + page, headers=asked_by("empty"))

    assert answer.status_code != 403


def test_no_form_is_taken_from_a_script(browser, installation):
    forms = forms_on(browser.get(ACCOUNT).text)
    (form,) = [one for one in forms if one.action.endswith("/make-token")]
    sent = form.fields | {"name": "mine", "days": "never"}

    refused = browser.post(form.action, data=sent, headers=asked_by("empty"))
    assert refused.status_code == 403
    assert installation.accounts.store.tokens("alice") == []

    taken = browser.post(form.action, data=sent, headers=IN_A_WINDOW)
    assert taken.status_code == 303
    assert len(installation.accounts.store.tokens("alice")) == 1


def test_a_person_in_a_window_of_today_signs_out(browser):
    (form,) = [
        one
        for one in forms_on(browser.get("/_gate/logout", headers=IN_A_WINDOW).text)
        if one.action.endswith("/logout")
    ]

    answer = browser.post(form.action, data=form.fields, headers=IN_A_WINDOW)

    assert answer.status_code == 200
