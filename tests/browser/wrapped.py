"""A page behind the gate: who came, what for, and a way out."""

from html import escape

from tests.browser.ahead import clock
from totp_gate import Gate


def page(environ, start_response):
    wanted = environ["PATH_INFO"]
    if environ["QUERY_STRING"]:
        wanted += "?" + environ["QUERY_STRING"]
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    text = (
        "<!doctype html><html lang=en><title>Reports</title>"
        f"<h1>Hello {escape(environ['REMOTE_USER'])}</h1><p>{escape(wanted)}</p>"
        '<a href="/_gate/logout">Sign out</a>'
    )
    return [text.encode()]


application = Gate(page, "gate.toml", clock=clock)
