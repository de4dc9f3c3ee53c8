"""Series of references to browsers: drawn, exchanged, recognised, ended."""

from dataclasses import replace

import pytest

from totp_gate.accounts.browsers import KNOWN_LIFE, MOST_PER_USER, Browsers, Passing
from totp_gate.accounts.guessing import Visitor
from totp_gate.core.signing import Tokens
from totp_gate.model import User
from totp_gate.stores.sql import open_store

NOW = 1_700_000_000.0
DAY = 86_400
ALICE = User(name="alice", credential="one")
BOB = User(name="bob", credential="two")
HERE = Visitor(address="192.0.2.1", agent="Firefox")
KEYS = [b"k" * 32]


@pytest.fixture
def store():
    store = open_store("sqlite://", now=lambda: NOW)
    yield store
    store.close()


@pytest.fixture
def browsers(store):
    return Browsers(store=store, tokens=Tokens(KEYS, "here"), trust=30 * DAY)


@pytest.fixture
def trusted(browsers):
    return browsers.remember(None, ALICE, HERE, now=NOW, trust=True)


@pytest.fixture
def known(browsers):
    return browsers.remember(None, ALICE, HERE, now=NOW)


def passes(browsers, cookie, user=ALICE, *, now=NOW + 60):
    return browsers.pass_code(cookie, user, now=now)


class TestKnown:
    def test_it_is_recognised_as_its_users(self, browsers, known):
        assert browsers.recognise(known, "alice", now=NOW).agent == "Firefox"
        assert browsers.recognise(known, "bob", now=NOW) is None

    def test_it_passes_for_no_code(self, browsers, known):
        assert passes(browsers, known) == Passing("unknown")
        assert browsers.trusted("alice", now=NOW) == []

    def test_it_is_forgotten_after_half_a_year(self, browsers, known):
        assert browsers.recognise(known, "alice", now=NOW + KNOWN_LIFE - 1)
        assert browsers.recognise(known, "alice", now=NOW + KNOWN_LIFE) is None

    def test_the_next_sign_in_begins_another_series(self, browsers, store, known):
        fresh = browsers.remember(known, ALICE, HERE, now=NOW + 1)

        assert browsers.recognise(known, "alice", now=NOW + 1) is None
        assert browsers.recognise(fresh, "alice", now=NOW + 1)
        assert len(store.browsers("alice")) == 1

    def test_signing_in_as_another_ends_no_series_of_the_first(
        self, browsers, store, known
    ):
        browsers.remember(known, BOB, HERE, now=NOW + 1)

        assert len(store.browsers("alice")) == 1

    def test_a_user_has_so_many_and_no_more(self, browsers, store):
        for n in range(MOST_PER_USER + 5):
            browsers.remember(None, ALICE, HERE, now=NOW + n)

        assert len(store.browsers("alice")) == MOST_PER_USER

    def test_with_several_hosts_there_is_room_for_a_browser_at_each(self, store):
        browsers = Browsers(store=store, tokens=Tokens(KEYS, "here"), hosts=2)
        for n in range(2 * MOST_PER_USER + 5):
            browsers.remember(None, ALICE, HERE, now=NOW + n)

        assert len(store.browsers("alice")) == 2 * MOST_PER_USER

    @pytest.mark.parametrize(
        "spoil",
        [
            pytest.param(lambda cookie: None, id="none"),
            pytest.param(lambda cookie: "", id="empty"),
            pytest.param(lambda cookie: cookie[:-3] + "AAA", id="another signature"),
            pytest.param(lambda cookie: "x" + cookie, id="another text"),
            pytest.param(
                lambda cookie: Tokens(KEYS, "here").write("form", {"i": "a", "s": "b"}),
                id="a token of another purpose",
            ),
            pytest.param(
                lambda cookie: Tokens(KEYS, "there").write(
                    "browser", {"i": "a", "s": "b"}
                ),
                id="from another installation",
            ),
        ],
    )
    def test_nothing_else_is_recognised(self, browsers, trusted, spoil):
        cookie = spoil(trusted)

        assert browsers.recognise(cookie, "alice", now=NOW) is None
        assert passes(browsers, cookie) == Passing("unknown")
        assert passes(browsers, trusted).how == "rotated"


