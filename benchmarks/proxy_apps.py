"""What is compared: the proxy, and the same on urllib3, behind the gate and alone."""

from __future__ import annotations

import os

from totp_gate import Gate, create_app
from totp_gate.upstream.proxy import Destination, Limits, Proxy


def proxy():
    """The proxy."""
    limits = Limits(max_tunnels=2000)
    return Proxy(Destination.parse(os.environ["UPSTREAM"]), limits=limits)


def gate_and_proxy():
    """The gate with the proxy behind it, as ``totp-gate serve`` runs them."""
    return create_app(os.environ["BENCHMARK_SETTINGS"])


def gate_and_urllib3():
    """The gate with the other proxy behind it."""
    return Gate(on_urllib3(), os.environ["BENCHMARK_SETTINGS"])


HOPS = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}


def on_urllib3():
    """The same way for a request, as one would write it on urllib3."""
    import urllib3

    url = os.environ["UPSTREAM"]
    pool = urllib3.PoolManager(maxsize=300, retries=False)

    def application(environ, start_response):
        headers = {
            key[5:].replace("_", "-").title(): value
            for key, value in environ.items()
            if key.startswith("HTTP_")
        }
        for name in list(headers):
            if name.lower() in HOPS:
                del headers[name]
        length = environ.get("CONTENT_LENGTH")
        answer = pool.request(
            environ["REQUEST_METHOD"],
            url + environ["RAW_URI"],
            headers=headers,
            body=environ["wsgi.input"] if length else None,
            preload_content=False,
            decode_content=False,
            redirect=False,
            timeout=60,
        )
        kept = [(n, v) for n, v in answer.headers.items() if n.lower() not in HOPS]
        start_response(f"{answer.status} {answer.reason}", kept)
        return stream(answer)

    return application


def stream(answer):
    """Pass the body on in pieces."""
    try:
        yield from answer.stream(65536, decode_content=False)
    finally:
        answer.release_conn()
