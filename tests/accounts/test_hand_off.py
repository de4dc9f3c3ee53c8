"""Only a complete session is ever carried, whoever asks for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.applications import echo
from totp_gate.accounts.guessing import Visitor
from totp_gate.accounts.handoff import Arrived, HandOffs, Lost
from totp_gate.accounts.live import LiveSessions
from totp_gate.core.signing import digest
from totp_gate.core.urls import parse_origin
from totp_gate.model import LoginState
from totp_gate.testing import Installation

HERE, THERE = map(parse_origin, ["https://app.example.com", "https://wiki.example.com"])


@pytest.fixture
def installation(tmp_path):
    made = Installation(echo, tmp_path)
    yield made
    made.accounts.store.close()


@pytest.fixture
def handoffs(installation):
    accounts = installation.accounts
    live = LiveSessions(
        store=accounts.store,
        directory=accounts.directory,
        references=accounts.references,
        limits=accounts.config.limits(),
        dress=lambda *_: {},
        clock=installation.clock,
    )
    live.catch_up(installation.clock())
    return HandOffs(
        store=accounts.store,
        tokens=accounts.tokens,
        references=accounts.references,
        sealer=accounts.sealer,
        live=live,
    )


@pytest.fixture
def begin(installation):
    """Begin a session of Alice's here, complete or not; return its cookie."""
    signin, now = installation.accounts.signin, installation.clock()
    installation.add_user("alice")
    user = installation.accounts.directory.find("alice")
    state = LoginState(user="alice", binding="b", at=now, credential=user.credential)

    def begin(*, complete: bool) -> str:
        how = signin.begin_session if complete else signin.begin_partial_session
        return how(state, user, Visitor(), host=HERE.host, now=now)[0]

    return begin


def give(handoffs, token, now, *, here=HERE):
    return handoffs.give(token, here=here, there=THERE, browser="b", now=now)


def take(handoffs, code, now, *, there=THERE, browser="b"):
    return handoffs.take(code, there=there, browser=browser, now=now)


def test_a_complete_session_is_carried(installation, handoffs, begin):
    now = installation.clock()
    code = give(handoffs, begin(complete=True), now)

    arrived = take(handoffs, code, now)

    assert isinstance(arrived, Arrived)
    assert arrived.live.user.name == "alice"
    assert arrived.live.host == THERE.host
    assert code not in repr(arrived)
    assert arrived.token not in repr(arrived)


def test_one_of_the_password_alone_is_not(installation, handoffs, begin):
    assert give(handoffs, begin(complete=False), installation.clock()) is None


def test_nothing_is_made_for_no_browser(installation, handoffs, begin):
    now = installation.clock()

    code = handoffs.give(
        begin(complete=True), here=HERE, there=THERE, browser="", now=now
    )

    assert code is None


def test_no_browser_fetches_what_was_made_for_none(
    installation, handoffs, begin, monkeypatch
):
    now, store = installation.clock(), installation.accounts.store
    code = give(handoffs, begin(complete=True), now)
    found = replace(store.take_hand_off(digest(code), now=now), browser="")
    monkeypatch.setattr(store, "take_hand_off", lambda *_, **__: found)

    assert take(handoffs, code, now, browser="") == Lost("another-browser")


def test_one_of_another_host_is_not(installation, handoffs, begin):
    token = begin(complete=True)

    assert give(handoffs, token, installation.clock(), here=THERE) is None


def test_an_app_token_is_not(installation, handoffs, begin):
    now = installation.clock()
    begin(complete=True)
    made = installation.accounts.app_tokens
    text, _ = made.make("alice", "ci", now=now, expires=now + 60)

    assert give(handoffs, text, now) is None


def test_one_that_lost_its_second_factor_on_the_way_is_not(
    installation, handoffs, begin
):
    now, store = installation.clock(), installation.accounts.store
    code = give(handoffs, begin(complete=True), now)
    (session,) = store.sessions("alice")
    store.end_session(session.id)
    store.add_session(replace(session, second_factor_at=None))

    assert take(handoffs, code, now) == Lost("session-over")
