"""A rule that wants a fresh code gets one, and a password alone goes as far as it may."""

from __future__ import annotations

import re
from functools import partial

import pytest

from tests.applications import echo
from tests.moments import Moments
from totp_gate.testing import Installation, submit

PROGRAM = {"Accept": "application/json"}
PASSWORD = "correct horse battery"
RULES = """
[password]
min_length = 15
[[rules]]
name = "admin"
paths = ["/admin/*"]
max_age = "10m"
[[rules]]
name = "feed"
paths = ["/feed/*"]
policy = "one-factor"
[[rules]]
name = "staff feed"
paths = ["/staff/*"]
groups = ["staff"]
policy = "one-factor"
[[rules]]
name = "home"
paths = ["/public"]
policy = "public"
"""


@pytest.fixture(scope="module")
def moments(tmp_path_factory):
    def browser(gate, alice):
        """A browser in which Alice has signed in eleven minutes ago."""
        browser = gate.sign_in(alice)
        gate.clock.tick(660)
        return browser

    return Moments(
        partial(Installation, echo, settings=RULES),
        tmp_path_factory.mktemp,
        alice=lambda gate: gate.add_user("alice", groups=["staff"]),
        browser=browser,
    )


@pytest.fixture
def gate(installation):
    return installation


@pytest.fixture
def reader(gate, alice):
    """A browser in which Alice has proven her password for the feed, a moment ago."""
    return by_password(gate)


def by_password(gate, name="alice", place="/feed/x", browser=None):
    browser = browser or gate.client()
    answer = submit(
        browser, f"/_gate/login?next={place}", username=name, password=PASSWORD
    )
    assert answer.headers["Location"] == place
    return browser


def cookie(browser, name="__Host-totp_gate"):
    found = browser.get_cookie(name, domain="app.example.com")
    return found and found.value


def use(browser, value, name="__Host-totp_gate"):
    browser.set_cookie(name, value, domain="app.example.com", secure=True)


def only_session(gate):
    (session,) = gate.accounts.store.sessions("alice")
    return session


def passes(browser, path):
    return browser.get(path, headers=PROGRAM).status_code == 200


# A fresh code


def test_an_old_code_is_asked_for_again_where_a_rule_wants_a_fresh_one(browser):
    answer = browser.get("/admin/users?page=2")

    assert answer.status_code == 303
    assert answer.headers["Location"] == (
        "/_gate/second-factor?next=/admin/users%3Fpage%3D2"
    )
    assert passes(browser, "/")
    assert passes(browser, "/administration")


def test_a_fresh_sign_in_is_asked_for_nothing(gate, alice):
    assert passes(gate.sign_in(alice), "/admin/users")


def test_a_fresh_code_opens_the_place_for_as_long_as_the_rule_says(
    gate, alice, browser
):
    answer = submit(
        browser, "/_gate/second-factor?next=/admin/x", code=gate.code(alice)
    )

    assert answer.status_code == 303
    assert answer.headers["Location"] == "/admin/x"
    gate.clock.tick(599)
    assert passes(browser, "/admin/x")
    gate.clock.tick(1)
    assert not passes(browser, "/admin/x")
    assert passes(browser, "/x")


def test_the_session_gets_a_new_id_and_the_password_stays_as_old_as_it_is(
    gate, alice, browser
):
    before, old = cookie(browser), only_session(gate)

    submit(browser, "/_gate/second-factor?next=/admin/x", code=gate.code(alice))

    new = only_session(gate)
    assert new.id != old.id
    assert new.second_factor_at == gate.clock()
    assert (new.password_at, new.created) == (old.password_at, old.created)
    use(browser, before)
    assert not passes(browser, "/x")


def test_a_wrong_code_opens_nothing_and_counts(gate, alice, browser):
    wrong = "000000" if gate.code(alice) != "000000" else "111111"

    answers = [
        submit(browser, "/_gate/second-factor?next=/admin/x", code=wrong).status_code
        for _ in range(12)
    ]

    assert answers[0] == 401
    assert answers[-1] == 429
    assert not passes(browser, "/admin/x")
    assert passes(browser, "/x")


def test_the_code_of_the_sign_in_is_not_fresh(gate, alice):
    browser = gate.sign_in(alice)
    code = gate.code(alice)

    answer = submit(browser, "/_gate/second-factor", code=code)

    assert answer.status_code == 401


