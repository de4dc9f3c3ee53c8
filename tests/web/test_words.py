"""What the owner of an account reads."""

import math
from dataclasses import replace

import pytest

from totp_gate.model import AppToken, Authenticator, Browser, Event, Session
from totp_gate.telemetry.inventory import EVENTS, MOST_ALIKE, MOST_KEPT
from totp_gate.web import words

CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
PASSED = "sign-in.password"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Firefox on Linux",
            id="Firefox",
        ),
        pytest.param(
            f"{WINDOWS} {CHROME} Safari/537.36", "Chrome on Windows", id="Chrome"
        ),
        pytest.param(
            f"{WINDOWS} {CHROME} Safari/537.36 Edg/140.0.0.0",
            "Edge on Windows",
            id="Edge",
        ),
        pytest.param(
            f"{WINDOWS} {CHROME} Safari/537.36 OPR/120.0",
            "Opera on Windows",
            id="Opera",
        ),
        pytest.param(
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, "
            "like Gecko) Version/18.0 Safari/605.1.15",
            "Safari on macOS",
            id="Safari",
        ),
        pytest.param(
            f"{IPHONE} (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
            "Safari on iOS",
            id="Safari on a phone",
        ),
        pytest.param(
            f"{IPHONE} (KHTML, like Gecko) CriOS/140.0 Mobile/15E148 Safari/604.1",
            "Chrome on iOS",
            id="Chrome on a phone",
        ),
        pytest.param(
            f"{IPHONE} (KHTML, like Gecko) FxiOS/140.0 Mobile/15E148 Safari/605.1.15",
            "Firefox on iOS",
            id="Firefox on a phone",
        ),
        pytest.param(
            f"Mozilla/5.0 (Linux; Android 15; Pixel 9) {CHROME} Mobile Safari/537.36",
            "Chrome on Android",
            id="Android",
        ),
        pytest.param(
            f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {CHROME} Safari/537.36",
            "Chrome on ChromeOS",
            id="ChromeOS",
        ),
        pytest.param("curl/8.14.1", "curl/8.14.1", id="a program"),
        pytest.param("x" * 100, "x" * 40, id="something long"),
        pytest.param("", "Unknown browser", id="nothing"),
    ],
)
def test_a_browser_has_a_name_people_know(text, said):
    assert words.agent(text) == said


def test_a_time_says_its_zone():
    assert words.when(0) == "1970-01-01 00:00 UTC"
    assert words.when(1_700_000_059.9) == "2023-11-14 22:14 UTC"


def test_a_session_knows_whether_it_is_this_one():
    one = Session(id="a", user="alice", created=0, seen=60, password_at=0)

    assert words.session(one, here="a")["here"]
    assert not words.session(one, here="b")["here"]
    assert words.session(one, here="b")["seen"] == "1970-01-01 00:01 UTC"


def test_an_authenticator_says_when_it_was_used():
    one = Authenticator(id="a", user="alice", name="Phone", sealed="x", created=60)

    said = words.authenticator(one, removable=True)

    assert said["created"] == "1970-01-01 00:01 UTC"
    assert said["used"] is None
    assert (said["removable"], said["renamable"]) == (True, True)


def test_an_authenticator_of_the_settings_says_so():
    said = words.authenticator(Authenticator(id="a", user="alice"), removable=False)

    assert said["created"] == "in the settings"
    assert not said["renamable"]


def test_a_browser_is_told_by_its_last_use():
    one = Browser(id="a", user="alice", current="x", created=0, rotated=60)

    assert words.browser(one)["seen"] == "1970-01-01 00:01 UTC"
    assert words.browser(one)["since"] == "1970-01-01 00:00 UTC"


@pytest.mark.parametrize(
    ("expires", "now", "said"),
    [
        pytest.param(60, 59, ("1970-01-01 00:01 UTC", False), id="soon"),
        pytest.param(60, 60, ("1970-01-01 00:01 UTC", True), id="now"),
        pytest.param(math.inf, 1e12, (None, False), id="never"),
    ],
)
def test_a_token_says_until_when_it_is_good(expires, now, said):
    one = AppToken(id="a", user="alice", digest="x", expires=expires)

    shown = words.token(one, now=now)

    assert (shown["expires"], shown["expired"]) == said


@pytest.mark.parametrize(
    ("left", "start"),
    [
        (0, "No recovery code is left."),
        (1, "1 recovery code is"),
        (9, "9 recovery codes are"),
    ],
)
def test_recovery_codes_are_counted_in_words(left, start):
    assert words.recovered(left).startswith(start)


@pytest.mark.parametrize(
    ("offset", "said"),
    [
        pytest.param(90, "", id="ahead: guesses would learn of it"),
        pytest.param(0, "", id="right"),
        pytest.param(-31, "about 1 min behind", id="a little behind"),
        pytest.param(-300, "about 5 min behind", id="five minutes"),
    ],
)
def test_a_clock_that_is_behind_is_told(offset, said):
    assert said in words.clock(offset)
    assert bool(words.clock(offset)) is bool(said)


@pytest.mark.parametrize(
    "name", [name for name, kind in EVENTS.items() if kind.kept and not kind.gate]
)
def test_every_event_an_owner_sees_is_in_words(name):
    said = {
        words.event(Event(user="alice", at=0, event=name, outcome=outcome))["what"]
        for outcome in ("success", "failure")
    }

    assert any(not one.startswith(name) for one in said)


