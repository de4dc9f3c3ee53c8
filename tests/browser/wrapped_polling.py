"""A page that asks again and again by the snippet of the documentation."""

import itertools
import re
from pathlib import Path

from tests.browser.ahead import clock
from totp_gate import Gate

DOCS = Path(__file__).parents[2] / "docs" / "single-page-applications.md"
SNIPPET = re.search(r"```js\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)[1]
PAGE = """<!doctype html><html lang=en><title>Ticks</title>
<textarea></textarea><output>-</output><script src="/script"></script>"""
POLL = """
const poll = async () => {
  const answer = await gateFetch("/tick", { method: "POST", body: "tick" });
  document.querySelector("output").textContent = await answer.text();
  setTimeout(poll, 100);
};
poll();
"""
ticks = itertools.count()


def ticking(environ, start_response):
    answers = {
        "/": ("text/html", PAGE),
        "/script": ("text/javascript", SNIPPET + POLL),
    }
    kind, text = answers.get(environ["PATH_INFO"], ("text/plain", ""))
    start_response("200 OK", [("Content-Type", f"{kind}; charset=utf-8")])
    return [(text or str(next(ticks))).encode()]


def application():
    """Return it behind the gate of this folder."""
    return Gate(ticking, "gate.toml", clock=clock)
