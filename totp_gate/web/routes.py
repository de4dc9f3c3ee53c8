"""Which page answers at which address under the prefix."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from werkzeug.exceptions import NotFound
from werkzeug.routing import Map, RequestRedirect, Rule

from totp_gate.core import headers
from totp_gate.errors import BadRequest, Overloaded
from totp_gate.web.account import AccountPages
from totp_gate.web.desk import DONE, Desk
from totp_gate.web.enrollment import EnrollmentPages
from totp_gate.web.handoff import HandOffPages
from totp_gate.web.held import HeldPages
from totp_gate.web.jwks import KeyPages
from totp_gate.web.links import LinkPages
from totp_gate.web.pages import Answer
from totp_gate.web.proof import ProofPages
from totp_gate.web.recovery import RecoveryPages
from totp_gate.web.request import PageRequest
from totp_gate.web.signin import SignInPages
from totp_gate.web.signout import SignOutPages
from totp_gate.web.status import StatusPages
from totp_gate.web.stepup import StepUpPages

Page = Callable[..., Answer]
_YEAR = 31_536_000


class Routes:
    """The gate's own pages as one callable.

    Pages for people are given to windows only. The application shares their origin, so
    a script that it was made to show could otherwise read their forms and send them.
    """

    def __init__(
        self,
        desk: Desk,
        *,
        signin: SignInPages,
        handoff: HandOffPages,
        stepup: StepUpPages,
        recovery: RecoveryPages,
        signout: SignOutPages,
        enrollment: EnrollmentPages,
        links: LinkPages,
        account: AccountPages,
        held: HeldPages,
        proof: ProofPages,
        status: StatusPages,
        keys: KeyPages,
    ) -> None:
        self._desk = desk
        shows = account.shows() | handoff.shows() | status.shows()
        self._for_programs = {*status.shows(), "/jwks.json", "/assets/<name>"}
        self._pages: dict[str, dict[str, Page]] = {
            "/": {"GET": self._home},
            "/login": {"GET": handoff.show_login, "POST": signin.login},
            "/second-factor": {"GET": stepup.show, "POST": stepup.confirm},
            "/recovery": {"GET": recovery.show, "POST": recovery.recover},
            "/logout": {"GET": signout.show_logout, "POST": signout.logout},
            "/enroll": {"GET": enrollment.show, "POST": enrollment.confirm},
            "/enroll/<secret>": {"GET": links.show, "POST": links.begin},
            DONE: {"GET": self._done},
            "/held": {"GET": held.show, "POST": held.act},
            "/account": {"GET": account.show},
            **{page: {"GET": show} for page, show in shows.items()},
            "/account/confirm": {"GET": proof.show_confirm, "POST": proof.confirm},
            "/account/password": {
                "GET": proof.show_password,
                "POST": proof.change_password,
            },
            **{page: {"POST": act} for page, act in account.actions().items()},
            "/jwks.json": {"GET": keys.show},
            "/assets/<name>": {"GET": self._asset},
        }
        self._map = _map(tuple(self._pages))

    def answer(self, request: PageRequest) -> Answer:
        """Return the answer of the page that *request* asks for.

        Wrong input becomes a page here; ``GateError`` of other kinds goes on to the
        gate, which closes.
        """
        try:
            return self._dispatch(request)
        except BadRequest as error:
            self._desk.audit.event(
                request, "request-refused", "failure", detail=str(error)
            )
            return self._desk.trouble.answer(request.environ, error.status)
        except Overloaded as error:
            self._desk.audit.trouble(request.environ, "overloaded", error, seldom=True)
            return self._desk.trouble.busy(
                request.environ, retry_after=error.retry_after
            )

    def _dispatch(self, request: PageRequest) -> Answer:
        if "HTTP_SERVICE_WORKER" in request.environ:
            raise BadRequest("no page of the gate is a service worker", status=403)
        try:
            path, arguments = self._map.bind("").match(request.path)
        except (NotFound, RequestRedirect):
            return self._desk.trouble.answer(request.environ, 404, home_url="/")
        environ = request.environ
        if path not in self._for_programs and not headers.is_for_a_window(environ):
            raise BadRequest("a script asks for a page of the gate", status=403)
        pages = self._pages[path]
        page = pages.get("GET" if request.method == "HEAD" else request.method)
        if page is None:
            also = {"HEAD"} if "GET" in pages else set()
            allow = ", ".join(sorted({*pages, *also}))
            return self._desk.trouble.answer(request.environ, 405, allow=allow)
        if request.partial is not None and path.startswith("/account"):
            return self._desk.go(self._desk.link("/second-factor"))
        return page(request, **arguments)

    def _home(self, request: PageRequest) -> Answer:
        live = request.live or request.partial
        return self._desk.go("/" if live else self._desk.link("/login"))

    def _done(self, request: PageRequest) -> Answer:
        user = request.live.user if request.live else None
        shown = None if user is None else user.display or user.name
        return self._desk.pages.render("done.html", user=shown)

    def _asset(self, request: PageRequest, name: str) -> Answer:
        found = self._desk.pages.asset(name)
        if found is None:
            return self._desk.trouble.answer(request.environ, 404)
        answer = Answer(found.octets, content_type=found.kind)
        answer.headers["Cache-Control"] = f"public, max-age={_YEAR}, immutable"
        return self._desk.pages.finish(answer)


@lru_cache(maxsize=4)
def _map(paths: tuple[str, ...]) -> Map:
    """Return Werkzeug's map of *paths*; making one costs as much as opening a state."""
    return Map(
        [Rule(path, endpoint=path) for path in paths],
        strict_slashes=False,
        merge_slashes=False,
    )
