"""The browser itself: if these fail, look here before you look at the pages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest


class Quiet(WSGIRequestHandler):
    def log_message(self, format, *args):
        pass


def echo_cookie(environ, start_response):
    start_response(
        "200 OK",
        [("Content-Type", "text/html"), ("Set-Cookie", "seen=yes; HttpOnly")],
    )
    cookie = environ.get("HTTP_COOKIE", "nothing")
    return [f"<title>Echo</title><p>{cookie}</p>".encode()]


@pytest.fixture
def address() -> Iterator[str]:
    with make_server("127.0.0.1", 0, echo_cookie, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_the_browser_reads_a_page_and_keeps_its_cookie(page, address):
    page.goto(address)
    assert page.locator("p").inner_text() == "nothing"

    page.goto(address)
    assert page.title() == "Echo"
    assert page.locator("p").inner_text() == "seen=yes"


def test_every_test_begins_without_cookies(page, address):
    page.goto(address)

    assert page.locator("p").inner_text() == "nothing"
