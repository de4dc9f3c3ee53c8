"""A WSGI application that asks another one over HTTP/1.1 and streams its answer.

It knows nothing of the gate but four keys of environ, all optional:

``totp_gate.alive``
    ``() -> bool``, cheap; False once the session of this request has ended. Asked about
    once a second while a tunnel or an answer is open.
``totp_gate.filter_headers``
    ``(headers) -> headers``; what of the 101 answer may reach the client. Ordinary
    answers pass ``start_response``, where the gate has its own filter.
``totp_gate.request_id``
    what the request is called in the log; drawn here where nobody has yet.
``RAW_URI`` / ``REQUEST_URI``
    the target as the client sent it; forwarded octet for octet.

Correct on gunicorn's sync, gthread and gevent workers: only sockets and locks, looked
up when used, so that gevent can replace them.
"""

from __future__ import annotations

import hashlib
import logging
import socket
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from totp_gate.closing import close_after
from totp_gate.core.headers import is_large
from totp_gate.errors import BadRequest
from totp_gate.telemetry.naming import request_id
from totp_gate.upstream.destination import Destination, Limits
from totp_gate.upstream.exchange import Exchange, Means
from totp_gate.upstream.head import Head
from totp_gate.upstream.observer import NoObserver, Observer
from totp_gate.upstream.pool import Pool
from totp_gate.upstream.request import Request, RequestWriter, allowed_methods
from totp_gate.upstream.trouble import (
    Malformed,
    Trouble,
    Untrusted,
    UpstreamTrouble,
    plain_trouble,
)
from totp_gate.upstream.tunnel import Places, Tunnel, take_early
from totp_gate.upstream.watch import client_socket, server_stops

if TYPE_CHECKING:
    from wsgiref.types import StartResponse

__all__ = ["Destination", "Limits", "NoObserver", "Observer", "Proxy", "plain_trouble"]

log = logging.getLogger("totp_gate.upstream")


class Proxy:
    """Forward requests to one destination.

    Args:
        destination: the only place it ever connects to.
        limits: times and sizes.
        trouble: renders the answers that are the proxy's own: 400, 405, 501, 502,
            503, 504, 508.
        own_headers: names of headers that the gate sets before it calls the proxy
            (the identity headers); a client's Connection field cannot remove them.
        observer: told what happens.
    """

    def __init__(
        self,
        destination: Destination,
        *,
        limits: Limits | None = None,
        trouble: Trouble = plain_trouble,
        own_headers: Iterable[str] = (),
        observer: Observer | None = None,
    ) -> None:
        self.destination = destination
        self.limits = limits or Limits()
        self.observer: Observer = observer or NoObserver()
        self._trouble = trouble
        self._writer = RequestWriter(destination, _pseudonym(destination), own_headers)
        self._pool = Pool(destination, self.limits, self.observer)
        self._means = Means(self._pool, self.limits, self.observer)
        self._places = Places(self.limits.max_tunnels)

    def __call__(
        self, environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        """Serve one request.

        Raises:
            AnswerCut: an answer that has begun cannot be finished.
        """
        try:
            request = self._writer.write(environ)
            if request.answered_here:
                return _answer_options(start_response)
            if request.upgrade:
                return self._upgrade(request, environ, start_response)
            exchange = Exchange(self._means, request, environ)
            exchange.ask()
            return exchange.answer(start_response)
        except BadRequest as error:
            if error.status == 405:
                start_response = _with_allow(start_response)
            log.info("request=%s %d: %s", request_id(environ), error.status, error)
            return self._tell(environ, start_response, error.status, str(error))
        except UpstreamTrouble as error:
            self.observer.failed(error.kind)
            if isinstance(error, Untrusted):
                self.observer.untrusted(request_id(environ), str(error))
            log.warning("request=%s %d: %s", request_id(environ), error.status, error)
            return self._tell(environ, start_response, error.status, error.told)

    def _tell(
        self,
        environ: dict[str, Any],
        start_response: StartResponse,
        status: int,
        told: str,
    ) -> Iterable[bytes]:
        """Answer in the application's place."""
        if "HTTP_UPGRADE" in environ or is_large(environ):
            close_after(environ, start_response)
        return self._trouble(environ, start_response, status, told)

    @property
    def tunnels(self) -> int:
        """Tunnels open in this process."""
        return self._places.open

    @property
    def idle_connections(self) -> int:
        """Connections kept for a next request."""
        return len(self._pool)

    def reachable(self) -> bool:
        """Whether a connection to the application can be made now."""
        try:
            connection = self._pool.take()
        except UpstreamTrouble as error:
            if isinstance(error, Untrusted):
                self.observer.untrusted("", str(error))
            return False
        self._pool.give(connection)
        return True

    def _upgrade(
        self, request: Request, environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        client = client_socket(environ)
        if client is None:
            raise BadRequest("Upgrades are not served by this server.", status=501)
        self._places.enter()
        tunnel = None
        try:
            exchange = Exchange(self._means, request, environ)
            head = exchange.ask()
            if head.status != 101:
                head.keeps = False
                close_after(environ, start_response)
                return exchange.answer(start_response)
            try:
                tunnel = self._tunnel(client, exchange, environ, start_response)
            except BaseException:
                exchange.connection.close()
                raise
            return tunnel
        finally:
            if tunnel is None:
                self._places.leave()

    def _tunnel(
        self,
        client: socket.socket,
        exchange: Exchange,
        environ: dict[str, Any],
        start_response: StartResponse,
    ) -> Tunnel:
        head = exchange.head
        if not (head.upgrades and _names_websocket(head)):
            raise Malformed("101 to another protocol")
        clean = environ.get("totp_gate.filter_headers")
        headers = [h for h in head.headers if h[0].lower() != "content-length"]
        if clean is not None:
            headers = list(clean(headers))
        # Told to the server for its log only: the tunnel writes its head itself.
        start_response("101 Switching Protocols", headers)
        begun = time.monotonic()

        def release() -> None:
            self._places.leave()
            self.observer.tunnel_closed(time.monotonic() - begun)

        self.observer.tunnel_opened()
        return Tunnel(
            client,
            exchange.connection,
            opening=_switching(headers),
            early=take_early(environ),
            alive=exchange.watch.alive,
            stops=server_stops,
            linger=self.limits.linger,
            patience=self.limits.read_timeout,
            release=release,
        )


def _switching(headers: Iterable[tuple[str, str]]) -> bytes:
    lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade"]
    lines.append("Upgrade: websocket")
    lines.extend(f"{name}: {value}" for name, value in headers)
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _names_websocket(head: Head) -> bool:
    named = [value for name, value in head.raw if name.lower() == b"upgrade"]
    return [value.strip(b" \t").lower() for value in named] == [b"websocket"]


def _answer_options(start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Allow", allowed_methods()), ("Content-Length", "0")])
    return []


def _with_allow(start_response: StartResponse) -> StartResponse:
    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        return start_response(status, [*headers, ("Allow", allowed_methods())], *rest)

    return start


def _pseudonym(destination: Destination) -> str:
    """Return one name for all workers of a gate, and another for another gate.

    Source:
        RFC 9110 section 7.6.3.
    """
    place = f"{socket.gethostname()} {destination.authority} {destination.name}"
    return f"totp_gate-{hashlib.sha256(place.encode()).hexdigest()[:8]}"