class TestTrusted:
    def test_it_is_exchanged_with_every_use(self, browsers, trusted):
        first = passes(browsers, trusted)
        second = passes(browsers, first.cookie, now=NOW + 120)

        assert (first.how, second.how) == ("rotated", "rotated")
        assert len({trusted, first.cookie, second.cookie}) == 3

    def test_it_remembers_when_the_code_was_typed(self, browsers, trusted):
        first = passes(browsers, trusted, now=NOW + DAY)

        assert passes(browsers, first.cookie, now=NOW + 2 * DAY).proven == NOW

    def test_one_that_was_exchanged_ends_the_series(self, browsers, trusted):
        fresh = passes(browsers, trusted).cookie

        assert passes(browsers, trusted, now=NOW + 70) == Passing("replayed", NOW)
        assert passes(browsers, fresh, now=NOW + 70).how == "unknown"

    def test_an_older_one_has_no_grace(self, browsers, trusted):
        second = passes(browsers, trusted).cookie
        passes(browsers, second)

        assert passes(browsers, trusted).how == "replayed"

    def test_the_one_before_has_a_grace_and_gets_nothing_new(self, browsers, trusted):
        fresh = passes(browsers, trusted).cookie

        late = passes(browsers, trusted, now=NOW + 69.9)

        assert (late.how, late.cookie) == ("grace", "")
        assert browsers.recognise(trusted, "alice", now=NOW + 69.9)
        assert browsers.recognise(trusted, "alice", now=NOW + 70) is None
        assert passes(browsers, fresh, now=NOW + 75).how == "rotated"

    def test_it_is_its_users_alone(self, browsers, trusted):
        assert passes(browsers, trusted, BOB) == Passing("unknown")
        assert passes(browsers, trusted).how == "rotated"

    @pytest.mark.parametrize(
        "changed",
        [
            pytest.param({"credential": "another"}, id="password"),
            pytest.param({"totp_secret": b"x" * 20}, id="seed of the settings file"),
        ],
    )
    def test_it_ends_with_what_its_user_proved(self, browsers, trusted, changed):
        assert passes(browsers, trusted, replace(ALICE, **changed)).how == "unknown"

    @pytest.mark.parametrize(
        ("after", "how"), [(30 * DAY - 1, "rotated"), (30 * DAY, "unknown")]
    )
    def test_it_lasts_as_long_as_the_settings_say(self, browsers, trusted, after, how):
        assert passes(browsers, trusted, now=NOW + after).how == how

    @pytest.mark.parametrize(
        ("trust", "how"),
        [
            pytest.param(0, "unknown", id="switched off"),
            pytest.param(DAY, "unknown", id="shorter"),
            pytest.param(3 * DAY, "rotated", id="still long enough"),
            pytest.param(90 * DAY, "rotated", id="longer"),
        ],
    )
    def test_another_setting_counts_at_once(self, store, trusted, trust, how):
        later = Browsers(store=store, tokens=Tokens(KEYS, "here"), trust=trust)

        assert passes(later, trusted, now=NOW + 2 * DAY).how == how
        assert bool(later.trusted("alice", now=NOW + 2 * DAY)) is (how == "rotated")

    def test_a_longer_setting_prolongs_no_trust(self, store, trusted):
        later = Browsers(store=store, tokens=Tokens(KEYS, "here"), trust=90 * DAY)

        assert passes(later, trusted, now=NOW + 30 * DAY).how == "unknown"

    def test_only_its_user_can_end_it(self, browsers, trusted):
        (series,) = browsers.trusted("alice", now=NOW)

        assert not browsers.forget("bob", series.id)
        assert browsers.forget("alice", series.id)
        assert passes(browsers, trusted).how == "unknown"

    def test_the_cookie_says_nothing_of_user_or_password(self, trusted):
        claims = Tokens(KEYS, "here").read("browser", trusted)

        assert set(claims) == {"i", "s", "u", "c"}
        assert "alice" not in str(claims)
        assert "one" not in str(claims)
