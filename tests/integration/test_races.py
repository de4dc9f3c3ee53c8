"""A code counts once, however many post it at once, and whatever restarts in between."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest

from tests.integration.house import CLASSES, SESSION, House, at_once
from tests.integration.visitor import form_of

POSTS = 50
WORKERS = 4


def wait_at_the_code(house, person):
    """Return the posts of the right code, each with a proven password of its own."""

    def prove(_):
        visitor = house.visitor()
        return visitor, visitor.prove_password(person.name, person.password)

    # A few at a time: attempts that are still being judged count as failures.
    ready = []
    for start in range(0, POSTS, 2):
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
