"""The web side over the accounts: pages, endpoints, and what the gate needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from totp_gate.accounts.handoff import HandOffs
from totp_gate.accounts.live import LiveSessions
from totp_gate.app.accounts import Accounts
from totp_gate.config import Config
from totp_gate.core.assertion import Signer
from totp_gate.core.headers import Networks, environ_key, plain
from totp_gate.core.policy import Policy
from totp_gate.model import AppToken, Identity, Level, Session, User
from totp_gate.web.account import AccountPages
from totp_gate.web.admit import Admission
from totp_gate.web.arrival import Arrivals, Caller
from totp_gate.web.asking import Asks
from totp_gate.web.csrf import FormTokens
from totp_gate.web.desk import Desk
from totp_gate.web.drawn import DrawnPage
from totp_gate.web.enrollment import EnrollmentPages
from totp_gate.web.entrance import Entrance
from totp_gate.web.forgeries import Forgeries
from totp_gate.web.halfway import HalfWay
from totp_gate.web.handback import HandBack
from totp_gate.web.handoff import HandOffPages
from totp_gate.web.held import HeldPages
from totp_gate.web.judgement import Judgement
from totp_gate.web.jwks import Assertions, KeyPages
from totp_gate.web.links import LinkPages
from totp_gate.web.loops import Loops
from totp_gate.web.notes import Notes
from totp_gate.web.onward import Onward
from totp_gate.web.pages import Pages
from totp_gate.web.parts import Parts
from totp_gate.web.passages import NOTICED
from totp_gate.web.prelogin import LoginCookie
from totp_gate.web.proof import ProofPages
from totp_gate.web.recovery import RecoveryPages
from totp_gate.web.request import CookieNames
from totp_gate.web.routes import Routes
from totp_gate.web.signin import SignInPages
from totp_gate.web.signout import SignOutPages
from totp_gate.web.status import StatusPages
from totp_gate.web.stepup import StepUpPages
from totp_gate.web.tokens import TokenPages
from totp_gate.web.trouble import Trouble
from totp_gate.web.wrongcode import WrongCodes

Check = Callable[[], object]


def furnish(accounts: Accounts, checks: Mapping[str, Check]) -> Parts:
    """Return the web side over *accounts*; *checks* as in ``Gate``."""
    config = accounts.config
    desk = _desk(accounts)
    forgeries = _forgeries(accounts, desk)
    identity = _Identity(config)
    policy = Policy.compile(config.access_rules())
    live = LiveSessions(
        store=accounts.store,
        directory=accounts.directory,
        references=accounts.references,
        limits=config.limits(),
        dress=identity.dress,
        clock=accounts.clock,
    )
    return Parts(
        origins=config.origins,
        prefix=config.gate.prefix,
        names=desk.names,
        identity=identity.headers,
        arrivals=Arrivals(
            origins=config.origins,
            prefix=config.gate.prefix,
            identity=identity.headers,
            trusted=Networks(config.gate.trusted_proxies),
            tell=forgeries.tell_headers,
            tell_unlisted=forgeries.tell_unlisted,
            noticed=NOTICED,
        ),
        judgement=Judgement(live, policy, desk.names, forgeries),
        routes=_routes(accounts, desk, policy, _handoffs(accounts, live), checks),
        held=_held(accounts, desk),
        admission=Admission(desk.pages, prefix=config.gate.prefix, home=desk.home),
        trouble=desk.trouble,
        audit=desk.audit,
        clock=accounts.clock,
        meter=accounts.meter,
        assertions=_assertions(accounts),
    )


def identity_headers(config: Config) -> tuple[str, ...]:
    """Return the names of the headers that tell the application who asks."""
    section = config.identity
    names = (section.user, section.groups, section.name, section.email)
    return (*names, section.assertion) if section.assertion else names


def pages_of(config: Config) -> Pages:
    """Return what renders the pages of this installation."""
    return Pages(
        site=config.gate.name,
        prefix=config.gate.prefix,
        theme=config.gate.theme,
        insecure=config.gate.insecure_http,
        hosts=[origin.text for origin in config.origins],
    )


def _forgeries(accounts: Accounts, desk: Desk) -> Forgeries:
    """Return what tells the audit of what was made up."""

    def is_session(token: str, caller: Caller) -> bool:
        host = caller.host
        return host is not None and accounts.references.id_of(token, host) is not None

    return Forgeries(
        desk.audit,
        names=desk.names,
        is_session=is_session,
        is_browser=lambda value: accounts.browsers.series(value) is not None,
        clock=accounts.clock,
    )


def _desk(accounts: Accounts) -> Desk:
    config = accounts.config
    insecure = config.gate.insecure_http
    pages = pages_of(config)
    return Desk(
        pages=pages,
        trouble=Trouble(pages),
        forms=FormTokens(accounts.tokens),
        notes=Notes(accounts.tokens),
        login_cookie=LoginCookie(accounts.tokens, accounts.sealer),
        names=CookieNames.under(insecure=insecure),
        origins=config.origins,
        prefix=config.gate.prefix,
        secure=not insecure,
        audit=accounts.audit,
    )


def _routes(
    accounts: Accounts,
    desk: Desk,
    policy: Policy,
    handoffs: HandOffs,
    checks: Mapping[str, Check],
) -> Routes:
    config = accounts.config
    asks = Asks(accounts.tokens, desk.origins)
    entrance = _entrance(accounts, desk, handoffs)
    drawn = DrawnPage(desk, accounts.enrollment, issuer=config.gate.name)
    enrollment = EnrollmentPages(
        desk,
        accounts.enrollment,
        accounts.signin,
        accounts.owner,
        entrance,
        drawn=drawn,
        first_login=config.second_factor.enrollment == "first-login",
    )
    onward, wrong = Onward(policy), WrongCodes(accounts.factors, desk.audit)
    signin, stepup, recovery = _signin(accounts, desk, entrance, onward, wrong)
    return Routes(
        desk,
        signin=signin,
        handoff=HandOffPages(
            desk, handoffs, asks, entrance=entrance, signin=signin, onward=onward
        ),
        stepup=stepup,
        recovery=recovery,
        signout=SignOutPages(desk, accounts.sessions),
        enrollment=enrollment,
        links=LinkPages(desk, accounts.enrollment, drawn),
        account=_account(accounts, desk, entrance, enrollment),
        held=_held(accounts, desk),
        proof=ProofPages(desk, accounts.owner, accounts.enrollment, entrance, wrong),
        status=_status(accounts, desk, checks),
        keys=KeyPages(desk, _signer(accounts)),
    )


def _status(accounts: Accounts, desk: Desk, checks: Mapping[str, Check]) -> StatusPages:
    own = {"store": accounts.store.ping, "keys": accounts.look_at_keys}
    return StatusPages(
        desk,
        {**own, **checks},
        meter=accounts.meter,
        insiders=Networks(accounts.config.metrics.networks),
    )


def _account(
    accounts: Accounts, desk: Desk, entrance: Entrance, enrollment: EnrollmentPages
) -> AccountPages:
    return AccountPages(
        desk,
        store=accounts.store,
        owner=accounts.owner,
        browsers=accounts.browsers,
        recovery=accounts.recovery,
        entrance=entrance,
        tokens=TokenPages(desk, accounts.app_tokens, accounts.owner, accounts.sealer),
        enrollment=enrollment,
    )


def _signin(
    accounts: Accounts,
    desk: Desk,
    entrance: Entrance,
    onward: Onward,
    wrong: WrongCodes,
) -> tuple[SignInPages, StepUpPages, RecoveryPages]:
    """Return the pages that ask for password and code, for a code, a recovery code."""
    halfway = HalfWay(desk, accounts.signin)
    first_login = accounts.config.second_factor.enrollment == "first-login"
    signin = SignInPages(
        desk,
        accounts.signin,
        entrance,
        onward,
        halfway,
        wrong=wrong,
        first_login=first_login,
    )
    stepup = StepUpPages(
        desk, accounts.owner, entrance, signin, onward=onward, wrong=wrong
    )
    return signin, stepup, RecoveryPages(desk, accounts.signin, entrance, halfway)


def _entrance(accounts: Accounts, desk: Desk, handoffs: HandOffs) -> Entrance:
    back = Asks(accounts.tokens, desk.origins, "back")
    return Entrance(
        desk,
        signin=accounts.signin,
        sessions=accounts.sessions,
        browsers=accounts.browsers,
        recovery=accounts.recovery,
        sealer=accounts.sealer,
        store=accounts.store,
        held=accounts.held,
        loops=Loops(desk, accounts.tokens),
        handback=HandBack(desk, handoffs, back),
    )


def _handoffs(accounts: Accounts, live: LiveSessions) -> HandOffs:
    return HandOffs(
        store=accounts.store,
        tokens=accounts.tokens,
        references=accounts.references,
        sealer=accounts.sealer,
        live=live,
    )


def _held(accounts: Accounts, desk: Desk) -> HeldPages:
    return HeldPages(desk, accounts.held, accounts.references)


def _signer(accounts: Accounts) -> Signer | None:
    """Return what signs assertions, where they are wanted."""
    if not accounts.config.identity.assertion:
        return None
    return Signer(accounts.ring.derive("assertion"))


def _assertions(accounts: Accounts) -> Assertions | None:
    config = accounts.config
    signer = _signer(accounts)
    if signer is None:
        return None
    return Assertions(
        signer,
        header=config.identity.assertion,
        issuer=config.origins[0].text,
        clock=accounts.clock,
    )


class _Identity:
    """What the application is told about a session."""

    def __init__(self, config: Config) -> None:
        self.headers = identity_headers(config)
        named = self.headers[:4]
        self._keys = [environ_key(name) for name in named]

    def dress(
        self, session: Session, user: User, token: AppToken | None
    ) -> dict[str, object]:
        """Return the environ entries of a request of *session*.

        Where *token* stands for it, nobody has proven anything.
        """
        proven = token is None
        identity = Identity(
            user=user.name,
            groups=user.groups,
            name=user.display,
            email=user.email,
            level=session.level if proven else Level.NONE,
            session_id=session.id[:12],
            password_at=session.password_at if proven else None,
            second_factor_at=session.second_factor_at if proven else None,
        )
        values = (user.name, ",".join(user.groups), user.display, user.email)
        told = [_header_text(value) for value in values]
        return {
            "REMOTE_USER": told[0],
            "AUTH_TYPE": "totp_gate",
            "totp_gate.identity": identity,
            **dict(zip(self._keys, told, strict=True)),
        }


def _header_text(text: str) -> str:
    """Return *text* as WSGI wants it: UTF-8 octets as latin-1 characters (PEP 3333).

    It is not cut: half a list of groups would be another list.
    """
    return plain(text, len(text)).encode().decode("latin-1")