def test_an_event_nobody_has_words_for_is_told_by_its_name():
    one = Event(user="alice", at=0, event="new-thing", outcome="success", address="::1")

    assert words.event(one) == {
        "when": "1970-01-01 00:00 UTC",
        "what": "new-thing: success",
        "address": "::1",
    }


@pytest.mark.parametrize(
    ("events", "said"),
    [
        pytest.param(["sign-in.code", PASSED], ["Signed in"], id="a sign-in"),
        pytest.param(
            ["browser.passed", PASSED],
            ["Signed in from a trusted browser"],
            id="by a trusted browser",
        ),
        pytest.param([PASSED], ["The right password was typed"], id="no code"),
        pytest.param(
            ["sign-in.code", PASSED, PASSED],
            ["Signed in", "The right password was typed"],
            id="each with its own",
        ),
        pytest.param(
            ["sign-in.code", "!sign-in.code", PASSED],
            ["Signed in", "A wrong code was typed after the right password"],
            id="after a wrong code",
        ),
        pytest.param(
            ["password-changed=link"], ["A link set another password"], id="a link"
        ),
    ],
)
def test_a_sign_in_is_one_line(events, said):
    assert [one["what"] for one in words.events(happened(*events))] == said


def test_the_password_of_another_browser_is_told():
    (done,), (typed,) = happened("sign-in.code"), happened(PASSED)

    told = words.events([done, replace(typed, address="192.0.2.7")])

    assert len(told) == 2


def happened(*names):
    """Events from the newest to the oldest; ``!`` marks a failure, ``=`` a detail."""
    found = []
    for name in names:
        plain, _, detail = name.lstrip("!").partition("=")
        outcome = "failure" if name.startswith("!") else "success"
        found.append(
            Event(user="alice", at=0, event=plain, outcome=outcome, detail=detail)
        )
    return found


IN = "sign-in.code"


@pytest.mark.parametrize(
    ("events", "said"),
    [
        pytest.param([], None, id="nothing ever happened"),
        pytest.param([IN], None, id="a quiet account"),
        pytest.param([IN, "enrollment", "link-made"], None, id="only before the last"),
        pytest.param(
            ["enrollment", "link-made"], None, id="before the first sign-in of all"
        ),
        pytest.param(
            ["password-changed", IN], "your password was changed", id="a change"
        ),
        pytest.param(
            [f"!{IN}", IN],
            "a wrong code was typed once after the right password",
            id="a guess",
        ),
        pytest.param(
            [f"!{IN}", "!sign-in.recovery", f"!{IN}", IN],
            "a wrong code was typed 3 times after the right password",
            id="guesses of both kinds",
        ),
        pytest.param(
            [f"!{IN}"] * MOST_ALIKE + ["!sign-in.recovery", IN],
            "a wrong code was typed 7 times or more after the right password",
            id="more guesses than are kept",
        ),
        pytest.param(
            ["!sign-in.password", "!sign-in.password", IN],
            None,
            id="wrong passwords are anybody's",
        ),
        pytest.param(["!enrollment", IN], None, id="an enrollment that failed"),
        pytest.param(
            ["!browser.replayed", IN],
            "a copied cookie of a trusted browser was detected",
            id="a copy",
        ),
        pytest.param(
            ["token-made", "token-made", IN], "an app token was made", id="told once"
        ),
        pytest.param(
            ["password-changed=link", IN],
            "a link set another password and connected an authenticator",
            id="by a link",
        ),
        pytest.param(["recovery-renewed=first", IN], None, id="the first codes"),
        pytest.param(
            ["recovery-renewed", IN], "new recovery codes were made", id="other codes"
        ),
        pytest.param(
            ["sign-in.recovery", IN],
            "a recovery code was used",
            id="by a recovery code",
        ),
        pytest.param(
            ["browser.passed", "password-changed", IN],
            None,
            id="a trusted browser was told already",
        ),
        pytest.param(
            ["proof.code", "session-ended", "sign-out", IN], None, id="what one does"
        ),
    ],
)
def test_who_is_half_way_in_hears_what_happened_since(events, said):
    news = words.news(happened(*events), signed_in=False)

    assert news == (said and f"Since your last sign-in: {said}.")


@pytest.mark.parametrize(
    ("events", "said"),
    [
        pytest.param([IN], None, id="the first sign-in"),
        pytest.param([IN, "enrollment"], None, id="what led to the first sign-in"),
        pytest.param([IN, IN], None, id="nothing in between"),
        pytest.param(
            [IN, "enrollment", IN], "an authenticator was connected", id="in between"
        ),
        pytest.param(
            ["password-changed", IN, "enrollment", IN],
            "an authenticator was connected",
            id="not what was done now",
        ),
        pytest.param(
            ["sign-in.recovery", IN], None, id="not by which code one came now"
        ),
    ],
)
def test_who_is_in_hears_what_happened_in_between(events, said):
    news = words.news(happened(*events), signed_in=True)

    assert news == (said and f"Since your last sign-in: {said}.")


@pytest.mark.parametrize("signed_in", [True, False])
def test_a_flood_of_failures_does_not_hide_itself(signed_in):
    flood = happened(*[IN] * signed_in, *[f"!{IN}"] * MOST_KEPT)[:MOST_KEPT]

    assert "a wrong code was typed" in words.news(flood, signed_in=signed_in)


def test_news_are_one_sentence():
    news = words.news(
        happened("password-changed", f"!{IN}", "enrollment", IN), signed_in=False
    )

    assert news == (
        "Since your last sign-in: a wrong code was typed once after the right "
        "password; your password was changed; an authenticator was connected."
    )
