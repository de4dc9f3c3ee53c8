"""What every store promises about users and their factors."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.stores.conftest import START
from tests.stores.records import authenticator, browser, event, link, session
from totp_gate.errors import Conflict, StoreUnavailable
from totp_gate.model import AppToken, Revocation, User
from totp_gate.stores.base import Store

ALICE = User(
    name="alice",
    password_hash="$argon2id$1",
    credential="c1",
    groups=("staff", "admins"),
    display="Alice \N{SNOWMAN}",
    email="alice@example.com",
    created=START,
)


class TestUsers:
    def test_a_user_comes_back_as_added(self, store: Store):
        store.add_users([ALICE])

        assert store.user("alice") == ALICE

    def test_an_unknown_user_is_none(self, store: Store):
        assert store.user("alice") is None

    @pytest.mark.parametrize(
        "name", ["a\0b", "\ud800", "\U0010ffff", "'; --", "x" * 10**5]
    )
    def test_no_name_breaks_the_store(self, store: Store, name: str):
        assert store.user(name) is None

    def test_users_come_by_name(self, store: Store):
        store.add_users([User(name="bob"), User(name="alice"), User(name="carol")])

        assert [user.name for user in store.users()] == ["alice", "bob", "carol"]

    def test_who_has_no_credential_is_given_one_of_their_own(self, store: Store):
        store.add_users([User(name="alice"), User(name="bob")])

        credentials = {user.credential for user in store.users()}
        assert len(credentials) == 2
        assert "" not in credentials

    def test_a_name_that_is_taken_adds_nobody(self, store: Store):
        store.add_users([ALICE])

        with pytest.raises(Conflict, match=r"a user alice$"):
            store.add_users([User(name="bob"), User(name="alice")])

        assert store.user("bob") is None
        assert store.user("alice") == ALICE

    def test_one_name_twice_adds_nobody(self, store: Store):
        with pytest.raises(Conflict, match="bob"):
            store.add_users([User(name="bob"), User(name="bob")])

        assert store.user("bob") is None

    def test_a_seed_of_the_settings_file_is_not_kept(self, store: Store):
        store.add_users([User(name="alice", totp_secret=b"seed")])

        assert store.user("alice").totp_secret is None


class TestUsersWithLinks:
    def test_a_link_comes_with_its_user(self, store: Store):
        store.add_users(
            [ALICE, User(name="bob")], links=[link("l1"), link("l2", "bob")]
        )

        assert store.link("l1") == link("l1")
        assert store.link("l2") == link("l2", "bob")

    def test_where_nobody_is_added_there_is_no_link(self, store: Store):
        store.add_users([ALICE])

        with pytest.raises(Conflict):
            store.add_users([User(name="bob"), ALICE], links=[link("l1", "bob")])

        assert store.link("l1") is None

    def test_where_no_link_is_added_there_is_nobody(self, store: Store):
        store.add_link(link("l1", "carol"))

        with pytest.raises(StoreUnavailable):
            store.add_users([User(name="bob")], links=[link("l1", "bob")])

        assert store.user("bob") is None


class TestChangeUser:
    def test_what_is_named_changes_and_nothing_else(self, store: Store):
        store.add_users([ALICE])

        assert store.change_user("alice", groups=("guests",), display="A") is True

        assert store.user("alice") == replace(ALICE, groups=("guests",), display="A")

    def test_of_two_changes_at_once_none_undoes_the_other(self, store: Store):
        store.add_users([ALICE])

        store.change_user("alice", disabled=True)
        store.change_user("alice", email="a@example.com")

        changed = store.user("alice")
        assert changed is not None
        assert (changed.disabled, changed.email) == (True, "a@example.com")

    def test_an_unknown_user_is_not_made(self, store: Store):
        assert store.change_user("alice", disabled=True) is False
        assert store.user("alice") is None
        assert store.last_revocation() == 0

    def test_disabling_ends_sessions_trusted_browsers_and_links(self, store: Store):
        store.add_users([ALICE])
        store.add_session(session("s1"))
        store.add_session(session("s2", user="bob"))
        store.add_browser(browser())
        store.add_link(link("l1"))
        store.add_link(link("l2", "bob"))

        store.change_user("alice", disabled=True)

        assert store.user("alice").disabled is True
        assert [each.id for each in store.sessions()] == ["s2"]
        assert store.browsers("alice") == []
        assert store.link("l1") is None
        assert store.link("l2") is not None

    def test_a_change_of_groups_ends_nothing(self, store: Store):
        store.add_users([ALICE])
        store.add_session(session())
        store.add_browser(browser())
        store.add_link(link())

        store.change_user("alice", groups=("guests",))

        assert store.session("s1") is not None
        assert len(store.browsers("alice")) == 1
        assert store.link("l1") is not None

    def test_every_change_is_told(self, store: Store):
        store.add_users([ALICE])

        store.change_user("alice", groups=("guests",))

        assert store.revoked_since(0) == [Revocation(1, user="alice")]


class TestPasswords:
    def test_another_password_ends_what_the_old_one_began(self, store: Store):
        store.add_users([ALICE])
        for one in ("s1", "s2"):
            store.add_session(session(one, credential="c1"))
        store.add_browser(browser())

        assert store.save_password("alice", "new") is True

        assert store.user("alice").password_hash == "new"
        assert store.user("alice").credential not in ("", "c1")
        assert store.sessions("alice") == []
        assert store.browsers("alice") == []
        assert store.revoked_since(0) == [Revocation(1, user="alice")]

    def test_the_one_session_that_is_kept_has_the_new_credential(self, store: Store):
        store.add_users([ALICE])
        for one in ("s1", "s2"):
            store.add_session(session(one, credential="c1"))
        store.add_session(session("s3", user="bob", credential="c1"))

        store.save_password("alice", "new", keep="s1")

        assert store.session("s1").credential == store.user("alice").credential
        assert store.session("s2") is None
        assert store.session("s3").credential == "c1"

    def test_a_password_that_got_out_is_void_and_what_began_with_it_ends(
        self, store: Store
    ):
        store.add_users([ALICE])
        store.add_session(session("s1", credential="c1"))
        store.add_browser(browser())

        assert store.save_password("alice", None) is True

        assert store.user("alice").password_hash is None
        assert store.user("alice").credential not in ("", "c1")
        assert store.sessions("alice") == []
        assert store.browsers("alice") == []
        assert store.revoked_since(0) == [Revocation(1, user="alice")]

    def test_another_form_of_the_hash_ends_nothing(self, store: Store):
        store.add_users([ALICE])
        store.add_session(session(credential="c1"))
        store.add_browser(browser())

        old = ALICE.password_hash
        assert store.renew_hash("alice", old, "new") is True

        assert store.user("alice").password_hash == "new"
        assert store.user("alice").credential == "c1"
        assert store.session("s1").credential == "c1"
        assert len(store.browsers("alice")) == 1
        assert store.last_revocation() == 0

    def test_a_password_changed_meanwhile_is_not_overwritten(self, store: Store):
        store.add_users([ALICE])
        store.save_password("alice", "another")

        assert store.renew_hash("alice", ALICE.password_hash, "new") is False
        assert store.user("alice").password_hash == "another"

    def test_an_unknown_user_has_no_password(self, store: Store):
        store.add_session(session())

        assert store.save_password("alice", "new") is False
        assert store.session("s1") is not None
        assert store.last_revocation() == 0


KEYS = ["password:alice", "code:alice", "device:b1", "password:bob", "device:b2"]


class TestCountsOfAnAccount:
    """What strangers and known browsers failed goes with what they failed at."""

    @pytest.fixture(autouse=True)
    def counted(self, store: Store):
        store.add_users([ALICE, User(name="bob")])
        store.add_authenticator(authenticator(), only=False)
        store.add_link(link())
        for one, user in (("b1", "alice"), ("b2", "bob")):
            store.add_browser(browser(one, user))
        store.begin_attempt(KEYS, now=START, judge=lambda _: None)

    @staticmethod
    def left(store: Store) -> set[str]:
        return {each.key for each in store.counts("", at_least=0)}

    @pytest.mark.parametrize(
        "end",
        [
            pytest.param(lambda store: store.remove_user("alice"), id="removed"),
            pytest.param(lambda s: s.save_password("alice", "x"), id="new password"),
            pytest.param(
                lambda store: store.redeem_link(
                    "l1",
                    authenticator=authenticator("a2"),
                    password_hash="x",
                    now=START,
                ),
                id="a link that sets a password",
            ),
            pytest.param(
                lambda store: store.remove_authenticators("alice"), id="all factors"
            ),
            pytest.param(
                lambda store: store.remove_authenticator("alice", "a1", even_last=True),
                id="the last factor",
            ),
        ],
    )
    def test_what_begins_anew_begins_without_failures(self, store: Store, end):
        assert end(store)

        assert self.left(store) == set(KEYS[3:])

    @pytest.mark.parametrize(
        "end",
        [
            pytest.param(lambda s: s.forget_browser("alice", "b1"), id="one"),
            pytest.param(
                lambda s: s.change_user("alice", disabled=True), id="disabled"
            ),
            pytest.param(
                lambda store: store.rotate_browser(
                    "b1", "alice", shown="?", next="x", now=START, grace=0
                ),
                id="a copy",
            ),
            pytest.param(
                lambda s: s.add_browser(browser("b3", created=START + 1), keep=1) or 1,
                id="too many",
            ),
        ],
    )
    def test_a_browser_that_is_forgotten_leaves_no_count(self, store: Store, end):
        assert end(store)

        assert self.left(store) == set(KEYS) - {"device:b1"}

    def test_a_browser_that_has_expired_leaves_no_count(self, store: Store, clock):
        clock.tick(86_401)

        store.forget_expired(idle_before=0, created_before=0)

        assert self.left(store) == {key for key in KEYS if "device" not in key}

    @pytest.mark.parametrize(
        "end",
        [
            pytest.param(lambda s: s.remove_user("carol"), id="nobody"),
            pytest.param(lambda s: s.forget_browser("bob", "b1"), id="not theirs"),
            pytest.param(lambda s: s.renew_hash("alice", "?", "x"), id="another form"),
            pytest.param(
                lambda store: store.redeem_link(
                    "l1", authenticator=authenticator("a2"), password_hash="", now=1e12
                ),
                id="a link that is over",
            ),
        ],
    )
    def test_what_changes_nothing_forgives_nothing(self, store: Store, end):
        assert not end(store)

        assert self.left(store) == set(KEYS)

    def test_a_link_for_an_authenticator_alone_forgives_nothing(self, store: Store):
        assert store.redeem_link(
            "l1", authenticator=authenticator("a2"), password_hash=None, now=START
        )

        assert self.left(store) == set(KEYS) - {"device:b1"}


LEFT = {
    "authenticator": lambda store, user: store.add_authenticator(
        authenticator(f"a {user}", user), only=False
    ),
    "session": lambda store, user: store.add_session(session(f"s {user}", user)),
    "link": lambda store, user: store.add_link(link(f"l {user}", user)),
    "recovery codes": lambda store, user: store.replace_recovery(user, ["r"], START),
    "browser": lambda store, user: store.add_browser(browser(f"b {user}", user)),
    "token": lambda store, user: store.add_token(
        AppToken(id=f"t {user}", user=user, digest=f"t {user}")
    ),
    "event": lambda store, user: store.add_event(event(user)),
}


class TestNobodyInherits:
    @pytest.mark.parametrize("what", LEFT.values(), ids=LEFT.keys())
    def test_what_is_left_under_the_name_of_a_new_user(self, store: Store, what):
        """Of a user of the settings file, say, whose entry was taken out."""
        for user in ("alice", "bob"):
            what(store, user)

        store.add_users([User(name="alice")])

        for user, left in (("alice", 0), ("bob", 1)):
            found = [
                *(store.authenticators(user), store.sessions(user)),
                *(store.browsers(user), store.tokens(user), store.events(user)),
                [1] * store.recovery_left(user),
                [one for one in [store.link(f"l {user}")] if one],
            ]
            assert sum(map(len, found)) == left

    def test_those_of_many_names_are_found(self, store: Store):
        store.add_session(session("s", "user 1234"))
        names = [f"user {number}" for number in range(1300)]

        store.add_users([User(name=name) for name in names])

        assert store.sessions(None) == []


class TestRemoveUser:
    def test_all_that_is_theirs_goes(self, store: Store):
        store.add_users([ALICE, User(name="bob")])
        for user in ("alice", "bob"):
            store.add_authenticator(authenticator(f"a {user}", user), only=False)
            store.add_session(session(f"s {user}", user))
            store.add_link(link(f"l {user}", user))
            store.replace_recovery(user, ["r"], START)
            store.add_browser(browser(f"b {user}", user))
            store.add_event(event(user))

        assert store.remove_user("alice") is True

        assert [user.name for user in store.users()] == ["bob"]
        for user, left in (("alice", 0), ("bob", 1)):
            assert len(store.authenticators(user)) == left
            assert len(store.sessions(user)) == left
            assert (store.link(f"l {user}") is not None) == bool(left)
            assert store.recovery_left(user) == left
            assert len(store.browsers(user)) == left
            assert len(store.events(user)) == left
        assert store.revoked_since(0) == [Revocation(1, user="alice")]

    @pytest.mark.parametrize("what", LEFT.values(), ids=LEFT.keys())
    def test_what_somebody_of_another_directory_left_goes_too(self, store: Store, what):
        what(store, "alice")
        what(store, "bob")

        assert store.remove_user("alice") is True
        assert store.remove_user("alice") is False
        assert store.remove_user("bob") is True

    def test_an_unknown_user_is_false(self, store: Store):
        assert store.remove_user("alice") is False
        assert store.last_revocation() == 0
