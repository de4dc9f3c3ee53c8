"""Many wrong codes at once, over several workers: the budget is one for all of them."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial

from tests.integration.house import House, at_once
from tests.integration.visitor import form_of

POSTS = 200
WORKERS = 4
JUDGED = 5  # four are free, and the one that meets the first wait


def test_of_two_hundred_wrong_codes_no_more_are_judged_than_the_budget_allows(folder):
    app = "tests.integration.wrapped_patient:application"
    with House(
        folder,
        app,
        workers=WORKERS,
        worker_class="gthread",
        settings='[audit]\nfile = "audit.log"\n',
        gate={"trusted_proxies": ["127.0.0.0/8"]},
    ) as house:
        person = house.person("alice")
        half_way = house.visitor()
        shown = half_way.prove_password(person.name, person.password)
        action, hidden = form_of(shown, "code")
        wrong = str((int(house.installation.code(person)) + 500_000) % 10**6).zfill(6)

        def guess(number):
            thief = half_way.copy()
            thief.headers["X-Forwarded-For"] = f"10.3.0.{number}"
            return thief.post(action, code=wrong, **hidden)

        answers = at_once(partial(guess, number) for number in range(POSTS))

        assert Counter(each.status for each in answers) == {
            401: JUDGED,
            429: POSTS - JUDGED,
        }
        store = house.installation.accounts.store
        assert store.count("code:alice").failures == JUDGED
        written = (folder / "audit.log").read_text().splitlines()
        said = [json.loads(line) for line in written]
        codes = [line for line in said if line["event"] == "sign-in.code"]
        outcomes = Counter(line["outcome"] for line in codes)
        assert outcomes["failure"] == JUDGED
        # What was not judged has a line a minute for each address, and not all.
        assert 0 < outcomes["locked"] <= POSTS - JUDGED
        assert len({line["address"] for line in codes}) == len(codes)
