"""What every store promises about second factors."""

from __future__ import annotations

import pytest

from tests.stores.conftest import START
from tests.stores.records import authenticator, browser, link, session
from totp_gate.errors import StoreUnavailable
from totp_gate.model import Revocation
from totp_gate.stores.base import Store
from totp_gate.stores.sql.database import Writing


class TestAuthenticators:
    def test_one_comes_back_as_added(self, store: Store):
        added = authenticator(
            kind="hotp", name="Phone", algorithm="SHA512", digits=8, last=7, created=3.5
        )

        assert store.add_authenticator(added, only=False) is True

        assert store.authenticators("alice") == [added]

    def test_they_come_oldest_first(self, store: Store):
        for one, created in (("young", 9.0), ("old", 1.0), ("middle", 5.0)):
            store.add_authenticator(authenticator(one, created=created), only=False)

        ids = [each.id for each in store.authenticators("alice")]
        assert ids == ["old", "middle", "young"]

    def test_those_of_everybody_come_where_nobody_is_named(self, store: Store):
        store.add_authenticator(authenticator("b1", "bob", created=1.0), only=False)
        store.add_authenticator(authenticator("a1", created=2.0), only=False)

        assert [each.id for each in store.authenticators(None)] == ["b1", "a1"]

    def test_a_first_one_is_refused_to_who_has_one(self, store: Store):
        store.add_authenticator(authenticator("a1"), only=False)

        assert store.add_authenticator(authenticator("a2"), only=True) is False
        assert store.add_authenticator(authenticator("b1", "bob"), only=True) is True

        assert [each.id for each in store.authenticators("alice")] == ["a1"]

    def test_only_the_owner_renames_it(self, store: Store):
        store.add_authenticator(authenticator(), only=True)

        assert store.rename_authenticator("bob", "a1", "mine") is False
        assert store.rename_authenticator("alice", "a1", "Phone") is True

        assert store.authenticators("alice")[0].name == "Phone"

    def test_only_the_owner_removes_it(self, store: Store):
        for one in ("a1", "a2"):
            store.add_authenticator(authenticator(one), only=False)

        assert store.remove_authenticator("bob", "a1", even_last=True) is False
        assert store.remove_authenticator("alice", "a1", even_last=False) is True

        assert [each.id for each in store.authenticators("alice")] == ["a2"]

    def test_the_last_one_stays_unless_it_is_meant(self, store: Store):
        store.add_authenticator(authenticator(), only=True)
        store.replace_recovery("alice", ["r"], START)

        assert store.remove_authenticator("alice", "a1", even_last=False) is False
        assert len(store.authenticators("alice")) == 1
        assert store.recovery_left("alice") == 1

        assert store.remove_authenticator("alice", "a1", even_last=True) is True
        assert store.authenticators("alice") == []
        assert store.recovery_left("alice") == 0

    def test_removing_one_leaves_the_codes_on_paper(self, store: Store):
        for one in ("a1", "a2"):
            store.add_authenticator(authenticator(one), only=False)
        store.replace_recovery("alice", ["r"], START)

        store.remove_authenticator("alice", "a1", even_last=False)

        assert store.recovery_left("alice") == 1

    def test_removing_all_takes_codes_along(self, store: Store):
        for one, user in (("a1", "alice"), ("a2", "alice"), ("b1", "bob")):
            store.add_authenticator(authenticator(one, user), only=False)
        store.replace_recovery("alice", ["r"], START)

        assert store.remove_authenticators("alice") == 2
        assert store.remove_authenticators("alice") == 0

        assert store.authenticators("alice") == []
        assert store.recovery_left("alice") == 0
        assert len(store.authenticators("bob")) == 1

    def test_a_removed_one_accepts_nothing(self, store: Store):
        for one in ("a1", "a2", "a3"):
            store.add_authenticator(authenticator(one), only=False)
        store.remove_authenticator("alice", "a1", even_last=False)
        store.remove_authenticators("alice")

        for one in ("a1", "a2", "a3"):
            assert store.accept_step(one, 10**9, now=START) is False

    @pytest.mark.parametrize("used", [-1, 10**8], ids=["never used", "used"])
    def test_a_retired_one_accepts_nothing(self, store: Store, used):
        if used > 0:
            store.accept_step("file:alice", used, now=START)
        assert store.is_retired("file:alice") is False

        store.replace_authenticators(authenticator(), retire="file:alice", keep="")

        assert store.is_retired("file:alice") is True
        assert store.is_retired("file:bob") is False
        assert store.accept_step("file:alice", 10**9, now=START) is False

    def test_one_takes_the_place_of_all_others(self, store: Store):
        for one, user in (("a1", "alice"), ("a2", "alice"), ("b1", "bob")):
            store.add_authenticator(authenticator(one, user), only=False)
        store.replace_recovery("alice", ["r"], START)
        new = authenticator("a3", last=7)

        assert store.replace_authenticators(new, retire=None, keep="") is True

        assert store.authenticators("alice") == [new]
        assert store.recovery_left("alice") == 1
        assert len(store.authenticators("bob")) == 1
        for one in ("a1", "a2"):
            assert store.accept_step(one, 10**9, now=START) is False

    @pytest.mark.parametrize("gone", [False, True], ids=["there", "removed"])
    def test_no_id_comes_a_second_time(self, store: Store, gone):
        for one in ("a1", "a2"):
            store.add_authenticator(authenticator(one), only=False)
        if gone:
            store.remove_authenticator("alice", "a1", even_last=False)
        before = store.authenticators("alice")
        store.add_session(session())
        again = authenticator("a1", last=7)

        assert store.add_authenticator(again, only=False) is False
        assert store.replace_authenticators(again, retire="a2", keep="") is False

        assert store.authenticators("alice") == before
        assert store.is_retired("a2") is False
        assert store.session("s1") is not None

    def test_a_seed_is_sealed_anew_only_from_what_it_was(self, store: Store):
        store.add_authenticator(authenticator(sealed="old"), only=True)

        assert store.replace_sealed("a1", "older", "new") is False
        assert store.replace_sealed("a1", "old", "new") is True
        assert store.replace_sealed("a1", "old", "newer") is False

        assert store.authenticators("alice")[0].sealed == "new"


