"""What a request carries to the application: who asks, and none of the gate's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from totp_gate.accounts.live import Live
from totp_gate.core.headers import environ_key
from totp_gate.web.arrival import TOLD, Caller
from totp_gate.web.jwks import Assertions
from totp_gate.web.outgoing import Outgoing

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class Dressing:
    """Says in a request who asks, and takes the gate's cookies out.

    Args:
        identity: names of the identity headers.
        outgoing: cleans what an upgrade is answered.
        assertions: states in a header who asks; None: nothing does.

    Attributes:
        assertions: as given.
    """

    def __init__(
        self,
        identity: tuple[str, ...],
        outgoing: Outgoing,
        assertions: Assertions | None,
    ) -> None:
        self._nobody: dict[str, Any] = {environ_key(name): "" for name in identity}
        self._outgoing = outgoing
        self.assertions = assertions

    def put_on(
        self,
        environ: WSGIEnvironment,
        caller: Caller,
        live: Live | None,
        cookie: str | None,
    ) -> None:
        """Dress the request *environ* of *live*.

        Args:
            live: who asks; None: nobody knows.
            cookie: the Cookie header without the gate's cookies, or None.
        """
        environ.pop(TOLD, None)
        if "HTTP_UPGRADE" in environ:
            environ["totp_gate.filter_headers"] = self._outgoing.clean
        if live is None:
            environ.update(self._nobody)
            environ.pop("REMOTE_USER", None)
            environ.pop("AUTH_TYPE", None)
            environ.update(caller.forwarded)
        else:
            environ.update(self.of(caller, live))
            if self.assertions is not None and caller.origin is not None:
                self.assertions.put(environ, live, caller.origin)
        if cookie is not None:
            environ["HTTP_COOKIE"] = cookie
        else:
            environ.pop("HTTP_COOKIE", None)

    @staticmethod
    def of(caller: Caller, live: Live) -> dict[str, object]:
        """Return what all requests of *live* from *caller* carry; not to be changed."""
        known = live.dressed
        if known is None or known[0] is not caller.forwarded:
            known = live.dressed = (caller.forwarded, live.environ | caller.forwarded)
        return known[1]
