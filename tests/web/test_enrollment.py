"""An authenticator is connected by its owner, once, and nothing happens before."""

import re
from html import unescape

import pytest

from tests.applications import echo
from tests.web.forms import (
    CODES,
    LOGIN_COOKIE,
    codes_on,
    connect,
    events_of,
    form_on,
    give,
    press,
)
from totp_gate.core import otp
from totp_gate.testing import Installation, Person, submit

LOGIN = "/_gate/login"
HOST = "app.example.com"
PASSWORD = "plover-meridian-quartz-71"


@pytest.fixture
def open_house(tmp_path):
    made = Installation(echo, tmp_path, '[second_factor]\nenrollment = "first-login"\n')
    yield made
    made.accounts.store.close()


def key_on(page):
    key = re.search(r'<code class="key">([^<]+)<', page.text)[1]
    return otp.parse_secret(key)


def hidden_of(page):
    found = re.findall(
        r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.text
    )
    return {name: unescape(value) for name, value in found}


def first_login(house, name="bob"):
    bob = house.add_user(name, enrolled=False)
    browser = house.client()
    answer = submit(browser, LOGIN, username=name, password=bob.password)
    return browser, bob, answer


def confirm(house, browser, page, *, steps=0, **fields):
    code = house.code(Person("x", "", key_on(page)), steps=steps)
    sent = hidden_of(page) | {"code": code, "name": "Phone"} | fields
    return browser.post("/_gate/enroll", data=sent)


def test_a_right_password_enrolls_where_the_setting_allows_it(open_house):
    browser, _, answer = first_login(open_house)
    assert answer.headers["Location"] == "/_gate/enroll"

    page = browser.get("/_gate/enroll")
    assert "<svg" in page.text
    answer = confirm(open_house, browser, page)

    codes = "/_gate/account/recovery-codes"
    assert (answer.status_code, answer.headers["Location"]) == (303, codes)
    assert browser.get("/").json["REMOTE_USER"] == "bob"


def test_a_right_password_alone_enrolls_nothing_by_default(installation):
    browser, _, answer = first_login(installation)

    assert answer.status_code == 403
    assert "enrollment link" in answer.text
    assert browser.get("/_gate/enroll").headers["Location"] == LOGIN
    assert browser.get("/").status_code == 303


def test_who_has_an_authenticator_enrolls_no_other_by_password(open_house):
    alice = open_house.add_user("alice")
    browser = open_house.client()

    answer = submit(browser, LOGIN, username="alice", password=alice.password)

    assert answer.headers["Location"] == "/_gate/second-factor"
    assert browser.get("/_gate/enroll").headers["Location"] == LOGIN


def test_the_confirming_code_is_spent(open_house):
    browser, bob, _ = first_login(open_house)
    page = browser.get("/_gate/enroll")
    person = Person("bob", bob.password, key_on(page))
    confirm(open_house, browser, page)

    other = open_house.client()
    submit(other, LOGIN, username="bob", password=bob.password)
    answer = submit(other, "/_gate/second-factor", code=open_house.code(person))

    assert answer.status_code == 401


def test_an_abandoned_enrollment_changes_nothing(open_house):
    browser, _, _ = first_login(open_house)
    browser.get("/_gate/enroll")

    assert open_house.accounts.store.authenticators("bob") == []


def test_a_reload_shows_another_key(open_house):
    browser, _, _ = first_login(open_house)

    first, second = browser.get("/_gate/enroll"), browser.get("/_gate/enroll")

    assert key_on(first) != key_on(second)
    assert first.headers["Cache-Control"] == "no-store"


def test_after_the_confirmation_no_page_shows_the_key(open_house):
    browser, _, _ = first_login(open_house)
    confirm(open_house, browser, browser.get("/_gate/enroll"))

    answer = browser.get("/_gate/enroll", follow_redirects=True)

    assert "<svg" not in answer.text


def test_a_wrong_code_shows_the_same_key_again(open_house):
    browser, _, _ = first_login(open_house)
    page = browser.get("/_gate/enroll")

    again = confirm(open_house, browser, page, code="000000")

    assert again.status_code == 400
    assert key_on(again) == key_on(page)
    assert open_house.accounts.store.authenticators("bob") == []
    assert confirm(open_house, browser, again).status_code == 303