def test_a_right_code_gives_nobody_who_guesses_a_fresh_start(gate, alice, browser):
    store = gate.accounts.store
    keys = ["code:alice", "password:alice"]
    assert store.begin_attempt(keys, now=gate.clock(), judge=lambda _: None) is None

    submit(browser, "/_gate/second-factor?next=/admin/x", code=gate.code(alice))

    assert passes(browser, "/admin/x")
    assert [store.count(key).failures for key in keys] == [1, 1]


def test_codes_that_are_asked_for_often_cost_their_owner_nothing(gate, alice, browser):
    for _ in range(15):
        gate.clock.tick(30)
        answer = submit(browser, "/_gate/second-factor", code=gate.code(alice))
        assert answer.status_code == 303


def test_a_program_is_told_in_the_words_of_rfc_9470(browser):
    answer = browser.get("/admin/x", headers=PROGRAM)

    url = "https://app.example.com/_gate/second-factor"
    assert answer.status_code == 401
    assert answer.json == {
        "error": "step_up_required",
        "login_url": url,
        "max_age": 600,
    }
    assert answer.headers["Gate-Login-URL"] == url
    assert answer.headers["Cache-Control"] == "no-store"
    said = answer.headers["WWW-Authenticate"]
    assert 'error="insufficient_user_authentication"' in said
    assert 'max_age="600"' in said


def test_whoever_is_not_signed_in_is_sent_to_sign_in(gate):
    answer = gate.client().get("/admin/x")
    program = gate.client().get("/admin/x", headers=PROGRAM)

    assert answer.headers["Location"] == "/_gate/login?next=/admin/x"
    assert program.json["error"] == "login_required"


def test_nothing_is_asked_where_the_session_is_enough(browser):
    answer = browser.get("/_gate/second-factor?next=/x")

    assert answer.status_code == 303
    assert answer.headers["Location"] == "/x"


def test_a_window_that_closes_itself_asks_first(gate, alice, browser):
    """A single-page application opens it, and its place says nothing about the rule."""
    page = "/_gate/second-factor?next=/_gate/done"
    assert browser.get(page).status_code == 200

    answer = submit(browser, page, code=gate.code(alice))

    assert answer.headers["Location"] == "/_gate/done"
    assert passes(browser, "/admin/x")


def test_a_form_that_met_a_rule_with_an_age_is_not_lost(gate, alice, browser):
    sent = {"Origin": "https://app.example.com"}
    answer = browser.post("/admin/save", data={"text": "long"}, headers=sent)
    assert answer.headers["Gate-Held"]

    answer = submit(browser, answer.headers["Location"], code=gate.code(alice))

    assert answer.headers["Location"] == "/_gate/held"
    assert "POST /admin/save" in browser.get("/_gate/held").text


def test_a_form_of_another_tab_leads_on_where_the_code_was_typed(gate, alice, browser):
    page = "/_gate/second-factor?next=/admin/x"
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get(page).text)[1]
    submit(browser, page, code=gate.code(alice))

    answer = browser.post(page, data={"csrf_token": token, "code": "000000"})

    assert answer.status_code == 303
    assert answer.headers["Location"] == "/admin/x"


@pytest.mark.parametrize(
    ("token", "headers"),
    [
        pytest.param("own", {"Origin": "https://evil.example"}, id="another site"),
        pytest.param("own", {"Sec-Fetch-Site": "cross-site"}, id="another site's page"),
        pytest.param("none", {}, id="no token"),
        pytest.param("bob", {}, id="the token of somebody else"),
    ],
)
def test_a_form_that_is_not_ours_proves_nothing(gate, alice, browser, token, headers):
    page = "/_gate/second-factor?next=/admin/x"
    bob = gate.sign_in(gate.add_user("bob"))
    gate.clock.tick(660)
    tokens = {"none": "x"}
    for name, who in (("own", browser), ("bob", bob)):
        form = re.search(r'name="csrf_token" value="([^"]+)"', who.get(page).text)
        tokens[name] = form[1]

    answer = browser.post(
        page,
        data={"csrf_token": tokens[token], "code": gate.code(alice)},
        headers=headers,
    )

    assert answer.status_code == 403
    assert not passes(browser, "/admin/x")


