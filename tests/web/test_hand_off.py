"""One sign-in for several hosts: a session is handed from home to the others."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from tests.applications import echo
from tests.moments import Moments
from totp_gate.accounts.guessing import Visitor
from totp_gate.model import LoginState
from totp_gate.testing import Installation, submit

HOME, HOME_HOST = "https://app.example.com", "app.example.com"
WIKI, WIKI_HOST = "https://wiki.example.com", "wiki.example.com"
BLOG = "https://blog.example.com"
SESSION, LOGIN = "__Host-totp_gate", "__Host-totp_gate_login"
PAGE = "/notes?id=7&x=a/b"
RULES = """
[password]
min_length = 15
[[rules]]
name = "feed"
hosts = ["wiki.example.com"]
paths = ["/feed"]
policy = "one-factor"
[[rules]]
name = "fresh"
hosts = ["wiki.example.com"]
paths = ["/fresh"]
policy = "two-factor"
max_age = "10m"
[audit]
file = "audit.log"
"""


class Walk:
    """A browser that goes wherever it is sent, and remembers which way.

    Attributes:
        way: the addresses it was sent to, without their queries.
        answer: the last one.
    """

    def __init__(self, installation):
        self.browser = installation.client()
        self.way: list[str] = []
        self.answer = None

    def open(self, url, *, method="GET", **headers):
        """Ask for one address, and go nowhere else."""
        parts = urlsplit(url)
        self.browser.origin = f"{parts.scheme}://{parts.netloc}"
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answer = self.browser.open(target, method=method, headers=sent)
        self.way.append(url.partition("?")[0])
        return self.answer

    @property
    def location(self):
        """Where it is sent, in full."""
        said = self.answer.headers.get("Location", "")
        return self.browser.origin + said if said.startswith("/") else said

    def follow(self, *, until="nowhere"):
        """Go on while it is sent on, up to an address that holds *until*."""
        for _ in range(12):
            if self.answer.status_code not in {302, 303} or until in self.location:
                return self
            self.open(self.location)
        raise AssertionError(f"no end: {self.way}")

    def go(self, url, *, until="nowhere"):
        """Open *url* and follow."""
        self.way = []
        self.open(url)
        return self.follow(until=until)

    def submit(self, page, **fields):
        """Fill in the form of *page* of the host where it is."""
        self.answer = submit(self.browser, page, **fields)
        return self

    def cookie(self, name, host):
        found = self.browser.get_cookie(name, domain=host)
        return None if found is None else found.value


@pytest.fixture(scope="module")
def moments(tmp_path_factory):
    def signed_in(house, alice, walk):
        house.sign_in(alice, walk.browser)

    return Moments(
        partial(
            Installation, echo, settings=RULES, gate={"origin": [HOME, WIKI, BLOG]}
        ),
        tmp_path_factory.mktemp,
        alice=lambda house: house.add_user("alice"),
        walk=lambda house, alice: Walk(house),
        at_home=signed_in,
    )


@pytest.fixture
def house(installation):
    return installation


@pytest.fixture
def walk(beginning):
    return beginning["walk"]


@pytest.fixture
def at_home(walk):
    """A browser that is signed in at home and was nowhere else yet."""
    return walk


@pytest.fixture
def code(at_home):
    """The address at which a session is about to arrive at the wiki."""
    return at_home.go(WIKI + PAGE, until="/arrive").location


def sign_in_here(walk, house, person, page=""):
    """Type password and code where the browser is asked for them."""
    house.clock.tick(30)
    page = page or walk.location.removeprefix(walk.browser.origin)
    walk.submit(page, username=person.name, password=person.password)
    page = walk.location.removeprefix(walk.browser.origin)
    return walk.submit(page, code=house.code(person))


def events(house, name):
    lines = (house.folder / "audit.log").read_text().splitlines()
    return [one for one in map(json.loads, lines) if one["event"] == name]


def pages(walk):
    return [urlsplit(url).netloc + urlsplit(url).path for url in walk.way]


def test_a_session_at_home_opens_another_host(house, at_home):
    at_home.go(WIKI + PAGE)

    assert at_home.answer.status_code == 200
    assert at_home.answer.json["REMOTE_USER"] == "alice"
    assert pages(at_home) == [
        "wiki.example.com/notes",
        "wiki.example.com/_gate/login",
        "app.example.com/_gate/hand-off",
        "wiki.example.com/_gate/arrive",
        "wiki.example.com/notes",
    ]
    assert len(house.accounts.store.sessions("alice")) == 1
    (taken,) = events(house, "hand-off.taken")
    (given,) = events(house, "hand-off.given")
    assert given["session"] == taken["session"]
    assert (given["detail"], taken["detail"]) == (WIKI, WIKI)
    cookies = [at_home.cookie(SESSION, host) for host in (HOME_HOST, WIKI_HOST)]
    assert len(set(cookies)) == 2
    assert None not in cookies


def test_the_place_comes_back_whole(at_home):
    answer = at_home.go(WIKI + PAGE).answer

    assert answer.json["QUERY_STRING"] == "id=7&x=a/b"


def test_the_start_page_of_another_host_is_a_place_too(at_home):
    assert at_home.go(f"{WIKI}/").answer.json["REMOTE_USER"] == "alice"


def test_who_is_signed_in_nowhere_signs_in_at_home_and_comes_back(house, alice, walk):
    walk.go(WIKI + PAGE, until="/_gate/login?next=/_gate/hand-off")
    assert walk.location.startswith(HOME)

    sign_in_here(walk, house, alice).follow()

    assert walk.answer.status_code == 200
    assert walk.answer.json["HTTP_HOST"] == WIKI_HOST
    assert walk.go(f"{HOME}/").answer.status_code == 200
    assert walk.go(f"{BLOG}/x").answer.status_code == 200
    assert len(house.accounts.store.sessions("alice")) == 1


@pytest.mark.parametrize("place", ["/", PAGE])
def test_who_takes_long_to_sign_in_at_home_still_comes_back(house, alice, walk, place):
    walk.go(WIKI + place, until="/_gate/login?next=/_gate/hand-off")
    house.clock.tick(900)

    sign_in_here(walk, house, alice).follow()

    assert walk.answer.json["HTTP_HOST"] == WIKI_HOST


@pytest.mark.parametrize("host", [HOME, WIKI, BLOG])
def test_signing_out_anywhere_signs_out_everywhere(at_home, host):
    everywhere = [HOME, WIKI, BLOG]
    for origin in everywhere:
        assert at_home.go(f"{origin}/x").answer.status_code == 200

    at_home.browser.origin = host
    at_home.submit("/_gate/logout")

    for origin in everywhere:
        answer = at_home.open(f"{origin}/x", Accept="application/json")
        assert answer.status_code == 401, origin


def test_a_session_ended_by_its_owner_is_over_at_every_host(house, at_home):
    at_home.go(WIKI + PAGE)
    house.accounts.store.end_sessions("alice")

    answer = at_home.open(WIKI + PAGE, Accept="application/json")

    assert answer.status_code == 401


def test_activity_at_one_host_keeps_the_session_alive_at_all(house, at_home):
    at_home.go(WIKI + PAGE)
    for _ in range(4):
        house.clock.tick(1800)
        assert at_home.open(WIKI + PAGE).status_code == 200

    assert at_home.open(f"{HOME}/x").status_code == 200


def test_a_held_request_of_the_browser_comes_first(house, alice, at_home):
    at_home.go(f"{WIKI}/form")
    house.accounts.store.end_sessions("alice")
    sent = {"Origin": WIKI, "Sec-Fetch-Site": "same-origin"}
    kept = at_home.browser.post("/form", data={"text": "long"}, headers=sent)
    assert kept.headers["Gate-Held"]

    house.clock.tick(61)
    at_home.go(f"{WIKI}/form", until="/_gate/login?next=/_gate/hand-off")
    sign_in_here(at_home, house, alice).follow()

    assert "/form" in at_home.answer.text
    assert pages(at_home)[-1] == "wiki.example.com/_gate/held"


def test_a_second_tab_goes_on_with_what_the_first_has_brought(house, at_home):
    places = [f"{WIKI}/one", f"{WIKI}/two"]
    ways = [at_home.go(place, until="/arrive").location for place in places]
    for way, place in zip([*ways, ways[0]], [*places, places[0]], strict=True):
        at_home.open(way)
        assert at_home.location == place

    assert at_home.go(f"{HOME}/x").answer.json["REMOTE_USER"] == "alice"
    assert at_home.go(places[0]).answer.json["REMOTE_USER"] == "alice"


def test_a_window_of_its_own_closes_at_its_own_host(at_home):
    at_home.go(f"{WIKI}/_gate/login?next=/_gate/done")

    assert "You can close this window" in at_home.answer.text
    assert pages(at_home)[-1] == "wiki.example.com/_gate/done"


class TestWhereNobodyIsSentHome:
    def test_the_second_time_within_a_minute(self, house, walk):
        walk.go(WIKI + PAGE, until="hand-off")
        assert walk.location.startswith(f"{HOME}/_gate/hand-off?ask=")

        walk.go(WIKI + PAGE)
        assert pages(walk)[-1] == "wiki.example.com/_gate/login"
        assert 'name="password"' in walk.answer.text

        house.clock.tick(60)
        assert walk.go(WIKI + PAGE, until="hand-off").location.startswith(HOME)

    def test_and_who_cannot_reach_home_signs_in_right_here(self, house, alice, walk):
        walk.go(WIKI + PAGE, until="hand-off")
        page = f"/_gate/login?next={quote(PAGE, safe='/')}"

        sign_in_here(walk, house, alice, page).follow()

        assert walk.answer.json["QUERY_STRING"] == "id=7&x=a/b"
        assert HOME not in "".join(walk.way)

    def test_but_another_place_is_asked_for_at_once(self, walk):
        walk.go(WIKI + PAGE, until="hand-off")

        assert walk.go(f"{WIKI}/other", until="hand-off").location.startswith(HOME)

    def test_a_sign_in_that_names_no_place(self, walk):
        answer = walk.go(f"{WIKI}/_gate/login").answer

        assert (answer.status_code, walk.way) == (200, [f"{WIKI}/_gate/login"])

    def test_home_itself(self, walk):
        assert walk.go(f"{HOME}/_gate/login?next=/x").answer.status_code == 200
        assert len(walk.way) == 1

    def test_a_place_that_needs_the_password_alone(self, walk):
        walk.go(f"{WIKI}/feed")

        assert pages(walk) == ["wiki.example.com/feed", "wiki.example.com/_gate/login"]
        assert walk.answer.status_code == 200

    def test_a_sign_in_that_is_half_done_here(self, house, alice, walk):
        walk.browser.origin = WIKI
        walk.submit("/_gate/login", username=alice.name, password=alice.password)
        assert walk.open(f"{WIKI}/_gate/login?next=/x").status_code == 200

        house.clock.tick(300)
        assert walk.open(f"{WIKI}/_gate/login?next=/x").status_code == 303
        assert walk.location.startswith(HOME)

    @pytest.mark.parametrize(
        "headers",
        [
            pytest.param({"Sec-Fetch-Mode": "cors"}, id="a script"),
            pytest.param({"Accept": "application/json"}, id="a program"),
            pytest.param(
                {"Sec-Fetch-Mode": "navigate", "Sec-Purpose": "prefetch;prerender"},
                id="a prefetch",
            ),
            pytest.param({"X-Requested-With": "XMLHttpRequest"}, id="an old script"),
        ],
    )
    def test_whoever_is_no_visitor(self, walk, headers):
        answer = walk.open(f"{WIKI}/_gate/login?next=/x", **headers)

        assert answer.status_code == 200

    def test_a_place_too_long_to_be_carried(self, walk):
        answer = walk.open(f"{WIKI}/_gate/login?next=/" + '"' * 1900)

        assert answer.status_code == 200


def arrives(walk, url, **headers):
    """Tell whether somebody is signed in at the wiki after *url*."""
    walk.open(url, **headers)
    later = walk.open(WIKI + PAGE, Accept="application/json")
    return later.status_code == 200


def test_a_code_arrives(at_home, code):
    assert arrives(at_home, code)


def test_it_is_long_and_in_no_log_and_no_state(house, at_home, code):
    (text,) = parse_qs(urlsplit(code).query)["code"]

    assert len(text.partition(".")[0]) == 32  # 192 bits
    arrives(at_home, code)
    assert text not in (house.folder / "audit.log").read_text()
    assert text.encode() not in b"".join(
        path.read_bytes() for path in house.folder.glob("gate.db*")
    )


class TestACodeThatDoesNotArrive:
    def refused(self, house, walk, url, reason, **headers):
        assert not arrives(walk, url, **headers)
        assert [one["detail"] for one in events(house, "hand-off.taken")][-1] == reason

    def test_in_another_browser(self, house, code):
        stranger = Walk(house)
        stranger.go(WIKI + PAGE, until="hand-off")

        self.refused(house, stranger, code, "another-browser")

    def test_in_a_browser_without_cookies(self, house, code):
        self.refused(house, Walk(house), code, "another-browser")

    def test_and_then_nowhere(self, house, at_home, code):
        Walk(house).open(code)

        self.refused(house, at_home, code, "unknown")

    def test_at_another_host(self, house, at_home, code):
        at_home.open(code.replace(WIKI, BLOG))
        answer = at_home.open(f"{BLOG}/", Accept="application/json")

        assert answer.status_code == 401
        assert events(house, "hand-off.taken")[-1]["detail"] == "another-host"
        self.refused(house, at_home, code, "unknown")

    def test_a_second_time(self, house, at_home, code):
        assert arrives(at_home, code)
        at_home.browser.delete_cookie(SESSION, domain=WIKI_HOST)

        self.refused(house, at_home, code, "unknown")

    def test_after_a_minute(self, house, at_home, code):
        house.clock.tick(60)

        self.refused(house, at_home, code, "unknown")

    def test_after_the_session_has_ended(self, house, at_home, code):
        at_home.browser.origin = HOME
        at_home.submit("/_gate/logout")

        self.refused(house, at_home, code, "session-over")

    def test_of_a_user_who_was_disabled(self, house, at_home, code):
        store = house.accounts.store
        user = store.user("alice")
        store.change_user(user.name, disabled=True)

        self.refused(house, at_home, code, "session-over")

    @pytest.mark.parametrize("text", ["", "x", "x.y", "x" * 4000, "%00"])
    def test_that_was_never_made(self, house, at_home, monkeypatch, text):
        def write(*_, **__):
            raise AssertionError("a stranger made the store write")

        monkeypatch.setattr(house.accounts.store, "take_hand_off", write)
        at_home.go(WIKI + PAGE, until="/arrive")

        url = f"{WIKI}/_gate/arrive?code={text}&next=/"
        self.refused(house, at_home, url, "unknown")

    def test_of_which_there_are_two(self, at_home, code):
        answer = at_home.open(f"{code}&code=b")

        assert answer.status_code == 400
        assert "Set-Cookie" not in answer.headers

    @pytest.mark.parametrize(
        "headers",
        [
            {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
            {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
            {"Sec-Fetch-Mode": "navigate", "Sec-Purpose": "prefetch"},
        ],
        ids=["frame", "image", "prefetch"],
    )
    def test_that_no_visitor_brings(self, at_home, code, headers):
        assert not arrives(at_home, code, **headers)
        assert at_home.open(code).status_code == 303  # it is not used up

    @pytest.mark.parametrize("method", ["HEAD", "POST"])
    def test_that_is_not_asked_for_as_a_page(self, at_home, code, method):
        at_home.open(code, method=method)

        assert at_home.open(WIKI + PAGE, Accept="text/plain").status_code == 401

    def test_says_so_and_asks_for_the_password(self, house, at_home, code):
        house.clock.tick(60)
        answer = at_home.open(code)

        assert answer.status_code == 403
        assert "could not be carried over from app.example.com" in answer.text
        assert 'name="password"' in answer.text
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "place",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "https:evil.example",
        "/_gate/logout",
        "/%2e%2e//evil.example",
    ],
)
def test_nobody_is_led_to_a_place_that_is_not_ours(at_home, code, place):
    (text,) = parse_qs(urlsplit(code).query)["code"]

    answer = at_home.open(f"{WIKI}/_gate/arrive?code={text}&next={place}")

    assert answer.status_code == 303
    assert answer.headers["Location"] == "/"


def test_of_twenty_that_bring_a_code_at_once_one_arrives(house, at_home, code):
    value = at_home.cookie(LOGIN, WIKI_HOST)
    start = Barrier(20)
    target = code.removeprefix(WIKI)

    def bring(_):
        browser = house.client(WIKI)
        browser.set_cookie(LOGIN, value, domain=WIKI_HOST)
        start.wait()
        return browser.get(target).status_code

    with ThreadPoolExecutor(20) as pool:
        statuses = sorted(pool.map(bring, range(20)))

    assert statuses == [303] + [403] * 19


class TestAQuestionToHome:
    @pytest.fixture
    def ask(self, at_home):
        """The address at home at which the wiki asks."""
        return at_home.go(WIKI + PAGE, until="hand-off").location

    def test_is_answered_with_a_code_for_who_asked(self, at_home, ask):
        answer = at_home.open(ask)

        assert answer.status_code == 303
        assert answer.headers["Location"].startswith(f"{WIKI}/_gate/arrive?code=")
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"

    def test_is_refused_when_it_was_changed(self, house, at_home, ask):
        start, _, token = ask.partition("?ask=")
        body, _, signature = token.partition(".")
        other = "A" if body[0] != "A" else "B"
        wrong = [f"{other}{body[1:]}.{signature}", body, f"{token}x", "", "x" * 5000]

        for text in wrong:
            answer = at_home.open(f"{start}?ask={text}")
            assert answer.status_code == 403, text
            assert "Location" not in answer.headers
        (told,) = events(house, "hand-off.given")
        assert told["outcome"] == "failure"
        house.clock.tick(60)
        at_home.open(f"{start}?ask=")
        assert events(house, "hand-off.given")[1]["count"] == len(wrong)

    @pytest.mark.parametrize("seconds", [600, -120], ids=["long ago", "to come"])
    def test_of_another_time_gets_no_code(self, house, at_home, ask, seconds):
        house.clock.tick(seconds)
        at_home.open(ask)

        assert at_home.location == f"{WIKI}/_gate/login?next=/notes%3Fid%3D7%26x%3Da/b"

    @pytest.mark.parametrize(
        "headers",
        [
            {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
            {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
            {"Sec-Fetch-Mode": "navigate", "Sec-Purpose": "prefetch"},
        ],
        ids=["frame", "script", "prefetch"],
    )
    def test_is_answered_to_visitors_only(self, at_home, ask, headers):
        assert at_home.open(ask, **headers).status_code == 403

    def test_is_answered_at_home_only(self, at_home, ask):
        at_home.go(WIKI + PAGE)

        assert at_home.open(ask.replace(HOME, WIKI)).status_code == 404

    def test_of_a_host_that_is_no_longer_ours_is_refused(self, house, at_home, ask):
        text = house.path.read_text().replace(f', "{WIKI}"', "")
        house.path.write_text(text.replace(WIKI_HOST, "blog.example.com"))
        house.restart()
        at_home.browser.application = house.gate

        assert at_home.open(ask).status_code == 403

    def test_gets_no_code_for_a_session_of_the_password_alone(self, house, alice, walk):
        accounts = house.accounts
        user = accounts.directory.find(alice.name)
        state = LoginState(user=user.name, binding="x", at=house.clock())
        token, _ = accounts.signin.begin_partial_session(
            state,
            user,
            Visitor(),
            host=HOME_HOST,
            now=house.clock(),
        )
        walk.browser.set_cookie(SESSION, token, domain=HOME_HOST)

        walk.go(WIKI + PAGE, until="/_gate/second-factor")

        assert walk.location.startswith(f"{HOME}/_gate/second-factor?next=/_gate/hand")

    def test_gets_no_code_for_a_session_of_another_host(self, house, at_home, ask):
        at_home.go(f"{BLOG}/x")
        value = at_home.cookie(SESSION, "blog.example.com")
        at_home.browser.set_cookie(SESSION, value, domain=HOME_HOST)

        at_home.open(ask)

        assert at_home.location.startswith(f"{HOME}/_gate/login?next=")
        assert len(events(house, "session.forged")) == 1

    def test_gets_no_code_for_an_app_token(self, house, alice, walk):
        made = house.accounts.app_tokens
        now = house.clock()
        text, _ = made.make(alice.name, "ci", now=now, expires=now + 3600)
        walk.open(f"{HOME}/x", Gate_Token=text)
        assert walk.answer.status_code == 200
        walk.go(WIKI + PAGE, until="hand-off")

        walk.open(walk.location, Gate_Token=text)

        assert walk.location.startswith(f"{HOME}/_gate/login?next=")


def step_up(walk, house, person):
    """Type a fresh code at the wiki, where a page wants one."""
    house.clock.tick(601)
    walk.go(f"{WIKI}/fresh")
    assert pages(walk)[-1] == "wiki.example.com/_gate/second-factor"
    walk.way = []
    return walk.submit("/_gate/second-factor?next=/fresh", code=house.code(person))


class TestASessionThatGotANewIdElsewhere:
    @pytest.fixture
    def before(self, house, at_home):
        """A browser that is known at home and at the wiki."""
        at_home.go(WIKI + PAGE)
        return at_home

    def test_is_known_at_home_and_at_every_other_host(self, house, alice, before):
        old = before.cookie(SESSION, HOME_HOST)
        step_up(before, house, alice).follow()

        assert before.answer.status_code == 200
        assert pages(before) == [
            "app.example.com/_gate/hand-back",
            "wiki.example.com/fresh",
        ]
        assert before.cookie(SESSION, HOME_HOST) != old
        for origin in (HOME, BLOG, WIKI):
            assert before.go(f"{origin}/x").answer.status_code == 200
        assert len(house.accounts.store.sessions("alice")) == 1

    def test_leaves_every_copy_of_a_cookie_behind(self, house, alice, before):
        copies = [before.cookie(SESSION, host) for host in (HOME_HOST, WIKI_HOST)]
        step_up(before, house, alice).follow()

        for value, host, origin in zip(
            copies, (HOME_HOST, WIKI_HOST), (HOME, WIKI), strict=True
        ):
            thief = house.client(origin)
            thief.set_cookie(SESSION, value, domain=host)
            assert thief.get("/x").status_code == 303

    def test_is_given_to_no_browser_that_has_not_had_it(self, house, alice, before):
        way = step_up(before, house, alice).location
        stranger = Walk(house)
        house.sign_in(house.add_user("mallory"), stranger.browser)

        stranger.open(way)

        assert stranger.location == f"{WIKI}/fresh"
        assert stranger.open(f"{HOME}/x").json["REMOTE_USER"] == "mallory"
        assert before.open(way).status_code == 303
        assert before.go(f"{HOME}/x").answer.status_code == 200  # the sign-in page
        assert pages(before)[-1] == "app.example.com/_gate/login"

    @pytest.mark.parametrize("value", ["", "x", "old"])
    def test_is_given_to_no_browser_without_the_cookie(
        self, house, alice, before, value
    ):
        way = step_up(before, house, alice).location
        stranger = Walk(house)
        if value == "old":
            value = before.cookie(SESSION, WIKI_HOST)  # of the new session, elsewhere
        if value:
            stranger.browser.set_cookie(SESSION, value, domain=HOME_HOST)

        stranger.open(way)

        assert events(house, "hand-off.taken")[-1]["detail"] == "another-browser"
        assert stranger.open(f"{HOME}/x").status_code == 303

    def test_asks_home_for_nothing(self, house, alice, before):
        """Or its note would fetch a code that any browser without a cookie may use."""
        back = step_up(before, house, alice).follow(until="hand-back").location
        note = back.partition("&ask=")[2]
        before.follow()

        answer = before.open(f"{HOME}/_gate/hand-off?ask={note}")

        assert answer.status_code == 403
        assert "Location" not in answer.headers

    def test_is_given_at_home_only(self, house, alice, before):
        back = step_up(before, house, alice).follow(until="hand-back").location

        answer = Walk(house).open(back.replace(HOME, WIKI))

        assert answer.status_code == 404
        assert "Set-Cookie" not in answer.headers
        assert before.open(back).status_code == 303  # it is not used up

    def test_is_given_once(self, house, alice, before):
        way = step_up(before, house, alice).follow(until="hand-back").location
        before.open(way)
        mine = before.cookie(SESSION, HOME_HOST)
        before.open(way)

        assert before.cookie(SESSION, HOME_HOST) == mine
        assert events(house, "hand-off.taken")[-1]["detail"] == "unknown"

    def test_is_not_given_to_a_frame_or_by_an_address_made_up(
        self, house, alice, before
    ):
        way = step_up(before, house, alice).location
        frame = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}

        assert before.open(way, **frame).status_code == 403
        assert before.open(way.partition("&ask=")[0]).status_code == 403
        assert before.open(f"{way}x").status_code == 403

    def test_of_a_sign_in_right_there_is_no_business_of_home(self, house, alice, walk):
        walk.browser.origin = WIKI
        house.sign_in(alice, walk.browser)

        step_up(walk, house, alice)

        assert walk.location == f"{WIKI}/fresh"

    def test_at_home_is_handed_to_the_others_as_before(self, house, alice, before):
        house.clock.tick(700)
        before.browser.origin = HOME
        page = "/_gate/account/confirm"
        before.submit(page, password=alice.password, code=house.code(alice))
        assert before.location.startswith(f"{HOME}/_gate/account?told=")

        assert before.go(WIKI + PAGE).answer.status_code == 200
        assert before.answer.json["HTTP_HOST"] == WIKI_HOST

    @pytest.mark.parametrize("page", ["confirm", "password"])
    def test_comes_home_from_the_account_page_too(self, house, alice, before, page):
        house.clock.tick(700)
        before.browser.origin = WIKI
        fields = {"code": house.code(alice)}
        if page == "confirm":
            fields["password"] = alice.password
        else:
            fields["current_password"] = alice.password
            fields["password"] = fields["password_again"] = "violet tram engine 9"
        before.submit(f"/_gate/account/{page}", **fields).follow()

        assert pages(before)[-1] == "wiki.example.com/_gate/account"
        assert before.answer.status_code == 200
        assert before.go(f"{HOME}/x").answer.json["REMOTE_USER"] == "alice"

    def test_comes_home_from_a_window_of_its_own(self, house, alice, before):
        house.clock.tick(601)
        before.browser.origin = WIKI
        page = "/_gate/second-factor?next=/_gate/done"
        before.submit(page, code=house.code(alice)).follow()

        assert "You can close this window" in before.answer.text
        assert before.browser.origin == WIKI
        assert before.go(f"{HOME}/x").answer.json["REMOTE_USER"] == "alice"


def test_plain_http_ports_and_another_prefix_go_the_same_way(tmp_path):
    home, wiki = "http://gate.lan:8000", "http://wiki.lan:8001"
    said = {"origin": [home, wiki], "insecure_http": True, "prefix": "/auth"}
    house = Installation(echo, tmp_path, gate=said, origin=home)
    walk = Walk(house)
    house.sign_in(house.add_user("alice"), walk.browser)

    answer = walk.go(f"{wiki}/x?y=z").answer

    assert answer.status_code == 200
    assert answer.json["QUERY_STRING"] == "y=z"
    assert walk.way[2:4] == [f"{home}/auth/hand-off", f"{wiki}/auth/arrive"]
    assert walk.cookie("totp_gate", "wiki.lan") is not None
    house.accounts.store.close()


def test_with_one_origin_nobody_is_sent_anywhere(tmp_path):
    house = Installation(echo, tmp_path)
    walk = Walk(house)

    walk.go(f"{HOME}/x")

    assert pages(walk) == ["app.example.com/x", "app.example.com/_gate/login"]
    policy = walk.answer.headers["Content-Security-Policy"]
    assert "form-action 'self';" in policy
    house.accounts.store.close()


def test_a_form_may_lead_to_the_other_hosts_and_nowhere_else(walk):
    policy = walk.go(f"{WIKI}/_gate/login").answer.headers["Content-Security-Policy"]

    assert f"form-action 'self' {HOME} {WIKI} {BLOG};" in policy