def test_an_enrollment_waits_half_an_hour(open_house):
    browser, _, _ = first_login(open_house)
    page = browser.get("/_gate/enroll")

    open_house.clock.tick(1799)
    late = confirm(open_house, browser, page)
    assert late.status_code == 303

    browser, _, _ = first_login(open_house, "carol")
    page = browser.get("/_gate/enroll")
    open_house.clock.tick(1800)
    assert confirm(open_house, browser, page).status_code == 404


def test_an_enrollment_belongs_to_one_browser(open_house):
    browser, _, _ = first_login(open_house)
    page = browser.get("/_gate/enroll")
    thief, _, _ = first_login(open_house, "mallory")
    own = hidden_of(thief.get("/_gate/enroll"))["csrf_token"]

    answer = confirm(open_house, thief, page, csrf_token=own)

    assert answer.status_code == 404
    assert open_house.accounts.store.authenticators("bob") == []


def test_of_two_first_enrollments_one_wins(open_house):
    browser, bob, _ = first_login(open_house)
    page = browser.get("/_gate/enroll")
    other = open_house.client()
    submit(other, LOGIN, username="bob", password=bob.password)
    second = other.get("/_gate/enroll")

    assert confirm(open_house, browser, page).status_code == 303
    assert confirm(open_house, other, second).status_code == 404
    assert len(open_house.accounts.store.authenticators("bob")) == 1


def test_the_seed_is_sealed_in_the_state(open_house):
    browser, _, _ = first_login(open_house)
    page = browser.get("/_gate/enroll")
    key = key_on(page)
    confirm(open_house, browser, page)
    open_house.accounts.store.close()

    for file in open_house.folder.iterdir():
        octets = file.read_bytes()
        assert key not in octets
        assert otp.to_base32(key).encode() not in octets
        assert key.hex().encode() not in octets


def make_link(house, user="dora", purpose="password-and-authenticator", **life):
    from totp_gate.model import User

    if house.accounts.store.user(user) is None:
        house.accounts.store.add_users([User(name=user)])
    secret, _ = house.accounts.enrollment.make_link(
        user, purpose, now=house.clock(), **life
    )
    return f"/_gate/enroll/{secret}"


def walk_link(house, browser, link, password=PASSWORD):
    begun = browser.post(link, data=hidden_of(browser.get(link)))
    page = browser.post(
        link,
        data=hidden_of(begun) | {"password": password, "password_again": password},
    )
    return page, confirm(house, browser, page)


def test_a_link_sets_a_password_and_an_authenticator(installation):
    link = make_link(installation)
    browser = installation.client()

    page, answer = walk_link(installation, browser, link)

    assert answer.status_code == 303
    assert browser.get("/").json["REMOTE_USER"] == "dora"
    person = Person("dora", PASSWORD, key_on(page))
    assert installation.sign_in(person).get("/").status_code == 200


def test_opening_a_link_uses_nothing_up(installation):
    link = make_link(installation)
    for _ in range(3):
        assert installation.client().get(link).status_code == 200
    browser = installation.client()
    browser.post(link, data=hidden_of(browser.get(link)))

    assert walk_link(installation, installation.client(), link)[1].status_code == 303


@pytest.mark.parametrize(
    ("prepare", "link"),
    [
        pytest.param(
            lambda house, link: None, "/_gate/enroll/unknown", id="never made"
        ),
        pytest.param(
            lambda house, link: walk_link(house, house.client(), link), None, id="used"
        ),
        pytest.param(
            lambda house, link: house.clock.tick(3 * 86_400), None, id="expired"
        ),
        pytest.param(
            lambda house, link: make_link(house), None, id="replaced by another"
        ),
        pytest.param(
            lambda house, link: house.accounts.store.remove_user("dora"),
            None,
            id="user gone",
        ),
    ],
)
def test_a_dead_link_says_so(installation, prepare, link):
    made = make_link(installation)
    prepare(installation, made)

    answer = installation.client().get(link or made)

    assert answer.status_code == 404
    assert "used already, or it has expired" in answer.text


def test_of_two_who_use_one_link_one_wins(installation):
    link = make_link(installation)
    first, second = installation.client(), installation.client()
    pages = []
    for browser in (first, second):
        begun = browser.post(link, data=hidden_of(browser.get(link)))
        fields = {"password": PASSWORD, "password_again": PASSWORD}
        pages.append(browser.post(link, data=hidden_of(begun) | fields))

    assert confirm(installation, first, pages[0]).status_code == 303
    assert confirm(installation, second, pages[1]).status_code == 404
    assert len(installation.accounts.store.authenticators("dora")) == 1


