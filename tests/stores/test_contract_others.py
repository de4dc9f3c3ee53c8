"""What every store promises about links, codes, browsers, counts and events."""

from __future__ import annotations

import math

import pytest

from tests.stores.conftest import START, Clock
from tests.stores.records import authenticator, browser, event, link, session
from totp_gate.errors import StoreUnavailable
from totp_gate.model import Count, Revocation, User
from totp_gate.stores.base import Store


def always(count: Count) -> None:
    """Allow every attempt."""


def budget(most: int):
    return lambda count: None if count.failures < most else math.inf


class TestLinks:
    def test_a_link_comes_back_as_added(self, store: Store):
        store.add_link(link(purpose="password-and-authenticator"))

        assert store.link("l1") == link(purpose="password-and-authenticator")
        assert store.link("l2") is None

    def test_a_new_link_kills_earlier_ones_for_the_purpose(self, store: Store):
        store.add_link(link("l1"))
        store.add_link(link("l2", purpose="password-and-authenticator"))
        store.add_link(link("l3", "bob"))

        store.add_link(link("l4"))

        assert store.link("l1") is None
        assert all(store.link(digest) for digest in ("l2", "l3", "l4"))

    def test_links_of_a_user_are_listed_newest_first(self, store: Store):
        first = link("l1")
        second = link("l2", purpose="password-and-authenticator", created=START + 1)
        for each in (first, second, link("l3", "bob")):
            store.add_link(each)

        assert store.links("alice") == [second, first]
        assert store.links("nobody") == []

    def test_links_of_a_user_can_be_withdrawn(self, store: Store):
        store.add_link(link("l1"))
        store.add_link(link("l2", purpose="password-and-authenticator"))
        store.add_link(link("l3", "bob"))

        assert store.remove_links("alice") == 2
        assert store.remove_links("alice") == 0
        assert store.link("l1") is None
        assert store.link("l3") is not None


class TestRedeeming:
    @pytest.fixture(autouse=True)
    def alice(self, store: Store):
        store.add_users([User(name="alice", password_hash="old", credential="c1")])
        store.add_link(link())
        store.add_session(session())
        store.add_browser(browser())

    def redeem(self, store: Store, *, user="alice", hash=None, now=START) -> bool:
        return store.redeem_link(
            "l1",
            authenticator=authenticator(user=user, last=5),
            password_hash=hash,
            now=now,
        )

    def test_a_link_gives_an_authenticator_once(self, store: Store):
        assert self.redeem(store) is True
        assert self.redeem(store) is False

        assert store.authenticators("alice") == [authenticator(last=5)]
        assert store.link("l1") is None
        assert store.user("alice").password_hash == "old"

    def test_a_new_password_ends_what_the_old_one_began(self, store: Store):
        assert self.redeem(store, hash="new") is True

        assert store.user("alice").password_hash == "new"
        assert store.user("alice").credential != "c1"
        assert store.sessions("alice") == []
        assert store.browsers("alice") == []
        assert store.revoked_since(0) == [Revocation(1, user="alice")]

    @pytest.mark.parametrize(
        "wrong",
        [
            pytest.param({"now": START + 600}, id="expired"),
            pytest.param({"user": "bob"}, id="somebody else's"),
        ],
    )
    def test_what_is_not_redeemed_changes_nothing(self, store: Store, wrong):
        assert self.redeem(store, hash="new", **wrong) is False

        assert store.link("l1") is not None
        assert store.authenticators("alice") == store.authenticators("bob") == []
        assert store.user("alice").password_hash == "old"
        assert store.session("s1") is not None
        assert store.last_revocation() == 0

    def test_a_password_for_a_user_who_is_not_there_changes_nothing(self, store: Store):
        store.add_link(link("l2", "of the file"))
        wanted = authenticator("a2", "of the file")

        redeemed = store.redeem_link(
            "l2", authenticator=wanted, password_hash="new", now=START
        )

        assert redeemed is False
        assert store.link("l2") is not None
        assert store.authenticators("of the file") == []