def test_a_trusted_browser_stands_for_no_fresh_code(tmp_path):
    settings = RULES + '[second_factor]\ntrusted_device = "30d"\n'
    gate = Installation(echo, tmp_path, settings)
    alice = gate.add_user("alice")
    gate.clock.tick(30)
    browser = gate.client()
    submit(browser, "/_gate/login", username="alice", password=PASSWORD)
    submit(browser, "/_gate/second-factor", code=gate.code(alice), trust_device="yes")
    gate.clock.tick(7200)
    submit(browser, "/_gate/login", username="alice", password=PASSWORD)

    assert passes(browser, "/x")
    assert not passes(browser, "/admin/x")
    gate.accounts.store.close()


# A password alone


def test_a_password_is_enough_where_a_rule_says_so(gate, reader):
    assert passes(reader, "/feed/x")
    assert passes(reader, "/feed/y")
    assert only_session(gate).second_factor_at is None
    assert reader.get("/feed/x", headers=PROGRAM).json["HTTP_REMOTE_USER"] == "alice"


@pytest.mark.parametrize("path", ["/", "/admin/x", "/Feed/x", "/feed", "/x", "/feedx"])
def test_it_is_enough_nowhere_else(gate, reader, path):
    echo.calls = 0

    answer = reader.get(path, headers=PROGRAM)

    assert answer.status_code == 401
    assert answer.json["error"] == "step_up_required"
    assert reader.get(path).headers["Location"].startswith("/_gate/second-factor")
    assert echo.calls == 0


def test_where_everybody_may_it_stands_for_nobody(gate, reader, alice):
    echo.calls = 0
    known = reader.get("/public", headers=PROGRAM).json
    again = reader.get("/public", headers=PROGRAM).json

    assert known["HTTP_REMOTE_USER"] == again["HTTP_REMOTE_USER"] == ""
    assert "REMOTE_USER" not in known
    assert gate.sign_in(alice).get("/public").json["REMOTE_USER"] == "alice"


PAGES_OF_AN_OWNER = [
    "/account",
    "/account/confirm",
    "/account/password",
    "/account/recovery-codes",
    "/account/token",
    "/enroll",
]


@pytest.mark.parametrize("page", PAGES_OF_AN_OWNER)
def test_no_page_of_the_owner_opens_to_a_password(gate, reader, page):
    gate.clock.tick(301)

    answer = reader.get(f"/_gate{page}")

    assert answer.status_code == 303
    assert answer.headers["Location"] == (
        "/_gate/login" if page == "/enroll" else "/_gate/second-factor"
    )


def test_no_form_of_the_owner_opens_to_a_password(gate, alice, reader):
    """Not even with a token that was made for this very session."""
    store = gate.accounts.store
    gate.sign_in(alice)
    before = store.sessions("alice"), store.authenticators("alice")
    session = next(one for one in before[0] if one.second_factor_at is None)
    tokens = gate.gate._parts.routes._desk.forms
    posts = [
        path
        for path, pages in gate.gate._parts.routes._pages.items()
        if "POST" in pages
        and path.startswith(("/account", "/enroll"))
        and "<" not in path
    ]

    for path in posts:
        token = tokens.make(path, session.id, now=gate.clock())
        data = {"csrf_token": token, "id": before[1][0].id, "name": "x", "code": "1"}
        answer = reader.post(f"/_gate{path}", data=data)
        assert answer.status_code in {303, 400, 403}, path
        place = answer.headers.get("Location", "/_gate/login")
        assert place in {"/_gate/second-factor", "/_gate/login"}, path

    assert len(posts) > 8
    assert (store.sessions("alice"), store.authenticators("alice")) == before


def test_who_goes_on_is_asked_for_the_code_alone(gate, alice, reader):
    before = cookie(reader)
    gate.clock.tick(30)
    asked = reader.get("/x?a=1").headers["Location"]

    answer = submit(reader, asked, code=gate.code(alice))

    assert answer.headers["Location"] == "/x?a=1"
    assert passes(reader, "/x")
    assert passes(reader, "/admin/x")
    assert reader.get("/_gate/account").status_code == 200
    assert only_session(gate).second_factor_at == gate.clock()
    use(reader, before)
    assert not passes(reader, "/feed/x")


def test_after_five_minutes_the_password_is_asked_for_too(gate, alice, reader):
    gate.clock.tick(301)
    asked = reader.get("/x").headers["Location"]

    answer = reader.get(asked)
    assert answer.headers["Location"] == "/_gate/login?next=/x"
    answer = submit(reader, "/_gate/login?next=/x", username="alice", password=PASSWORD)

    assert answer.headers["Location"] == "/_gate/second-factor?next=/x"
    assert passes(reader, "/feed/x")
    assert not passes(reader, "/x")


