"""What tests begin with is theirs alone."""

from __future__ import annotations

import pytest

from tests.web.forms import SESSION, cookie, give, is_in


@pytest.mark.parametrize("time", ["first", "second"])
def test_what_a_test_does_is_never_seen_by_the_next(installation, alice, browser, time):
    assert installation.accounts.store.user("bob") is None
    assert len(installation.accounts.store.sessions("alice")) == 1
    assert is_in(browser)

    installation.add_user("bob")
    installation.accounts.store.end_sessions("alice")
    installation.clock.tick(2)
    assert not is_in(browser)
    give(browser, SESSION, "nothing")


def test_copies_of_one_moment_go_ways_of_their_own(moments, tmp_path_factory):
    def begin():
        return moments.begin({"browser"}, tmp_path_factory.mktemp("copy"))

    first, second = begin(), begin()
    token = cookie(first["browser"])
    assert token
    assert cookie(second["browser"]) == token

    first["installation"].accounts.store.remove_user("alice")
    first["installation"].clock.tick(2)

    assert not is_in(first["browser"])
    assert is_in(second["browser"])
    assert second["installation"].clock() + 2 == first["installation"].clock()
    assert second["installation"].accounts.store.user("alice")
    for each in (first, second):
        each["installation"].accounts.store.close()


def test_nobody_is_there_who_was_not_asked_for(installation):
    assert installation.accounts.store.users() == []
    assert installation.client().get("/").headers["Location"].startswith("/_gate/login")


def test_whoever_is_asked_for_alone_is_not_signed_in(installation, alice):
    assert installation.accounts.store.sessions() == []
    assert is_in(installation.sign_in(alice))