class TestRecovery:
    def test_a_code_is_spent_once(self, store: Store):
        store.replace_recovery("alice", ["r1", "r2"], START)

        assert store.spend_recovery("alice", "r1", now=START) is True
        assert store.spend_recovery("alice", "r1", now=START) is False

        assert store.recovery_left("alice") == 1

    def test_a_code_is_its_owners_alone(self, store: Store):
        store.replace_recovery("alice", ["r1"], START)

        assert store.spend_recovery("bob", "r1", now=START) is False
        assert store.recovery_left("alice") == 1
        assert store.recovery_left("bob") == 0

    def test_a_new_set_kills_the_old_one(self, store: Store):
        store.replace_recovery("alice", ["r1", "r2"], START)
        store.replace_recovery("alice", ["r3"], START)

        assert store.spend_recovery("alice", "r1", now=START) is False
        assert store.spend_recovery("alice", "r3", now=START) is True

    def test_an_empty_set_is_no_codes(self, store: Store):
        store.replace_recovery("alice", ["r1"], START)
        store.replace_recovery("alice", [], START)

        assert store.recovery_left("alice") == 0


class TestBrowsers:
    def rotate(self, store: Store, shown: str, next: str, *, later=0.0, user="alice"):
        return store.rotate_browser(
            "b1", user, shown=shown, next=next, now=START + later, grace=30
        )

    def test_a_browser_comes_back_as_added_newest_first(self, store: Store):
        store.add_browser(browser("b1"))
        store.add_browser(browser("b2", created=START + 1, agent="Browser"))
        store.add_browser(browser("b3", "bob"))

        assert store.browsers("alice") == [
            browser("b2", created=START + 1, agent="Browser"),
            browser("b1"),
        ]

    def test_the_current_reference_is_exchanged(self, store: Store):
        store.add_browser(browser())

        assert self.rotate(store, "first", "second", later=5) == "rotated"
        assert self.rotate(store, "second", "third", later=6) == "rotated"

        kept = store.browsers("alice")[0]
        assert (kept.current, kept.previous) == ("third", "second")
        assert kept.rotated == START + 6

    def test_the_previous_reference_has_a_grace(self, store: Store):
        store.add_browser(browser())
        self.rotate(store, "first", "second")

        assert self.rotate(store, "first", "third", later=29) == "grace"
        assert self.rotate(store, "first", "third", later=-29) == "grace"
        assert store.browsers("alice")[0].current == "second"

    @pytest.mark.parametrize(
        ("shown", "later"),
        [
            pytest.param("first", 30, id="after the grace"),
            pytest.param("first", -30, id="when the clock was set back"),
            pytest.param("zeroth", 0, id="older than the previous"),
            pytest.param("", 0, id="nothing"),
        ],
    )
    def test_an_old_reference_ends_the_series(self, store: Store, shown, later):
        store.add_browser(browser())
        self.rotate(store, "first", "second")

        assert self.rotate(store, shown, "third", later=later) == "replayed"
        assert store.browsers("alice") == []

    def test_nothing_is_no_previous_reference(self, store: Store):
        store.add_browser(browser())

        assert self.rotate(store, "", "second") == "replayed"

    @pytest.mark.parametrize(
        "wrong",
        [
            pytest.param({"user": "bob"}, id="somebody else's"),
            pytest.param({"later": 86400.0}, id="expired"),
        ],
    )
    def test_an_unknown_series_changes_nothing(self, store: Store, wrong):
        store.add_browser(browser())

        assert self.rotate(store, "first", "second", **wrong) == "unknown"
        assert store.browsers("alice") == [browser()]

    def test_those_of_everybody_come_newest_first(self, store: Store):
        store.add_browser(browser("b1", "alice"))
        store.add_browser(browser("b2", "bob", created=START + 1))

        assert [each.id for each in store.browsers(None)] == ["b2", "b1"]

    def test_only_the_owner_forgets_it(self, store: Store):
        for one, user in (("b1", "alice"), ("b2", "alice"), ("b3", "bob")):
            store.add_browser(browser(one, user))

        assert store.forget_browser("bob", "b1") is False
        assert store.forget_browser("alice", "b1") is True
        assert [each.id for each in store.browsers("alice")] == ["b2"]
        assert store.forget_browser("alice", "b1") is False
        assert len(store.browsers("bob")) == 1