@pytest.mark.parametrize(
    ("password", "again", "word"),
    [
        pytest.param("short", "short", "character", id="too short"),
        pytest.param("password123", "password123", "", id="common"),
        pytest.param(PASSWORD, PASSWORD + "x", "not the same", id="typed differently"),
        pytest.param("dora", "dora", "", id="the user name"),
    ],
)
def test_a_poor_password_is_refused_with_the_reason(
    installation, password, again, word
):
    link = make_link(installation)
    browser = installation.client()
    begun = browser.post(link, data=hidden_of(browser.get(link)))

    fields = {"password": password, "password_again": again}
    answer = browser.post(link, data=hidden_of(begun) | fields)

    assert answer.status_code == 400
    assert word in answer.text
    assert installation.accounts.store.user("dora").password_hash is None


def test_a_link_for_an_authenticator_alone_signs_nobody_in(installation):
    eve = installation.add_user("eve", enrolled=False)
    link = make_link(installation, "eve", "authenticator")
    browser = installation.client()
    page = browser.post(link, data=hidden_of(browser.get(link)))

    answer = confirm(installation, browser, page)

    said = browser.get(answer.headers["Location"])
    assert "Your authenticator is connected. Sign in now." in said.text
    assert form_on(said.text, LOGIN)
    assert browser.get("/").status_code == 303
    person = Person("eve", eve.password, key_on(page))
    assert installation.sign_in(person).get("/").status_code == 200


def test_a_link_that_sets_a_password_ends_older_sessions(installation, alice, browser):
    link = make_link(installation, "alice")

    walk_link(installation, installation.client(), link)

    assert browser.get("/").status_code == 303


def news_of(house, browser):
    text = browser.get("/_gate/account").text
    found = re.search(r"Since your last sign-in: [^<]*", text)
    return found[0] if found else ""


class TestALinkForSomebodyKnown:
    """Whoever got hold of it set another password: the owner has to hear of it."""

    @pytest.fixture
    def thief(self, installation, alice):
        installation.accounts.recovery.renew("alice", now=installation.clock())
        installation.sign_in(alice)
        thief = installation.client()
        walk_link(installation, thief, make_link(installation, "alice"))
        return thief

    def test_the_password_is_an_event_of_the_account(self, installation, thief):
        changed = [
            (one.event, one.outcome, one.detail)
            for one in installation.accounts.store.events("alice")
            if one.event == "password-changed"
        ]

        assert changed == [("password-changed", "success", "link")]
        assert "A link set another password" in thief.get("/_gate/account").text

    def test_the_command_is_told_of_it(self, installation, alice, monkeypatch):
        told = []
        monkeypatch.setattr(
            installation.accounts.audit, "event", lambda *a, **k: told.append(a[1])
        )
        walk_link(installation, installation.client(), make_link(installation, "alice"))

        assert told.count("password-changed") == 1

    def test_the_owners_next_sign_in_tells_of_it(self, installation, alice, thief):
        house = installation
        owner = house.sign_in(Person("alice", PASSWORD, alice.seed))

        news = news_of(house, owner)

        assert "a link set another password and connected an authenticator" in news
        assert "new recovery codes were made" in news


@pytest.mark.parametrize(
    "purpose",
    [
        pytest.param("password-and-authenticator", id="somebody new, by a link"),
        pytest.param("authenticator", id="somebody new, with a password"),
    ],
)
def test_what_belongs_to_a_first_sign_in_is_no_news(installation, purpose):
    if purpose == "authenticator":
        installation.add_user("dora", PASSWORD, enrolled=False)
    link, browser = make_link(installation, purpose=purpose), installation.client()
    if purpose == "authenticator":
        page = browser.post(link, data=hidden_of(browser.get(link)))
        confirm(installation, browser, page)
    else:
        page, _ = walk_link(installation, browser, link)
    dora = Person("dora", PASSWORD, key_on(page))
    if purpose == "authenticator":
        installation.sign_in(dora)
    later = installation.sign_in(dora)

    events = installation.accounts.store.events("dora")

    assert "password-changed" not in [one.event for one in events]
    assert [one.detail for one in events if one.event == "recovery-renewed"] == [
        "first"
    ]
    assert news_of(installation, later) == ""


