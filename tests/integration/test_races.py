"""A code counts once, however many post it at once, and whatever restarts in between."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest

from tests.integration.house import CLASSES, SESSION, House, at_once
from tests.integration.visitor import form_of
from totp_gate.core import otp
from totp_gate.model import User

POSTS = 50
WORKERS = 4


def wait_at_the_code(house, person, posts=POSTS):
    """Return the posts of the right code, each with a proven password of its own."""

    def prove(_):
        visitor = house.visitor()
        return visitor, visitor.prove_password(person.name, person.password)

    # A few at a time: attempts that are still being judged count as failures.
    ready = []
    for start in range(0, posts, 2):
        ready += at_once(partial(prove, number) for number in (start, start + 1))
    return ready


def post(code, visitor, page):
    action, hidden = form_of(page, "code")
    return visitor.post(action, code=code, **hidden)


@pytest.mark.parametrize("worker_class", CLASSES)
def test_of_fifty_posts_of_one_code_one_begins_a_session(folder, worker_class):
    app = "tests.integration.wrapped_unbounded:application"
    with House(folder, app, workers=WORKERS, worker_class=worker_class) as house:
        person = house.person()
        ready = wait_at_the_code(house, person)
        assert len({tuple(visitor.cookies.items()) for visitor, _ in ready}) == POSTS
        code = house.installation.code(person)

        answers = at_once(partial(post, code, *each) for each in ready)

        assert Counter(each.status for each in answers) == {303: 1, 401: POSTS - 1}
        assert house.sessions == 1
        winners = [visitor for visitor, _ in ready if SESSION in visitor.cookies]
        assert len(winners) == 1
        assert winners[0].get().status == 200

        house.restart()

        assert winners[0].get().status == 200
        late = house.visitor()
        page = late.prove_password(person.name, person.password)
        assert post(code, late, page).status == 401
        assert late.get().status == 303
        assert house.sessions == 1


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """Four workers, with room for many wrong codes."""
    folder = tmp_path_factory.mktemp("races")
    app = "tests.integration.wrapped_unbounded:application"
    with House(folder, app, workers=WORKERS) as made:
        yield made


def test_of_twenty_uses_of_one_recovery_code_one_signs_in(house):
    person = house.person()
    codes = house.installation.accounts.recovery.renew(person.name, now=1.0)
    ready = [
        (visitor, visitor.get("/_gate/recovery"))
        for visitor, _ in wait_at_the_code(house, person, 20)
    ]

    answers = at_once(partial(post, codes[0], *each) for each in ready)

    assert Counter(each.status for each in answers) == {303: 1, 401: 19}
    assert house.installation.accounts.recovery.left(person.name) == 9


def test_of_twenty_uses_of_one_counter_one_signs_in(house):
    person = house.person(enrolled=False)
    accounts = house.installation.accounts
    factor = accounts.factors.draw(kind="hotp")
    ready = accounts.factors.sealed(factor, person.name, name="x", last=-1, now=1.0)
    accounts.store.add_authenticator(ready, only=True)
    code = otp.code_at(factor.seed, 0, accounts.factors.params)

    waiting = wait_at_the_code(house, person, 20)
    answers = at_once(partial(post, code, *each) for each in waiting)

    assert Counter(each.status for each in answers) == {303: 1, 401: 19}


def test_of_twenty_uses_of_one_link_one_connects_an_authenticator(house):
    accounts = house.installation.accounts
    accounts.store.add_users([User(name="linked")])
    now = house.installation.clock()
    secret, _ = accounts.enrollment.make_link("linked", "authenticator", now=now)

    def open_link():
        visitor = house.visitor()
        shown = visitor.get(f"/_gate/enroll/{secret}")
        action, hidden = form_of(shown)
        page = visitor.post(action, **hidden)
        key = page.text.partition('<code class="key">')[2].partition("<")[0]
        seed = otp.parse_secret(key)
        step = otp.step_at(house.installation.clock(), accounts.factors.params)
        return visitor, page, otp.code_at(seed, step, accounts.factors.params)

    opened = [open_link() for _ in range(20)]
    answers = at_once(
        partial(post, code, visitor, page) for visitor, page, code in opened
    )

    assert Counter(each.status for each in answers) == {303: 1, 404: 19}
    assert len(accounts.store.authenticators("linked")) == 1
