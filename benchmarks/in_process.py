"""What the gate adds to a request of a live session, without a server.

Beside it: what Flask-Login adds to a Flask application (a view with ``login_required``
and a visitor who is signed in, against the same view without it and a visitor without a
session; and against a view without it and the same visitor, whose session Flask reads
all the same), what a bare check of a signed cookie adds, and the same gate with rules,
behind a web server, and with a path it has not seen before.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from benchmarks import signed_in
from benchmarks.table import Row, ratios, show
from totp_gate.config.settings import Config

PASSES = 10
BUDGET = 12
RULES = (10, 200)

Call = Callable[[], None]


def run(rounds: int, seconds: float) -> list[Row]:
    """Measure and print the table."""
    with ExitStack() as stack:
        calls = {**_gates(stack), **_flask(), "signed cookie": _signed_cookie()}
        times = _times(calls, rounds, seconds)
    added = {
        name: _added(times, name, "flask" if name == "login_required" else "bare")
        for name in calls
        if name not in {"bare", "flask", "flask, session read"}
    }
    gate = added["gate"]
    narrow = _added(times, "login_required", "flask, session read")
    variants = [name for name in added if name.startswith("gate,")]
    rows = [
        Row("login_required / gate", ratios(added["login_required"], gate), BUDGET),
        Row(
            "login_required / gate, behind a web server",
            ratios(added["login_required"], added["gate, behind a web server"]),
            BUDGET,
        ),
        Row("login_required alone / gate", ratios(narrow, gate)),
        Row("gate / signed cookie", ratios(gate, added["signed cookie"])),
        *(Row(f"{name} / gate", ratios(added[name], gate)) for name in variants),
        *(Row(f"{name} adds", values, unit="us") for name, values in added.items()),
    ]
    return show("A request of a live session, in process: what is added", rows)


def _times(
    calls: dict[str, Call], rounds: int, seconds: float
) -> dict[str, list[float]]:
    """Return microseconds of processor time, of the best slice of each round."""
    length = seconds / len(calls) / PASSES
    numbers = {name: _number(call, length) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        best = dict.fromkeys(calls, float("inf"))
        for _, (name, call) in itertools.product(range(PASSES), calls.items()):
            took = _slice(call, numbers[name]) / numbers[name] * 1e6
            best[name] = min(best[name], took)
        for name, took in best.items():
            times[name].append(took)
    return times


def _number(call: Call, length: float) -> int:
    """Return how often to call it in a slice."""
    number = 16
    while _slice(call, number) < length:
        number *= 2
    return number


def _slice(call: Call, number: int) -> float:
    begun = time.thread_time()
    for _ in range(number):
        call()
    return time.thread_time() - begun


def _caller(app: Any, environ: dict[str, object]) -> Call:
    """Return one whole request, as a server makes it."""
    seen: list[str] = []

    def start_response(status: str, _headers: object, _exc_info: object = None) -> Any:
        seen[:] = [status]

    def call() -> None:
        answer = app(dict(environ), start_response)
        for _ in answer:
            pass
        if hasattr(answer, "close"):
            answer.close()

    call()
    assert seen == ["200 OK"], seen
    return call


def _gates(stack: ExitStack) -> dict[str, Call]:
    made = stack.enter_context(signed_in.installation())
    cookie = signed_in.sign_in(made)
    environ = signed_in.environ("/page", cookie)
    proxied = signed_in.environ(
        "/page", cookie, peer=signed_in.PROXY, **signed_in.PROXIED
    )
    gate = signed_in.gate(made)
    numbers = itertools.count()

    def elsewhere(environ: dict[str, object], start_response: Any) -> Any:
        path = f"/page/{next(numbers)}"
        environ["RAW_URI"] = environ["PATH_INFO"] = path
        return gate(environ, start_response)

    return {
        "bare": _caller(signed_in.hello, environ),
        "gate": _caller(gate, environ),
        "gate, behind a web server": _caller(gate, proxied),
        "gate, a new path": _caller(elsewhere, environ),
        **_with_rules(stack),
    }


def _with_rules(stack: ExitStack) -> dict[str, Call]:
    """Return gates with many rules, of which none is meant; none before rules exist."""
    calls: dict[str, Call] = {}
    for number in RULES if "rules" in Config.model_fields else ():
        rules = "".join(
            f'[[rules]]\nname = "rule {at}"\npolicy = "two-factor"\n'
            + (f'paths = ["/{at}/*"]\n' if at % 2 else f'paths = ["re:/[a-z]+/{at}"]\n')
            for at in range(number)
        )
        made = stack.enter_context(signed_in.installation(rules))
        environ = signed_in.environ("/page", signed_in.sign_in(made))
        calls[f"gate, {number} rules"] = _caller(signed_in.gate(made), environ)
    return calls


def _flask() -> dict[str, Call]:
    from flask import Flask
    from flask_login import LoginManager, UserMixin, login_required, login_user

    class Somebody(UserMixin):
        id = "alice"

    app = Flask(__name__)
    app.secret_key = "for the benchmark only"
    manager = LoginManager(app)
    alice = Somebody()
    manager.user_loader(lambda _: alice)
    app.add_url_rule("/open", "open", lambda: "hello")
    app.add_url_rule("/closed", "closed", login_required(lambda: "hello"))
    app.add_url_rule("/in", "in", lambda: str(login_user(alice)))
    agent = {"User-Agent": signed_in.BROWSER["User-Agent"]}
    answer = app.test_client().get("/in", headers=agent)
    cookie = "theme=dark; " + answer.headers["Set-Cookie"].partition(";")[0]
    return {
        "flask": _caller(app, signed_in.environ("/open", "theme=dark")),
        "flask, session read": _caller(app, signed_in.environ("/open", cookie)),
        "login_required": _caller(app, signed_in.environ("/closed", cookie)),
    }


def _signed_cookie() -> Call:
    """Return the least a check can be: one cookie, one signature, no session."""
    from itsdangerous import URLSafeTimedSerializer

    serializer = URLSafeTimedSerializer("for the benchmark only")
    cookie = f"theme=dark; session={serializer.dumps({'user': 'alice'})}"

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        pairs = dict(pair.split("=", 1) for pair in environ["HTTP_COOKIE"].split("; "))
        environ["REMOTE_USER"] = serializer.loads(pairs["session"], max_age=60)["user"]
        return signed_in.hello(environ, start_response)

    return _caller(app, signed_in.environ("/page", cookie))


def _added(times: dict[str, list[float]], whole: str, part: str) -> list[float]:
    return [a - b for a, b in zip(times[whole], times[part], strict=True)]
