"""How much of a worker's speed is left behind gate and proxy, with nginx as upstream.

The same gevent worker, the same parser, the same request of somebody who is signed in.
Beside the whole stand its parts: the worker that answers hello world itself, the proxy
without the gate, and the same proxy written on urllib3, with the gate and without.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import partial

from benchmarks import servers, signed_in
from benchmarks.load import Result, measure, request
from benchmarks.servers import (
    Contestant,
    compare,
    on_first_core,
    on_other_cores,
)
from benchmarks.table import Row, ratios, show
from tests.servers import Gunicorn, Nginx, Server

OF_HELLO = 0.55
OF_URLLIB3 = 1.8
CONNECTIONS = 16
SCALE = (1, 16, 64, 256)
APPS = {
    "hello": "benchmarks.signed_in:hello",
    "again": "benchmarks.signed_in:hello",
    "gate": "benchmarks.proxy_apps:gate_and_proxy()",
    "proxy": "benchmarks.proxy_apps:proxy()",
    "gate, urllib3": "benchmarks.proxy_apps:gate_and_urllib3()",
    "urllib3": "benchmarks.proxy_apps:on_urllib3()",
}


def run(rounds: int, seconds: float) -> list[Row]:
    """Measure and print the tables."""
    with contextlib.ExitStack() as stack:
        upstream = Nginx("keepalive_requests 1000000; location / { return 200 hello; }")
        stack.enter_context(upstream)
        made = stack.enter_context(
            signed_in.installation(f'[upstream]\nurl = "{upstream.url}"\n', trusted=())
        )
        headers = {**signed_in.BROWSER, "Host": signed_in.HOST}
        sent = request("/page", {**headers, "Cookie": signed_in.sign_in(made)})
        env = {"UPSTREAM": upstream.url, "BENCHMARK_SETTINGS": str(made.path)}
        contestants = {
            name: Contestant(partial(_serve, app, env), sent)
            for name, app in APPS.items()
        }
        compared = _compare(contestants, rounds, seconds)
        return [*compared, *_scale(contestants, rounds, seconds)]


def _serve(app: str, env: Mapping[str, str]) -> Gunicorn:
    return Gunicorn(
        app, worker_class="gevent", env=dict(env), arguments=servers.ARGUMENTS
    )


def _compare(
    contestants: Mapping[str, Contestant], rounds: int, seconds: float
) -> list[Row]:
    rates, costs = compare(contestants, rounds, seconds, CONNECTIONS)
    return show(
        "The proxy, one gevent worker, 16 connections",
        [
            *_rows("answers a second", rates, judged=True),
            *_rows("answers for the same processor time", costs, judged=False),
        ],
    )


def _rows(what: str, values: dict[str, list[float]], *, judged: bool) -> list[Row]:
    def row(upper: str, lower: str, budget: float | None = None) -> Row:
        text = f"{what}, {_NAMES[upper]} / {_NAMES[lower]}"
        at_least = budget if judged else None
        return Row(text, ratios(values[upper], values[lower]), at_least)

    return [
        row("gate", "hello", OF_HELLO),
        row("gate", "gate, urllib3", OF_URLLIB3),
        row("gate", "urllib3"),
        row("proxy", "hello"),
        row("proxy", "urllib3"),
        row("again", "hello"),
    ]


_NAMES = {
    "hello": "hello world",
    "again": "hello world",
    "gate": "gate and proxy",
    "proxy": "proxy",
    "gate, urllib3": "gate and urllib3",
    "urllib3": "urllib3",
}


def _scale(
    contestants: Mapping[str, Contestant], rounds: int, seconds: float
) -> list[Row]:
    """Return how the cost changes with the number of connections."""
    gate, hello = contestants["gate"], contestants["hello"]

    def ask(server: Server, connections: int) -> Result:
        result = measure(
            server.port, lambda: gate.sent, connections=connections, seconds=seconds
        )
        assert set(result.statuses) == {200}, result.statuses
        return result

    pairs: dict[int, list[tuple[Result, Result]]] = {number: [] for number in SCALE}
    for _ in range(max(3, rounds // 2)):
        with contextlib.ExitStack() as stack:
            with on_first_core():
                ours, bare = map(stack.enter_context, (gate.begin(), hello.begin()))
            with on_other_cores():
                for connections, found in pairs.items():
                    found.append((ask(ours, connections), ask(bare, connections)))
    rows = []
    for connections, both in pairs.items():
        rates = [ours.rate / bare.rate for ours, bare in both]
        late = [ours.quantile(0.99) / ours.quantile(0.5) for ours, _ in both]
        rows += [
            Row(f"{connections} connections: gate and proxy / hello world", rates),
            Row(f"{connections} connections: p99 / p50 of gate and proxy", late),
        ]
    return show("The same as connections grow", rows)
