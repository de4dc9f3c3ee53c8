"""A plain WSGI function behind the gate, as somebody would write it."""

import os
from urllib.parse import parse_qs

from totp_gate import Gate


def hello(environ, start_response):
    user = environ["REMOTE_USER"]
    text = f"{user} met process {os.getpid()}"
    if environ["REQUEST_METHOD"] == "POST":
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        text = f"{user} wrote {parse_qs(body.decode())['text'][0]}"
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [text.encode()]


application = Gate(hello, "gate.toml")