def _redeem(store: Store, keep: str) -> bool:
    new = authenticator("new")
    return store.redeem_link(
        "l1", authenticator=new, password_hash=None, now=START, keep=keep
    )


CHANGES = (
    pytest.param(
        lambda store, keep: store.add_authenticator(
            authenticator("new"), only=False, keep=keep
        ),
        id="one more",
    ),
    pytest.param(
        lambda store, keep: store.replace_authenticators(
            authenticator("new"), retire=None, keep=keep
        ),
        id="one for all",
    ),
    pytest.param(_redeem, id="one by a link"),
    pytest.param(
        lambda store, keep: store.remove_authenticator(
            "alice", "a1", even_last=False, keep=keep
        ),
        id="one less",
    ),
    pytest.param(
        lambda store, keep: (
            store.remove_authenticator("alice", "a1", even_last=False, keep="s2")
            and store.remove_authenticator("alice", "a2", even_last=True, keep=keep)
        ),
        id="the last",
    ),
)


class TestWhatEndsWithFactors:
    """Who gets or loses a factor loses what began before, or nothing happens."""

    @pytest.fixture(autouse=True)
    def began(self, store: Store):
        for one in ("a1", "a2"):
            store.add_authenticator(authenticator(one), only=False)
        store.add_link(link())
        for one, user in (("1", "alice"), ("2", "alice"), ("3", "bob")):
            store.add_session(session(f"s{one}", user))
            store.add_browser(browser(f"b{one}", user))

    @staticmethod
    def left(store: Store) -> tuple[list[str], list[str]]:
        sessions, browsers = store.sessions(None), store.browsers(None)
        return sorted(s.id for s in sessions), sorted(b.id for b in browsers)

    @pytest.mark.parametrize("change", CHANGES)
    def test_all_but_the_session_that_is_kept(self, store: Store, change):
        assert change(store, "s2") is True

        assert self.left(store) == (["s2", "s3"], ["b3"])
        assert Revocation(store.last_revocation(), user="alice") in (
            store.revoked_since(0) or ()
        )

    @pytest.mark.parametrize("change", CHANGES)
    def test_nothing_is_kept_unless_it_is_named(self, store: Store, change):
        assert change(store, "") is True

        assert self.left(store) == (["s3"], ["b3"])

    def test_all_factors_at_once(self, store: Store):
        assert store.remove_authenticators("alice") == 2

        assert self.left(store) == (["s3"], ["b3"])
        assert store.revoked_since(0) == [Revocation(1, user="alice")]

    @pytest.mark.parametrize(
        "change",
        [*CHANGES[:4], pytest.param(lambda s, _: s.remove_authenticators("alice"))],
    )
    def test_where_it_cannot_end_the_factors_stay(
        self, store: Store, change, monkeypatch
    ):
        before = store.authenticators("alice"), self.left(store)

        def fail(*_):
            raise StoreUnavailable("the disk is full")

        monkeypatch.setattr(Writing, "announce", fail)
        with pytest.raises(StoreUnavailable):
            change(store, "s2")

        assert (store.authenticators("alice"), self.left(store)) == before
        assert store.link("l1") is not None

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(
                lambda store: store.add_authenticator(authenticator("x"), only=True),
                id="no first one",
            ),
            pytest.param(
                lambda store: store.remove_authenticator(
                    "bob", "a1", even_last=True, keep=""
                ),
                id="not theirs",
            ),
        ],
    )
    def test_what_changes_no_factor_ends_nothing(self, store: Store, change):
        before = self.left(store)

        assert change(store) is False

        assert self.left(store) == before
        assert store.last_revocation() == 0


class TestSteps:
    def test_a_step_is_accepted_once(self, store: Store):
        store.add_authenticator(authenticator(), only=True)

        assert store.accept_step("a1", 100, now=START) is True
        assert store.accept_step("a1", 100, now=START) is False

    def test_a_step_never_goes_back(self, store: Store):
        store.add_authenticator(authenticator(last=100), only=True)

        assert store.accept_step("a1", 99, now=START) is False
        assert store.accept_step("a1", 101, now=START) is True
        assert store.last_step("a1") == 101

    def test_what_the_enrollment_accepted_is_used(self, store: Store):
        store.add_authenticator(authenticator(last=100), only=True)

        assert store.last_step("a1") == 100
        assert store.accept_step("a1", 100, now=START) is False

    def test_an_authenticator_shows_what_it_accepted_and_when(self, store: Store):
        store.add_authenticator(authenticator(), only=True)
        store.accept_step("a1", 100, now=START + 7)
        store.accept_step("a1", 99, now=START + 8)

        shown = store.authenticators("alice")[0]
        assert (shown.last, shown.used) == (100, START + 7)

    def test_a_seed_of_the_settings_file_has_steps_too(self, store: Store):
        assert store.last_step("file:alice") == -1

        assert store.accept_step("file:alice", 0, now=START) is True
        assert store.accept_step("file:alice", 0, now=START) is False
        assert store.last_step("file:alice") == 0
