"""However sessions, people and the clock change: who remembers says what the state says.

Two gates share a state. One remembers what it permitted, as ever; the other is made to
forget everything before each request, so it is the measure.
"""

import dataclasses
import itertools
import tempfile
import weakref
from functools import cache, partial
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from tests.applications import echo
from tests.gate.test_passages import answer_of, cookies_of, environ_of
from tests.moments import Moment
from totp_gate.testing import Installation

RULES = """
[[rules]]
name = "open"
paths = ["/open/*"]
policy = "public"

[[rules]]
name = "staff"
paths = ["/staff/*"]
groups = ["staff"]

[[rules]]
name = "fresh"
paths = ["/fresh"]
max_age = "5m"
"""
PATHS = ("/", "/staff/", "/fresh", "/open/", "/?page=2")
PEOPLE = ("alice", "bob")

some = st.sampled_from


def new_folder():
    return tempfile.TemporaryDirectory(prefix="totp_gate-")


@cache
def with_two_people():
    """The house every example begins with, made once."""
    folder = new_folder()
    make = partial(Installation, echo, settings=RULES)
    moment = Moment(make, Path(folder.name), {"people": two_people})
    weakref.finalize(moment, folder.cleanup)
    return moment


def two_people(house):
    return {name: house.add_user(name, groups=["staff"]) for name in PEOPLE}


class Remembering(RuleBasedStateMachine):
    """A house in which anything may change between two requests."""

    def __init__(self):
        super().__init__()
        self.folder = new_folder()
        made = with_two_people().again(Path(self.folder.name))
        self.house, self.people = made["installation"], made["people"]
        self.measure = self.house._open()
        self.cookies = []
        self.newest = 0.0

    def teardown(self):
        self.measure.accounts.store.close()
        self.house.accounts.store.close()
        self.folder.cleanup()

    @property
    def stores(self):
        """Of this process, and of what might as well be another."""
        return self.house.accounts.store, self.measure.accounts.store

    @initialize(name=some(PEOPLE))
    def begin(self, name):
        self.sign_in(name)

    @rule(name=some(PEOPLE))
    @precondition(lambda self: len(self.cookies) < 4)
    def sign_in(self, name):
        user = self.house.accounts.store.user(name)
        if user is None or user.disabled:
            return
        # No code is accepted before the last one, also where the clock went back.
        self.newest = self.house.clock.now = max(self.newest, self.house.clock()) + 60
        self.cookies.append(cookies_of(self.house.sign_in(self.people[name])))

    @rule(seconds=some([1, 29, 100, 301, 700, 5000, -40, -400]))
    def wait(self, seconds):
        self.house.clock.tick(seconds)

    @rule(store=some([0, 1]), which=st.integers(0, 3))
    def end_one(self, store, which):
        sessions = self.stores[store].sessions(None)
        if which < len(sessions):
            self.stores[store].end_session(sessions[which].id)

    @rule(store=some([0, 1]), name=some([*PEOPLE, None]))
    def end_all(self, store, name):
        self.stores[store].end_sessions(name)

    @rule(store=some([0, 1]), name=some(PEOPLE), disabled=st.booleans())
    def disable(self, store, name, disabled):
        self.stores[store].change_user(name, disabled=disabled)

    @rule(store=some([0, 1]), name=some(PEOPLE), groups=some([(), ("staff",)]))
    def regroup(self, store, name, groups):
        self.stores[store].change_user(name, groups=groups)

    @rule(store=some([0, 1]), name=some(PEOPLE), keep=st.booleans())
    def renew_password(self, store, name, keep):
        user = self.stores[store].user(name)
        sessions = self.stores[store].sessions(name)
        kept = sessions[0].id if keep and sessions else ""
        self.stores[store].save_password(name, user.password_hash, keep=kept)

    @rule(store=some([0, 1]), which=st.integers(0, 3))
    def replace(self, store, which):
        """As after a fresh code: the session goes on under another id."""
        sessions = self.stores[store].sessions(None)
        if which < len(sessions):
            old = sessions[which]
            fresh = dataclasses.replace(old, id=old.id[::-1])
            self.stores[store].replace_session(old.id, fresh)

    @invariant()
    def both_say_the_same(self):
        for cookie, path in itertools.product(["theme=dark", *self.cookies], PATHS):
            asked = environ_of(cookie, path)
            remembered = answer_of(self.house.gate, asked)
            self.measure._passages._known.clear()
            self.measure._judgement.live._forget_all()
            assert answer_of(self.measure, asked) == remembered, (cookie, path)


TestRemembering = Remembering.TestCase
TestRemembering.settings = settings(
    max_examples=10,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