def test_the_second_time_the_password_leads_on_to_the_code(gate, alice, reader):
    """Or nobody could reach their account where a password is enough for ``/``."""
    answer = submit(
        reader, "/_gate/login?next=/feed/x", username="alice", password=PASSWORD
    )

    assert answer.headers["Location"] == "/_gate/second-factor?next=/feed/x"


def test_another_user_of_the_browser_gets_a_session_of_their_own(gate, reader):
    gate.add_user("bob")

    by_password(gate, "bob", browser=reader)

    assert reader.get("/feed/x", headers=PROGRAM).json["HTTP_REMOTE_USER"] == "bob"
    assert gate.accounts.store.sessions("alice") == []


def test_a_password_clears_no_count_of_wrong_codes(gate, alice):
    store = gate.accounts.store
    keys = ["code:alice", "password:alice"]
    store.begin_attempt(keys, now=gate.clock(), judge=lambda _: None)

    by_password(gate)

    assert [store.count(key).failures for key in keys] == [1, 0]


def test_a_password_makes_no_known_browser(reader):
    assert cookie(reader, "__Host-totp_gate_device") is None


def test_a_wrong_password_begins_nothing(gate, alice):
    browser = gate.client()

    answer = submit(
        browser, "/_gate/login?next=/feed/x", username="alice", password="wrong"
    )

    assert answer.status_code == 401
    assert not passes(browser, "/feed/x")


@pytest.mark.parametrize("place", ["/x", "/public", "/staff/x", "/", "//feed/x"])
def test_a_sign_in_for_any_other_place_takes_both_factors(gate, place):
    """Also a public one: whoever signs in there means to be signed in."""
    gate.add_user("bob")

    answer = submit(
        gate.client(), f"/_gate/login?next={place}", username="bob", password=PASSWORD
    )

    assert answer.headers["Location"].startswith("/_gate/second-factor")
    assert gate.accounts.store.sessions("bob") == []


def test_a_rule_for_a_group_takes_the_password_of_its_members(gate, alice):
    reader = by_password(gate, place="/staff/x")

    assert passes(reader, "/staff/x")


def test_who_has_no_authenticator_may_go_where_a_password_is_enough(gate):
    gate.add_user("carol", enrolled=False)
    reader = by_password(gate, "carol")

    assert passes(reader, "/feed/x")
    answer = reader.get(reader.get("/x").headers["Location"])
    assert answer.status_code == 403
    assert "authenticator" in answer.text


def test_a_first_authenticator_is_enrolled_on_the_way(tmp_path):
    gate = Installation(
        echo, tmp_path, RULES + '[second_factor]\nenrollment = "first-login"\n'
    )
    gate.add_user("carol", enrolled=False)
    reader = by_password(gate, "carol")

    answer = reader.get(reader.get("/x").headers["Location"])

    assert answer.headers["Location"] == "/_gate/enroll?next=/x"
    assert reader.get("/_gate/enroll").status_code == 200
    gate.accounts.store.close()


@pytest.mark.parametrize("fresh", [True, False], ids=["lately", "long ago"])
def test_a_session_of_a_password_can_be_ended(gate, reader, fresh):
    gate.clock.tick(10 if fresh else 301)

    token = re.search(
        r'name="csrf_token" value="([^"]+)"', reader.get("/_gate/logout").text
    )
    answer = reader.post("/_gate/logout", data={"csrf_token": token[1]})

    assert answer.status_code == 200
    assert gate.accounts.store.sessions("alice") == []
    assert not passes(reader, "/feed/x")


def test_starting_over_from_the_code_ends_it_too(gate, reader):
    page = reader.get("/_gate/second-factor?next=/x").text
    form = re.search(r'action="/_gate/logout".*?value="([^"]+)"', page, re.DOTALL)

    reader.post("/_gate/logout", data={"csrf_token": form[1]})

    assert gate.accounts.store.sessions("alice") == []


def test_a_password_session_ends_with_the_password(gate, alice, reader):
    accounts = gate.accounts
    accounts.store.save_password("alice", accounts.passwords.hash("another one, long"))

    assert not passes(reader, "/feed/x")
