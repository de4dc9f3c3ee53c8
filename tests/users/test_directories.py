"""Directories: the settings file, the store, and both together."""

from __future__ import annotations

import pytest

from totp_gate.errors import ConfigError, StoreUnavailable
from totp_gate.model import User
from totp_gate.stores.base import Store
from totp_gate.stores.sql import open_store
from totp_gate.users.base import Directory
from totp_gate.users.combined import Combined
from totp_gate.users.stored import StoredUsers
from totp_gate.users.toml import FileUsers


@pytest.fixture
def store():
    store = open_store("sqlite://")
    yield store
    store.close()


def file_users(*names: str) -> FileUsers:
    return FileUsers(
        [User(name=name, password_hash=f"hash of {name}") for name in names]
    )


class TestFileUsers:
    def test_a_user_is_found_by_the_canonical_name(self):
        users = file_users("Alice")

        assert users.find("alice").name == "alice"
        assert users.find("Alice") is None

    def test_people_see_the_name_as_it_was_written(self):
        assert file_users("Alice").find("alice").display == "Alice"
        assert file_users("alice").find("alice").display == ""

    def test_users_say_where_they_come_from(self):
        assert file_users("alice").find("alice").source == "file"

    def test_everyone_comes_by_name(self):
        assert [user.name for user in file_users("carol", "Bob").everyone()] == [
            "bob",
            "carol",
        ]

    def test_two_spellings_of_one_name_are_refused(self):
        with pytest.raises(ConfigError) as refused:
            file_users("bob", "alice", "\uff21lice")

        assert [key for key, _ in refused.value.problems] == ["users.2.name"]

    def test_a_name_of_blanks_is_refused(self):
        with pytest.raises(ConfigError, match="empty"):
            file_users("alice", " ")

    def test_the_file_is_never_written(self):
        users = file_users("alice")

        assert users.renew_hash("alice", "hash", "other") is False
        assert users.find("alice").password_hash == "hash of alice"

    def test_another_password_is_another_credential(self):
        before = FileUsers([User(name="alice", password_hash="one")]).find("alice")
        same = FileUsers([User(name="alice", password_hash="one")]).find("alice")
        after = FileUsers([User(name="alice", password_hash="two")]).find("alice")

        assert before.credential == same.credential
        assert before.credential != after.credential
        assert "one" not in before.credential


class TestStoredUsers:
    def test_a_user_of_the_store_is_found(self, store: Store):
        store.add_users([User(name="alice")])

        assert StoredUsers(store).find("alice").source == "store"
        assert StoredUsers(store).find("bob") is None

    def test_who_is_removed_is_gone_at_once(self, store: Store):
        store.add_users([User(name="alice")])
        users = StoredUsers(store)

        store.remove_user("alice")

        assert users.find("alice") is None

    def test_everyone_comes_by_name(self, store: Store):
        store.add_users([User(name="bob"), User(name="alice")])

        assert [u.name for u in StoredUsers(store).everyone()] == ["alice", "bob"]

    def test_another_form_of_the_hash_leaves_the_credential(self, store: Store):
        store.add_users([User(name="alice", password_hash="old form")])
        users = StoredUsers(store)
        before = users.find("alice")

        assert users.renew_hash("alice", "old form", "new form") is True
        assert users.renew_hash("alice", "old form", "newer form") is False
        assert users.renew_hash("nobody", "old form", "new form") is False

        after = users.find("alice")
        assert after.password_hash == "new form"
        assert after.credential == before.credential

    def test_a_store_that_is_closed_lets_nobody_in(self, store: Store):
        store.close()

        with pytest.raises(StoreUnavailable):
            StoredUsers(store).find("alice")


class TestCombined:
    def test_the_first_directory_that_knows_a_name_wins(self, store: Store):
        store.add_users([User(name="alice"), User(name="bob")])
        users = Combined([file_users("alice"), StoredUsers(store)])

        assert users.find("alice").source == "file"
        assert users.find("bob").source == "store"
        assert users.find("carol") is None

    def test_a_name_known_to_two_is_a_problem(self, store: Store):
        store.add_users([User(name="alice"), User(name="bob")])
        users = Combined([file_users("alice"), StoredUsers(store)])

        assert users.problems() == [
            ("users", "alice is both in file and in store; remove or rename one")
        ]
        with pytest.raises(ConfigError):
            users.check()

    def test_names_known_to_one_each_are_no_problem(self, store: Store):
        store.add_users([User(name="bob")])

        assert Combined([file_users("alice"), StoredUsers(store)]).problems() == []

    def test_everyone_is_listed_once(self, store: Store):
        store.add_users([User(name="alice"), User(name="aaron")])
        users = Combined([file_users("alice", "bob"), StoredUsers(store)])

        listed = [(user.name, user.source) for user in users.everyone()]

        assert listed == [("aaron", "store"), ("alice", "file"), ("bob", "file")]

    def test_a_hash_is_saved_only_where_the_user_was_found(self, store: Store):
        store.add_users([User(name="alice"), User(name="bob", password_hash="old")])
        users = Combined([file_users("alice"), StoredUsers(store)])

        assert users.renew_hash("bob", "old", "new") is True
        assert users.renew_hash("alice", "old", "new") is False
        assert users.renew_hash("carol", "old", "new") is False

        assert store.user("bob").password_hash == "new"
        assert store.user("alice").password_hash is None

    def test_all_three_are_directories(self, store: Store):
        directories: list[Directory] = [
            file_users("alice"),
            StoredUsers(store),
            Combined([]),
        ]

        assert all(directory.find("nobody") is None for directory in directories)
