"""nginx that asks the gate, as its printed configuration says, and nginx that does not.

The same nginx, one worker, the same application behind it; "without" is the printed
configuration less the lines that ask. What is judged is how many answers nginx gives
for the same processor time: that is what bounds its answers a second when it has work
enough. The gate itself works once in five seconds for each page of each visitor, and
that is in the answers a second only, as is what it costs when nothing is repeated.
"""

from __future__ import annotations

import contextlib
import re
from functools import partial
from pathlib import Path

from click.testing import CliRunner

from benchmarks import signed_in
from benchmarks.load import request
from benchmarks.servers import Contestant, compare
from benchmarks.table import Row, ratios, show
from tests.servers import Nginx, Serve, free_port
from totp_gate.cli import main

BUDGET = 0.75
CONNECTIONS = 16
_ASKS = re.compile(
    r"auth_request|error_page|proxy_set_header \S+ +\$(totp_gate_(?!up|con)|http_x_)"
)


def run(rounds: int, seconds: float) -> list[Row]:
    """Measure and print the table."""
    with contextlib.ExitStack() as stack:
        application = "keepalive_requests 1000000; location / { return 200 hello; }"
        upstream = stack.enter_context(Nginx(application))
        settings = f'[upstream]\nurl = "{upstream.url}"\n'
        made = stack.enter_context(signed_in.installation(settings))
        cookie = signed_in.sign_in(made)
        gate = stack.enter_context(Serve(made.path, port=free_port()))
        sent = request(
            "/page",
            {**signed_in.BROWSER, "Host": signed_in.HOST, "Cookie": cookie},
        )
        contestants = {
            name: Contestant(partial(_front, made.path, gate, name), sent)
            for name in ("without", "again", "repeated", "every time")
        }
        rates, costs = compare(contestants, rounds, seconds, CONNECTIONS)
    return show(
        "nginx that asks the gate / nginx that does not",
        [
            *_rows("answers for the same processor time", costs, BUDGET),
            *_rows("answers a second", rates),
        ],
    )


def _front(settings: Path, gate: Serve, name: str) -> Nginx:
    """Return nginx as the command configures it, or less than that."""
    port = free_port()
    words = ["--config", str(settings), "config", "nginx"]
    words += ["--gate", f"127.0.0.1:{gate.port}", "--listen", f"127.0.0.1:{port}"]
    words += ["--cache", str(settings.parent / f"cache-{port}")]
    printed = CliRunner().invoke(main, words, catch_exceptions=False).stdout
    if name == "every time":
        printed = printed.replace("proxy_cache totp_gate;", "proxy_cache off;")
    if name in {"without", "again"}:
        lines = printed.splitlines()
        printed = "\n".join(line for line in lines if not _ASKS.search(line))
    return Nginx(http=f"keepalive_requests 1000000;\n{printed}", port=port)


def _rows(what: str, values: dict[str, list[float]], budget: float | None = None):
    repeated = ratios(values["repeated"], values["without"])
    every_time = ratios(values["every time"], values["without"])
    again = ratios(values["again"], values["without"])
    return [
        Row(f"{what}, answers of the gate repeated", repeated, budget),
        Row(f"{what}, the gate asked every time", every_time),
        Row(f"{what}, without / without", again),
    ]