class TestCounts:
    def test_an_attempt_is_counted_before_it_is_judged(self, store: Store):
        assert store.begin_attempt(["a", "b"], now=START, judge=always) is None
        assert store.begin_attempt(["a"], now=START + 9, judge=always) is None

        assert store.count("a") == Count(
            key="a", failures=2, last=START + 9, since=START
        )
        assert store.count("b").failures == 1
        assert store.count("c") == Count(key="c")

    def test_one_refusal_counts_nothing_and_the_longest_wait_is_told(
        self, store: Store
    ):
        store.begin_attempt(["a", "b"], now=START, judge=always)
        waits = {"a": 5.0, "b": 60.0, "c": None}

        wait = store.begin_attempt(
            ["c", "b", "a"], now=START + 1, judge=lambda count: waits[count.key]
        )

        assert wait == 60.0
        assert [store.count(key).failures for key in "abc"] == [1, 1, 0]

    def test_a_count_that_is_over_begins_anew(self, store: Store):
        for _ in range(3):
            store.begin_attempt(["a", "b"], now=START, judge=always)

        store.begin_attempt(
            ["a", "b", "c"],
            now=START + 9,
            judge=always,
            is_over=lambda count: count.key != "b",
        )

        anew = Count(key="a", failures=1, last=START + 9, since=START + 9)
        assert store.count("a") == anew
        assert [store.count(key).failures for key in "bc"] == [4, 1]

    def test_what_has_to_wait_does_not_begin_anew(self, store: Store):
        store.begin_attempt(["a", "b"], now=START, judge=always)

        waits = {"a": None, "b": 60.0}
        store.begin_attempt(
            ["a", "b"],
            now=START + 9,
            judge=lambda count: waits[count.key],
            is_over=lambda _: True,
        )

        assert store.count("a").last == START

    def test_a_key_named_twice_is_counted_once(self, store: Store):
        store.begin_attempt(["a", "a"], now=START, judge=always)

        assert store.count("a").failures == 1

    def test_no_keys_is_no_obstacle(self, store: Store):
        assert store.begin_attempt([], now=START, judge=budget(0)) is None

    @pytest.mark.parametrize("key", ["password:a\0", "password:\ud800"])
    def test_what_no_database_can_hold_is_counted_too(self, store: Store, key: str):
        for _ in range(3):
            store.begin_attempt([key], now=START, judge=budget(3))

        assert store.begin_attempt([key], now=START, judge=budget(3)) == math.inf
        assert store.count(key).failures == 3

    def test_one_attempt_is_taken_back(self, store: Store):
        for _ in range(3):
            store.begin_attempt(["a"], now=START, judge=always)
        store.begin_attempt(["b"], now=START, judge=always)

        store.forgive(["a", "b", "c"], one=True)

        assert [store.count(key).failures for key in "abc"] == [2, 0, 0]
        assert store.count("b") == Count(key="b")

    def test_counts_are_cleared(self, store: Store):
        for _ in range(3):
            store.begin_attempt(["a", "b"], now=START, judge=always)

        store.forgive(["a"], one=False)

        assert store.count("a") == Count(key="a")
        assert store.count("b").failures == 3

    def test_counts_are_found_by_prefix_and_height(self, store: Store):
        for key, times in (("p:a", 1), ("p:b", 2), ("p:c", 3), ("P:d", 3), ("q:p:", 3)):
            for _ in range(times):
                store.begin_attempt([key], now=START, judge=always)

        assert [each.key for each in store.counts("p:", at_least=2)] == ["p:b", "p:c"]
        assert store.counts("%", at_least=0) == []
        assert len(store.counts("", at_least=0)) == 5

    def test_old_counts_go_and_all_but_the_newest(self, store: Store):
        for age, key in enumerate(["p:new", "p:mid", "p:old", "p:gone", "q:gone"]):
            store.begin_attempt([key], now=START - age, judge=always)

        assert store.bound_counts("p:", keep=2, before=START - 2) == 2

        assert [each.key for each in store.counts("", at_least=1)] == [
            "p:mid",
            "p:new",
            "q:gone",
        ]


