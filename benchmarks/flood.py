"""Requests of people who are signed in, while others flood the sign-in.

The flood is the worst that gets past the throttle: every attempt has a name and an
address of its own, so each costs one Argon2id. Once they try again without a pause, and
once with a short one, so that no more than so many come in a second. What counts is the
time that one request in a hundred exceeds, beside the same while nobody signs in. As
many strangers who only knock (and are sent to the sign-in) show what any flood does to
this machine. The budget is for gevent, where whoever has a session goes first; threads
are a queue of the server's, which strangers who never pause fill, whatever they ask.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import secrets
from collections.abc import Callable
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

from benchmarks import servers, signed_in
from benchmarks.load import Result, measure, request, running
from benchmarks.table import Row, figure, ratios, show
from tests.servers import Gunicorn, Nginx

BUDGET = 2.0
STRANGERS = 24
PEOPLE = 2
THREADS = 8
PAUSE = 0.1
RATE = round(STRANGERS / PAUSE)


def run(rounds: int, seconds: float) -> list[Row]:
    """Measure and print the table."""
    rows = []
    with contextlib.ExitStack() as stack:
        upstream = Nginx("keepalive_requests 1000000; location / { return 200 hello; }")
        stack.enter_context(upstream)
        proxy = f'[upstream]\nurl = "{upstream.url}"\n'
        for what, app, settings, worker_class in (
            (
                "proxy, gevent",
                "benchmarks.proxy_apps:gate_and_proxy()",
                proxy,
                "gevent",
            ),
            ("wrapped, gevent", "benchmarks.servers:gated()", "", "gevent"),
            ("wrapped, gthread", "benchmarks.servers:gated()", "", "gthread"),
        ):
            made = stack.enter_context(signed_in.installation(settings))
            cookie = signed_in.sign_in(made)
            server = _serve(app, made.path, worker_class)
            with server:
                rows += _rows(what, server, cookie, rounds, max(seconds, 1.5))
    return show(f"While {STRANGERS} others sign in without a pause", rows)


def _serve(app: str, settings: Path, worker_class: str) -> Gunicorn:
    return servers.serve(app, settings, worker_class=worker_class, threads=THREADS)


def _rows(
    what: str, server: Gunicorn, cookie: str, rounds: int, seconds: float
) -> list[Row]:
    idle: list[Result] = []
    flooded: list[Result] = []
    paced: list[Result] = []
    knocked: list[Result] = []
    attempts: list[Result] = []
    stranger = _stranger(server.port)
    for _ in range(rounds):
        idle.append(_people(server, cookie, seconds))
        beside, _ = _with_strangers(server, _knock, cookie, seconds)
        knocked.append(beside)
        beside, tried = _with_strangers(server, stranger, cookie, seconds)
        flooded.append(beside)
        attempts.append(tried)
        beside, _ = _with_strangers(server, stranger, cookie, seconds, pause=PAUSE)
        paced.append(beside)
    calm = [each.quantile(0.99) for each in idle]
    p99 = ratios([each.quantile(0.99) for each in flooded], calm)
    pausing = ratios([each.quantile(0.99) for each in paced], calm)
    knocking = ratios([each.quantile(0.99) for each in knocked], calm)
    p50 = ratios([r.quantile(0.5) for r in flooded], [r.quantile(0.5) for r in idle])
    judged = [r.statuses.get(401, 0) for r in attempts]
    turned_away = [r.statuses.get(503, 0) for r in attempts]
    _tell_others(what, attempts)
    budget = BUDGET if server.worker_class == "gevent" else None
    return [
        Row(f"{what}: p99 with the flood / without", p99, at_most=budget),
        Row(f"{what}: p99 with one of {RATE} a second / without", pausing),
        Row(f"{what}: p99 with strangers who knock / without", knocking),
        Row(f"{what}: p50 with the flood / without", p50),
        Row(f"{what}: sign-ins judged, in a round", judged),
        Row(f"{what}: sign-ins turned away, in a round", turned_away),
    ]


def _with_strangers(
    server: Gunicorn,
    what: Callable[[], bytes],
    cookie: str,
    seconds: float,
    *,
    pause: float = 0.0,
) -> tuple[Result, Result]:
    """Return what people and what strangers have seen, at the same time."""
    load = running(
        server.port, what, connections=STRANGERS, seconds=seconds + 1.5, pause=pause
    )
    with load as strangers:
        _people(server, cookie, 0.5)
        people = _people(server, cookie, seconds)
        return people, strangers()


def _knock() -> bytes:
    return request("/page", {**signed_in.BROWSER, "Host": signed_in.HOST})


def _tell_others(what: str, attempts: list[Result]) -> None:
    others = {status for each in attempts for status in each.statuses} - {401, 503}
    if others:
        print(f"{what}: sign-ins were also answered with {sorted(others)}")


def _people(server: Gunicorn, cookie: str, seconds: float) -> Result:
    headers = {
        **signed_in.BROWSER,
        "Host": signed_in.HOST,
        "Cookie": cookie,
        **signed_in.PROXIED,
    }
    sent = request("/page", headers)
    result = measure(server.port, lambda: sent, connections=PEOPLE, seconds=seconds)
    if set(result.statuses) != {200}:
        raise AssertionError(f"people got {result.statuses}")
    return result


def _stranger(port: int) -> Callable[[], bytes]:
    """Return what makes an attempt to sign in, each by somebody else."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/_gate/login", headers={"Host": signed_in.HOST})
    answer = connection.getresponse()
    page = answer.read().decode()
    cookie = str(answer.headers["Set-Cookie"]).partition(";")[0]
    connection.close()
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None, figure(answer.status)
    token = unescape(found[1])

    def attempt() -> bytes:
        fields = {"username": secrets.token_hex(6), "password": "wrong guess"}
        headers = {
            **signed_in.BROWSER,
            **signed_in.PROXIED,
            "Host": signed_in.HOST,
            "Cookie": cookie,
            "Origin": f"http://{signed_in.HOST}",
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Forwarded-For": ".".join(
                str(b) for b in b"\x0a" + secrets.token_bytes(3)
            ),
        }
        body = urlencode({**fields, "csrf_token": token}).encode()
        return request("/_gate/login", headers, method="POST", body=body)

    return attempt
