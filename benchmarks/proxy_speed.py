"""How much of a worker's speed is left behind the proxy, with nginx as upstream.

    python -m benchmarks.proxy_speed [--rounds 7] [--seconds 2]

Each round measures every contestant once, in turn, so that a noisy machine is noisy for
all of them; what counts are the ratios within a round.
"""

from __future__ import annotations

import argparse

from benchmarks.proxy_load import measure, spread
from tests.servers import Gunicorn, Nginx

APPS = {
    "hello": "benchmarks.proxy_apps:hello",
    "proxy": "benchmarks.proxy_apps:proxy()",
    "urllib3": "benchmarks.proxy_apps:on_urllib3()",
}


def main() -> None:
    """Measure and print tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--worker-class", default="gevent")
    options = parser.parse_args()
    upstream = Nginx("keepalive_requests 1000000; location / { return 200 hello; }")
    with upstream:
        env = {"UPSTREAM": upstream.url}
        servers = {
            name: Gunicorn(
                app,
                worker_class=options.worker_class,
                env=env,
                arguments=["--log-level", "warning", "--keep-alive", "30"],
            )
            for name, app in APPS.items()
        }
        for server in servers.values():
            server.is_ready = _until_it_answers(server)
        with servers["hello"], servers["proxy"], servers["urllib3"]:
            compare(servers, options.rounds, options.seconds)
            scale(servers, options.rounds, options.seconds)


def _until_it_answers(server):
    from tests.servers import answers

    return lambda: answers(server.port)


def compare(servers, rounds, seconds) -> None:
    """Print the ratios of the budget."""
    rates = {name: [] for name in servers}
    for _ in range(rounds):
        for name, server in servers.items():
            result = measure(server.port, connections=16, seconds=seconds)
            assert not result.wrong, (name, result)
            rates[name].append(result.rate)
    print("\n| 16 connections | min | median | max | budget |")
    print("|---|---|---|---|---|")
    for name, budget in (("hello", 0.55), ("urllib3", 1.8)):
        ratios = [a / b for a, b in zip(rates["proxy"], rates[name], strict=True)]
        print(f"| proxy / {name} | {spread(ratios)} | >= {budget} |")
    for name, values in rates.items():
        print(f"| {name}, answers a second | {spread(values)} | |")


def scale(servers, rounds, seconds) -> None:
    """Print how the cost changes with concurrency."""
    print(
        "\n| connections | proxy / hello: min | median | max | proxy p50 ms | p99 ms |"
    )
    print("|---|---|---|---|---|---|")
    for connections in (1, 16, 64, 256):
        ratios, last = [], None
        for _ in range(max(3, rounds // 2)):
            hello = measure(
                servers["hello"].port, connections=connections, seconds=seconds
            )
            last = measure(
                servers["proxy"].port, connections=connections, seconds=seconds
            )
            ratios.append(last.rate / hello.rate)
        print(f"| {connections} | {spread(ratios)} | {last.p50:.2f} | {last.p99:.2f} |")


if __name__ == "__main__":
    main()
