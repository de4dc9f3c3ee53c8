"""A body that the server has not taken apart reaches nobody."""

import io

import pytest

from tests.applications import echo


def send(gate, coding, path="/", **more):
    told = []
    environ = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "RAW_URI": path,
        "QUERY_STRING": "",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "app.example.com",
        "HTTP_TRANSFER_ENCODING": coding,
        "REMOTE_ADDR": "203.0.113.9",
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(b"coded"),
        "wsgi.input_terminated": True,
        **more,
    }
    list(gate(environ, lambda status, _: told.append(int(status[:3]))))
    return told[0]


@pytest.fixture
def cookie(browser):
    found = browser.get_cookie("__Host-totp_gate", domain="app.example.com")
    echo.calls = 0
    return f"__Host-totp_gate={found.value}"


@pytest.mark.parametrize(
    "coding",
    ["gzip, chunked", "gzip,chunked", "chunked, gzip", "identity", "xchunked", "gzip"],
)
@pytest.mark.parametrize("path", ["/", "/_gate/login"])
def test_a_coding_that_is_not_chunked_is_501(installation, cookie, coding, path):
    gate = installation.gate
    for _ in range(2):  # whatever is remembered of the first
        assert send(gate, "chunked", HTTP_COOKIE=cookie) == 200
        assert send(gate, coding, path, HTTP_COOKIE=cookie) == 501

    assert echo.calls == 2


@pytest.mark.parametrize("coding", ["chunked", "Chunked", " chunked\t", ""])
def test_chunked_passes_in_any_spelling(installation, cookie, coding):
    assert send(installation.gate, coding, HTTP_COOKIE=cookie) == 200
