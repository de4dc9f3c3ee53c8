"""What strangers send costs no memory and little time, whatever they send."""

import time

import pytest

from totp_gate.core.urls import MEMO_LENGTH
from totp_gate.web import judgement

LONG = "x" * 7000


def arrivals(installation):
    return installation.gate._parts.arrivals


def test_no_long_target_is_remembered(installation):
    stranger = installation.client()
    for number in range(50):
        stranger.get(f"/{number}//%2F;a//b;c{LONG}")
    stranger.get("/short")

    known = arrivals(installation)._places
    assert "/short" in known
    assert max(map(len, known)) <= MEMO_LENGTH


def test_no_long_host_is_remembered(installation):
    for number in range(50):
        installation.client().get("/", headers={"Host": f"{number}.{LONG[:5000]}"})

    for key in arrivals(installation)._callers:
        assert sum(len(part or "") for part in key) <= MEMO_LENGTH


def test_no_long_path_of_a_session_is_remembered(installation, browser):
    assert browser.get(f"/{LONG}").status_code == 200
    browser.get("/short")

    ((live, _),) = installation.gate._judgement._known.values()
    permits = {key[1] for key in live.permits}
    assert "/short" in permits
    assert max(map(len, permits)) <= judgement.LONGEST_PERMIT


def test_no_long_cookie_is_remembered_and_it_works_all_the_same(installation, browser):
    for name in ("one", "two"):
        browser.set_cookie(name, LONG[:3000], domain="app.example.com")

    cookies = browser.get("/").json["HTTP_COOKIE"]
    assert cookies == f"one={LONG[:3000]}; two={LONG[:3000]}"
    known = installation.gate._judgement._known
    assert max(map(len, known), default=0) <= judgement.LONGEST_KNOWN


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/%252525252525252F" + ";" * 8000 + "/", id="parameters"),
        pytest.param("/" + ";" * 8100 + "/x;y", id="parameters of the last segment"),
        pytest.param("/%25252F" + "%25" * 2600 + "/%3B", id="escapes of escapes"),
        pytest.param("/%2F" + "/" * 8100 + ";", id="slashes"),
        pytest.param("/%23%3F" + "%253F" * 1600, id="questions"),
    ],
)
def test_no_target_costs_more_than_a_moment(installation, path):
    stranger = installation.client()
    began = time.process_time()

    stranger.get(path)

    # Far above what it takes (hundredths), far below what a square of it would.
    assert time.process_time() - began < 0.3
