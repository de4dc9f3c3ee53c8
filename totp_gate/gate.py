"""The middleware: every request is cleaned, understood, identified, decided, acted on.

Strategy: what was permitted to a live session a moment ago is found by one look-up
(``web.passages``). Everything else is judged, and what is the same for many requests is
remembered on the way, within bounds: what a target means (``web.arrival``), what the
Cookie header of a live session says, what the policy answered. On every doubt the gate
answers itself, and the application is not called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from totp_gate.closing import close_after, may_close
from totp_gate.core import cookies
from totp_gate.core.headers import is_large
from totp_gate.errors import BadRequest, GateError
from totp_gate.model import Challenge, Level, Refuse
from totp_gate.telemetry.metrics import PERMITTED
from totp_gate.telemetry.naming import request_id
from totp_gate.waiting import give_way, is_cooperative, stand_in_line
from totp_gate.web.arrival import NEVER, Caller
from totp_gate.web.dressing import Dressing
from totp_gate.web.forward import ANSWER, Forward
from totp_gate.web.held import SENT_AGAIN, Resend
from totp_gate.web.judgement import Asked
from totp_gate.web.outgoing import Outgoing
from totp_gate.web.pages import Answer
from totp_gate.web.parts import Parts
from totp_gate.web.passages import Passages, key_for
from totp_gate.web.request import PageRequest
from totp_gate.web.trouble import (
    IN_THE_CLEAR,
    NOT_BY_US,
    ONLY_ASKED,
    UNKNOWN_HOST,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_ALLOW = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_STATUS = frozenset({"/healthz", "/readyz", "/metrics", "/jwks.json"})


class GateMiddleware:
    """Lets a request reach *app* only when the policy permits it.

    Args:
        app: the application; None: there is none here, and web servers that have one
            ask. Then nothing but the gate's own pages is answered.
    """

    def __init__(self, app: WSGIApplication | None, parts: Parts) -> None:
        self.app = self._nothing if app is None else app
        self._only_asked = app is None
        self._parts = parts
        self._clock = parts.clock
        self._trouble = parts.trouble.answer
        self._cells = parts.meter.cells
        outgoing = Outgoing(parts.names.all())
        self._start = outgoing.start
        self._dressing = Dressing(parts.identity, outgoing, parts.assertions)
        self._judgement = parts.judgement
        self._passages = Passages(
            parts.judgement.live, self._dressing, parts.arrivals.plain, parts.clock
        )
        self._open = self._passages.open
        self._give_way: Callable[[], None] | None = self._first_turn
        self._forward = Forward(
            arrivals=parts.arrivals,
            prefix=parts.prefix,
            identity=parts.identity,
            audit=parts.audit,
        )

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Serve one request."""
        if self._give_way is not None:
            self._give_way()
        passes = False
        try:
            passes = self._open(environ)
            answer = None if passes else self._judge(environ)
        except BadRequest as error:
            self._count("bad_request")
            answer = self._shut(environ, error.status)
        except GateError as error:
            self._count("closed")
            request_id(environ)
            self._parts.audit.trouble(environ, "closed", error)
            answer = self._shut(environ, 503, retry_after=5)
        except Exception as error:  # noqa: BLE001 - the last resort: the gate stays shut
            self._count("closed")
            request_id(environ)
            self._parts.audit.failed(environ, error)
            answer = self._shut(environ, 500)
        if answer is not None:
            if is_large(environ):
                close_after(environ, start_response)
            return answer(environ, start_response)
        if not passes:
            may_close(environ, start_response)
        self._cells.values[PERMITTED] += 1
        return self.app(environ, partial(self._start, start_response))

    def _first_turn(self) -> None:
        """Find out, now that the server is ready, whether there are turns to give."""
        self._give_way = give_way if is_cooperative() else None
        give_way()

    def _count(self, outcome: str) -> None:
        self._parts.meter.count("gate_requests_total", outcome)

    def _judge(
        self, environ: WSGIEnvironment, known: Caller | None = None
    ) -> WSGIApplication | None:
        """Return the gate's own answer, or None where the request may pass."""
        parts = self._parts
        key = key_for(environ)
        caller = known or parts.arrivals.caller(environ)
        place, query = parts.arrivals.place(environ)
        origin = caller.origin
        method = environ["REQUEST_METHOD"]
        now = self._clock()
        if place.own or origin is None or method in NEVER or self._only_asked:
            origin_or_main = origin or parts.origins[0]
            asked = Asked(environ, method, caller, origin_or_main, place, query, now)
            return self._aside(asked, known_host=origin is not None)
        live, rest, against, until = self._judgement.weigh(
            environ, method, caller, origin, place, query, now
        )
        if against is not None:
            asked = Asked(environ, method, caller, origin, place, query, now, live)
            return self._keeping(asked, self._refuse(asked, against))
        if SENT_AGAIN in environ:
            asked = Asked(environ, method, caller, origin, place, query, now, live)
            if not_theirs := parts.held.sent_again(self._page_request(asked)):
                self._count("refused")
                return not_theirs
        self._dressing.put_on(environ, caller, live, rest)
        if known is None:
            self._passages.remember(key, caller, live, rest, until)
        return None

    def _keeping(self, asked: Asked, refusal: WSGIApplication) -> WSGIApplication:
        """Keep what needs a sign-in first, where that may be, and say so."""
        if not isinstance(refusal, Answer) or refusal.status_code not in {303, 401}:
            return refusal
        if self._only_asked:
            return refusal  # nobody could send it on
        mark = self._parts.held.keep(self._page_request(asked))
        if mark is not None:
            refusal.headers["Gate-Held"] = mark
        return refusal

    def _again(self, asked: Asked, held: Resend) -> WSGIApplication:
        """Judge a request that was kept, by the same caller, like any other."""
        refusal = self._judge(held.environ, asked.caller)

        def go_on(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            if refusal is not None:
                return refusal(held.environ, start_response)
            self._cells.values[PERMITTED] += 1
            start = partial(held.start, start_response)
            return self.app(held.environ, partial(self._start, start))

        return go_on

    def _refuse(self, asked: Asked, decision: Challenge | Refuse) -> WSGIApplication:
        """Return the answer to a request that may not pass as it is."""
        if asked.live is None:
            stand_in_line()
        if isinstance(decision, Refuse):
            self._count("refused")
            self._parts.audit.event(
                self._page_request(asked),
                "refused",
                "failure",
                user=asked.subject.user or "",
                rule=decision.rule,
                detail=decision.reason,
            )
            return self._trouble(asked.environ, 403)
        self._count("challenged")
        target = asked.place.target
        return self._parts.admission.challenge(
            asked.environ,
            raw=target.raw,
            query=asked.query,
            origin=asked.origin,
            owed=decision if asked.live is not None else None,
        )

    def _aside(self, asked: Asked, *, known_host: bool) -> WSGIApplication:
        """Answer what never goes to the application, whoever asks."""
        parts = self._parts
        path = asked.place.target.path
        page = path.removeprefix(parts.prefix) if asked.place.own else path
        if asked.place.own and self._forward.is_asked(path):
            return self._advise(asked, page)
        misled = self._misled(asked, page, known_host=known_host)
        if misled is not None:
            self._count("bad_request")
            stand_in_line()
            return misled
        if page not in _STATUS:
            self._receive(asked, page)
        answer: WSGIApplication
        if path == "*":
            answer = parts.admission.nothing()
        elif page in _STATUS or page.startswith("/assets/"):
            answer = parts.routes.answer(self._page_request(asked))
        elif asked.caller.in_the_clear:
            answer = self._to_https(asked)
        else:
            own = parts.routes.answer(self._page_request(asked))
            answer = self._again(asked, own) if isinstance(own, Resend) else own
        self._count("own")
        return answer

    def _receive(self, asked: Asked, page: str) -> None:
        """Find out who asks for a page of ours; whoever is unknown waits for a turn."""
        personal = asked.place.own and not page.startswith("/assets/")
        if personal and not asked.caller.in_the_clear:
            self._judgement.live.catch_up(asked.now)
            cookie, host = asked.environ.get("HTTP_COOKIE"), asked.origin.host
            asked.live, _ = self._judgement.identify(cookie, host, asked.now)
            if asked.live is None:
                self._judgement.forgeries.look_at_cookies(asked.environ, asked.caller)
        if asked.live is None:
            stand_in_line()

    def _advise(self, asked: Asked, page: str) -> WSGIApplication:
        """Answer a web server that asks about a request of its own."""
        request, raw = self._page_request(asked), asked.place.target.raw
        inner = self._forward.read(request, asked.caller, raw)
        inner.live, rest, against, until = self._judgement.weigh(
            inner.environ,
            inner.method,
            inner.caller,
            inner.origin,
            inner.place,
            inner.query,
            inner.now,
        )
        if against is not None:
            answer = self._refuse(inner, against)
            if page == ANSWER:
                return self._keeping(inner, answer)
            return self._forward.refuse(page, inner, answer)
        again, held = SENT_AGAIN in inner.environ, self._parts.held
        if page == ANSWER:
            self._count("refused")
            not_theirs = held.of_another(self._page_request(inner)) if again else None
            return not_theirs or self._trouble(inner.environ, 403, message=NOT_BY_US)
        if again and (not_theirs := held.sent_again(self._page_request(inner))):
            self._count("refused")
            return self._forward.refuse(page, inner, not_theirs)
        self._dressing.put_on(inner.environ, inner.caller, inner.live, rest)
        self._cells.values[PERMITTED] += 1
        return self._forward.permit(page, inner, until=until)

    def _shut(
        self, environ: WSGIEnvironment, status: int, *, retry_after: int | None = None
    ) -> WSGIApplication:
        """Return the gate's answer to what it cannot or will not understand."""
        stand_in_line()
        allow = ""
        if self._forward.knows_three_answers(environ):
            status = 403
        elif status == 400 and environ["REQUEST_METHOD"] in NEVER:
            status, allow = 405, _ALLOW  # what CONNECT asks for is no path
        return self._trouble(environ, status, retry_after=retry_after, allow=allow)

    def _misled(
        self, asked: Asked, page: str, *, known_host: bool
    ) -> WSGIApplication | None:
        """Return the answer to what is asked in no way, or for nothing, of ours."""
        path, prefix = asked.place.target.path, self._parts.prefix
        if asked.method in NEVER:
            return self._trouble(asked.environ, 405, allow=_ALLOW)
        if path == "*":
            return None
        if not known_host and not (asked.place.own and page in _STATUS):
            return self._trouble(asked.environ, 400, message=UNKNOWN_HOST)
        if path != prefix and not path.startswith(prefix + "/"):
            if self._only_asked:
                return self._nothing
            return self._trouble(asked.environ, 404, home_url="/")
        return None

    def _nothing(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer where an application would be, and is none."""
        answer = self._trouble(environ, 404, message=ONLY_ASKED)
        return answer(environ, start_response)

    def _page_request(self, asked: Asked) -> PageRequest:
        cookie = asked.environ.get("HTTP_COOKIE", "")
        path = asked.place.target.path.removeprefix(self._parts.prefix)
        live = asked.live
        halfway = live is not None and live.session.level is not Level.SECOND_FACTOR
        return PageRequest(
            environ=asked.environ,
            method=asked.method,
            path=path or "/",
            query=asked.query,
            origin=asked.origin,
            address=asked.caller.address,
            scheme=asked.caller.scheme,
            now=asked.now,
            request_id=request_id(asked.environ),
            live=None if halfway else live,
            partial=live if halfway else None,
            token=cookies.find(cookie, self._parts.names.session),
        )

    def _to_https(self, asked: Asked) -> WSGIApplication:
        target, caller = asked.place.target, asked.caller
        reading = asked.method in {"GET", "HEAD"}
        if reading and caller.trusted and not caller.doubt:
            return self._parts.admission.to_https(
                asked.origin, raw=target.raw, query=asked.query
            )
        title, message = "Only over https", IN_THE_CLEAR[caller.doubt]
        return self._trouble(asked.environ, 403, title=title, message=message)
