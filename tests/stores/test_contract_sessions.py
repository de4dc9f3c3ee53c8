"""What every store promises about sessions and the feed of their ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.stores.conftest import START, Clock
from tests.stores.records import browser, link, session
from totp_gate.model import Revocation
from totp_gate.stores.base import Store

HOUR = 3600.0


def ids(store: Store, user: str | None = None) -> list[str]:
    return [each.id for each in store.sessions(user)]


class TestSessions:
    def test_a_session_comes_back_as_added(self, store: Store):
        added = session(
            second_factor_at=START + 5,
            address="2001:db8::1",
            agent="Browser\ufffd",
            credential="c1",
        )

        assert store.add_session(added) == []

        assert store.session("s1") == added

    def test_an_unknown_session_is_none(self, store: Store):
        assert store.session("s1") is None

    def test_what_no_database_can_hold_is_kept_as_a_mark(self, store: Store):
        store.add_session(session(agent="a\0b\ud800c"))

        assert store.session("s1").agent == "a\ufffdb\ufffdc"

    def test_sessions_come_newest_first(self, store: Store):
        for one, user, created in (
            ("s1", "bob", 2),
            ("s2", "alice", 1),
            ("s3", "bob", 3),
        ):
            store.add_session(session(one, user, created=created))

        assert ids(store) == ["s3", "s1", "s2"]
        assert ids(store, "bob") == ["s3", "s1"]
        assert ids(store, "nobody") == []

    def test_sessions_seen_lately_are_counted(self, store: Store):
        for one, seen in (("s1", 9), ("s2", 8), ("s3", 10)):
            store.add_session(session(one, seen=seen))

        assert store.count_sessions(seen_after=8) == 2
        assert store.count_sessions(seen_after=7) == 3
        assert store.count_sessions(seen_after=10) == 0

    def test_seen_moves_forward_only(self, store: Store):
        store.add_session(session())

        assert store.touch_session("s1", START + 60) is True
        assert store.touch_session("s1", START + 30) is True

        assert store.session("s1").seen == START + 60

    def test_a_session_that_is_gone_cannot_be_touched(self, store: Store):
        assert store.touch_session("s1", START) is False

    def test_touching_and_adding_tell_nobody(self, store: Store):
        rung = store.bell.cell[0]
        store.add_session(session(), max_per_user=5)
        store.touch_session("s1", START + 60)

        assert store.last_revocation() == 0
        assert store.bell.cell[0] == rung


class TestEnds:
    def test_an_ended_session_is_gone_and_told(self, store: Store):
        store.add_session(session())

        assert store.end_session("s1") is True
        assert store.end_session("s1") is False

        assert store.session("s1") is None
        assert store.revoked_since(0) == [Revocation(1, session="s1")]

    def test_only_the_owner_named_ends_it(self, store: Store):
        store.add_session(session())

        assert store.end_session("s1", user="bob") is False
        assert store.session("s1") is not None
        assert store.last_revocation() == 0
        assert store.end_session("s1", user="alice") is True

    def test_all_of_a_user_end_but_the_kept_one(self, store: Store):
        for one, user in (
            ("s1", "alice"),
            ("s2", "alice"),
            ("s3", "alice"),
            ("s4", "bob"),
        ):
            store.add_session(session(one, user))

        assert store.end_sessions("alice", keep="s2") == 2

        assert sorted(ids(store)) == ["s2", "s4"]
        assert store.revoked_since(0) == [Revocation(1, user="alice")]

    def test_where_nothing_ends_nothing_is_told(self, store: Store):
        assert store.end_sessions("alice") == 0
        assert store.last_revocation() == 0

    def test_all_of_everybody_end_and_everybody_starts_afresh(self, store: Store):
        for one, user in (("s1", "alice"), ("s2", "bob"), ("s3", "carol")):
            store.add_session(session(one, user))
        store.end_session("s3")
        known = store.last_revocation()

        assert store.end_sessions(None, keep="s2") == 1

        assert ids(store) == ["s2"]
        assert store.revoked_since(known) is None
        assert store.revoked_since(store.last_revocation()) == []

    def test_the_oldest_end_where_there_are_too_many(self, store: Store):
        for one, created in (("s2", 2), ("s1", 1), ("s3", 3)):
            store.add_session(session(one, created=created))
        store.add_session(session("other", "bob", created=0))

        ended = store.add_session(session("s4", created=4), max_per_user=2)

        assert sorted(ended) == ["s1", "s2"]
        assert sorted(ids(store)) == ["other", "s3", "s4"]
        told = {line.session for line in store.revoked_since(0)}
        assert told == {"s1", "s2"}

    def test_the_new_session_stays_even_where_only_one_may(self, store: Store):
        store.add_session(session("s1", created=9))

        assert store.add_session(session("s2", created=1), max_per_user=1) == ["s1"]
        assert ids(store) == ["s2"]

    def test_a_session_is_replaced_at_once(self, store: Store):
        store.add_session(session("s1"))
        stronger = session("s2", second_factor_at=START)

        assert store.replace_session("s1", stronger) is True

        assert store.session("s1") is None
        assert store.session("s2") == stronger
        assert store.revoked_since(0) == [Revocation(1, session="s1")]

    def test_a_session_that_is_gone_is_not_replaced(self, store: Store):
        assert store.replace_session("s1", session("s2")) is False
        assert store.session("s2") is None
        assert store.last_revocation() == 0


class TestFeed:
    def test_the_feed_begins_empty(self, store: Store):
        assert store.last_revocation() == 0
        assert store.revoked_since(0) == []

    def test_only_later_lines_are_read_oldest_first(self, store: Store):
        for number in range(1, 5):
            store.add_session(session(f"s{number}"))
            store.end_session(f"s{number}")

        assert store.last_revocation() == 4
        assert [line.number for line in store.revoked_since(0)] == [1, 2, 3, 4]
        assert [line.session for line in store.revoked_since(2)] == ["s3", "s4"]
        assert store.revoked_since(4) == []

    def test_a_number_this_feed_never_had_is_none(self, store: Store):
        assert store.revoked_since(7) is None

    def test_the_bell_rings_with_every_line_or_never(self, store: Store):
        rung = [store.bell.cell[0]]
        for number in range(3):
            store.add_session(session(f"s{number}"))
            store.end_session(f"s{number}")
            rung.append(store.bell.cell[0])

        assert len(set(rung)) == 4 or set(rung) == {0}

    def test_lines_are_kept_an_hour(self, store: Store, clock: Clock):
        store.add_session(session())
        store.end_session("s1")
        clock.tick(HOUR)

        store.forget_expired(idle_before=0, created_before=0)

        assert store.revoked_since(0) == [Revocation(1, session="s1")]

    def test_who_slept_longer_than_the_feed_is_told_so(
        self, store: Store, clock: Clock
    ):
        for one in ("s1", "s2"):
            store.add_session(session(one))
            store.end_session(one)
            clock.tick(3 * HOUR)
        store.add_session(session("s3"))
        store.end_session("s3")

        store.forget_expired(idle_before=0, created_before=0)

        assert store.revoked_since(0) is None
        assert store.revoked_since(1) is None
        assert store.revoked_since(2) == [Revocation(3, session="s3")]

    def test_numbers_are_never_used_again(self, store: Store, clock: Clock):
        store.add_session(session("s1"))
        store.end_session("s1")
        clock.tick(24 * HOUR)
        store.forget_expired(idle_before=0, created_before=0)
        assert store.last_revocation() == 1
        assert store.revoked_since(1) == []

        store.add_session(session("s2"))
        store.end_session("s2")

        assert store.revoked_since(1) == [Revocation(2, session="s2")]


class TestForgetting:
    @pytest.mark.parametrize(
        ("fields", "stays"),
        [
            pytest.param({"seen": START - 1}, False, id="idle"),
            pytest.param({"created": START - HOUR - 1}, False, id="old"),
            pytest.param({"created": START - HOUR}, True, id="usable"),
        ],
    )
    def test_sessions_nobody_can_use_are_deleted(self, store: Store, fields, stays):
        store.add_session(replace(session(), **fields))

        gone = store.forget_expired(idle_before=START, created_before=START - HOUR)

        assert gone == (not stays)
        assert (store.session("s1") is not None) == stays

    def test_links_and_browsers_long_expired_are_deleted(
        self, store: Store, clock: Clock
    ):
        store.add_link(link())
        store.add_browser(browser())

        clock.tick(2 * 86400)
        assert store.forget_expired(idle_before=0, created_before=0) == 1
        assert store.browsers("alice") == []
        assert store.link("l1") is not None

        clock.tick(7 * 86400)
        assert store.forget_expired(idle_before=0, created_before=0) == 1
        assert store.link("l1") is None

    def test_nothing_to_forget_is_zero(self, store: Store):
        store.add_session(session())

        assert store.forget_expired(idle_before=0, created_before=0) == 0