class TestEvents:
    def test_events_come_newest_first(self, store: Store):
        first = event(event="login", outcome="right", address="192.0.2.7", detail="x")
        second = event(event="logout", agent="Browser")
        store.add_event(first)
        store.add_event(second)
        store.add_event(event("bob"))

        assert store.events("alice") == [second, first]
        assert store.events() == [event("bob"), second, first]
        assert store.events(limit=1) == [event("bob")]

    def test_events_of_nobody_are_not_those_of_everybody(self, store: Store):
        store.add_event(event("bob"))
        store.add_event(event(""))

        assert store.events(limit=1) == [event("bob")]
        assert store.events("") == [event("")]

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            pytest.param({"event": "login"}, ["3", "2", "1"], id="a kind"),
            pytest.param({"outcome": "failure"}, ["4", "2"], id="an outcome"),
            pytest.param({"address": "192.0.2.7"}, ["4", "3"], id="an address"),
            pytest.param(
                {"event": "login", "outcome": "failure"}, ["2"], id="both of two"
            ),
            pytest.param({"user": "bob", "event": "login"}, ["3"], id="of one user"),
            pytest.param({"event": "login", "limit": 1}, ["3"], id="the newest"),
        ],
    )
    def test_events_are_found_by_what_they_are(self, store: Store, wanted, found):
        for each in (
            event(outcome="success", detail="1"),
            event(outcome="failure", detail="2"),
            event("bob", outcome="success", address="192.0.2.7", detail="3"),
            event(event="other", outcome="failure", address="192.0.2.7", detail="4"),
        ):
            store.add_event(each)

        assert [each.detail for each in store.events(**wanted)] == found

    def test_of_a_kind_that_may_be_few_the_newest_are_kept(self, store: Store):
        changed = event(event="changed")
        others = [
            changed,
            event("bob", event="guess"),
            event(event="guess", outcome="?"),
        ]
        for each in others:
            store.add_event(each)
        for number in range(9):
            store.add_event(event(event="guess", detail=str(number)), keep=5, alike=2)

        assert [each.detail for each in store.events("alice")][:2] == ["8", "7"]
        assert [each for each in store.events() if each in others] == others[::-1]

    def test_only_the_newest_of_each_user_are_kept(self, store: Store):
        store.add_event(event("bob"))
        for number in range(5):
            store.add_event(event(detail=str(number)), keep=3)

        assert [each.detail for each in store.events("alice")] == ["4", "3", "2"]
        assert len(store.events("bob")) == 1


class TestTheWhole:
    def test_the_instance_stays_and_differs_between_states(self, store: Store):
        from totp_gate.stores.sql import open_store

        other = open_store("sqlite://")
        with_others = {store.instance(), store.instance(), other.instance()}
        other.close()

        assert len(with_others) == 2
        assert all(len(each) >= 32 for each in with_others)

    def test_a_healthy_store_answers_a_ping(self, store: Store, clock: Clock):
        store.ping()
        clock.tick(1)
        store.ping()

    def test_a_closed_store_says_so_and_can_be_closed_again(self, store: Store):
        rung = store.bell.cell[0]
        store.close()
        store.close()

        assert store.bell.cell[0] == rung
        for use in (store.ping, store.instance, store.users):
            with pytest.raises(StoreUnavailable):
                use()