class TestASignInWithoutRecoveryCodes:
    """Such as the first after an administrator removed a lost authenticator."""

    @pytest.fixture
    def bare(self, installation, alice):
        installation.accounts.store.replace_recovery("alice", [], 0)
        return alice

    def enter(self, house, person, place="/deep"):
        house.clock.tick(30)
        browser = house.client()
        typed = {"username": person.name, "password": person.password}
        answer = submit(browser, f"{LOGIN}?next={place}", **typed)
        code = house.code(person)
        return browser, submit(browser, answer.headers["Location"], code=code)

    def test_leads_to_fresh_ones_and_then_on(self, installation, bare):
        browser, answer = self.enter(installation, bare)
        assert answer.headers["Location"] == f"{CODES}?next=/deep"
        assert browser.get("/").status_code == 200

        page = browser.get(answer.headers["Location"])

        assert len(codes_on(page.text)) == 10
        assert 'href="/deep"' in page.text
        assert installation.accounts.recovery.left("alice") == 10

    def test_is_an_event(self, installation, bare):
        self.enter(installation, bare)

        assert events_of(installation)[0] == ("recovery-renewed", "success")

    def test_leaves_a_window_alone_that_closes_itself(self, installation, bare):
        _, answer = self.enter(installation, bare, place="/_gate/done")

        assert answer.headers["Location"] == "/_gate/done"
        assert installation.accounts.recovery.left("alice") == 0

    def test_is_the_only_one_that_does(self, installation, alice):
        _, answer = self.enter(installation, alice)

        assert answer.headers["Location"] == "/deep"
        assert installation.accounts.recovery.left("alice") == 10


@pytest.mark.parametrize(
    ("left", "said"),
    [
        pytest.param(4, None, id="enough"),
        pytest.param(3, "3 recovery codes are left.", id="few"),
        pytest.param(1, "1 recovery code is left.", id="one"),
        pytest.param(0, "You have no recovery code.", id="none"),
    ],
)
def test_the_code_page_says_how_few_are_left(installation, alice, left, said):
    store, now = installation.accounts.store, installation.clock()
    store.replace_recovery("alice", [f"digest {n}" for n in range(left)], now)
    browser = installation.client()
    answer = submit(browser, LOGIN, username="alice", password=alice.password)

    text = browser.get(answer.headers["Location"]).text

    assert said is None or said in text
    assert ("left." in text) is (left in (1, 3))


@pytest.mark.parametrize(
    ("whose", "said"),
    [
        pytest.param("alice", "The authenticator is connected.", id="one's own"),
        pytest.param("dora", "account of that link", id="another's"),
    ],
)
def test_who_is_signed_in_stays_and_hears_that_it_is_connected(
    installation, alice, browser, whose, said
):
    if whose == "dora":
        installation.add_user("dora", enrolled=False)
    link = make_link(installation, whose, "authenticator")
    page = browser.post(link, data=hidden_of(browser.get(link)))

    answer = confirm(installation, browser, page)

    assert said in browser.get(answer.headers["Location"]).text
    assert browser.get("/").json["REMOTE_USER"] == "alice"


def test_a_link_says_who_else_is_signed_in_here(installation, alice, browser):
    link = make_link(installation)
    assert "is signed in in this browser" in browser.get(link).text

    own = make_link(installation, "alice")

    assert "is signed in in this browser" not in browser.get(own).text
    assert "is signed in" not in installation.client().get(link).text


class TestAFormThatWasSentTwice:
    """The second answer is the one a browser shows."""

    def test_leads_on_from_a_first_enrollment(self, open_house):
        browser, _, _ = first_login(open_house)
        page = browser.get("/_gate/enroll")
        hasty = open_house.client()
        give(hasty, LOGIN_COOKIE, browser.get_cookie(LOGIN_COOKIE, domain=HOST).value)

        first, second = (confirm(open_house, b, page) for b in (browser, hasty))

        assert first.headers["Location"] == "/_gate/account/recovery-codes"
        assert second.status_code == 303
        assert second.headers["Location"] == "/_gate/account"
        assert "totp_gate=" not in "".join(second.headers.getlist("Set-Cookie"))
        assert len(open_house.accounts.store.authenticators("bob")) == 1
        assert browser.get("/").json["REMOTE_USER"] == "bob"
        assert hasty.get("/").status_code == 303

    def test_leads_on_from_a_further_one(self, installation, alice, browser):
        page = press(browser, "/_gate/account", "/_gate/account/add-authenticator")
        other = installation.sign_in(alice)

        first, second = (connect(installation, browser, page, alice) for _ in "12")

        assert (first[0].status_code, second[0].status_code) == (303, 303)
        assert second[0].headers["Location"] == "/_gate/account"
        assert len(installation.accounts.store.authenticators("alice")) == 2
        assert browser.get("/").status_code == 200
        assert other.get("/").status_code == 303
