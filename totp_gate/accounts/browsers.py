"""Browsers that somebody has signed in with before, and those they trust.

Strategy: after a complete sign-in a browser gets a signed reference to a series of its
own. It is good for two things: strangers who guess at the account cannot lock this
browser out (``accounts.guessing``), and, where its owner said so, the code is not asked
for while the trust lasts. It never stands for a password.

A reference that passed for a code is exchanged at once. Whoever shows one that was
exchanged before holds a copy, or is the one who was copied: the series ends, and the
code is asked for. Parallel requests of one browser have a short grace. Trust ends with
the password and with every change of a factor, wherever these are kept.

Source:
    OWASP, Slow Down Online Guessing Attacks with Device Cookies; NIST SP 800-63B-4
    section 3.1.1 (a bound device replaces only the second factor).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from totp_gate.accounts.guessing import Visitor
from totp_gate.core.signing import Tokens, digest
from totp_gate.model import Browser, User
from totp_gate.stores.base import Rotation, Store

KNOWN_LIFE = 180 * 86_400
MOST_PER_USER = 20
GRACE = 10.0
_TAG = 16


@dataclass(frozen=True, slots=True)
class Passing:
    """Whether a trusted browser stands for the code.

    Attributes:
        how: ``rotated`` and ``grace`` do; ``replayed`` revoked the series.
        proven: when a code was last typed in this browser, Unix seconds.
        cookie: the new cookie value, or empty.
    """

    how: Rotation
    proven: float = 0.0
    cookie: str = ""


class Browsers:
    """Use cases over known and trusted browsers.

    Args:
        trust: seconds for which a browser may be trusted; 0: not at all.
        hosts: at how many hosts each may be known, by a series of its own at each.
    """

    def __init__(
        self, *, store: Store, tokens: Tokens, trust: int = 0, hosts: int = 1
    ) -> None:
        self._store = store
        self._tokens = tokens
        self.trust = trust
        self._most = MOST_PER_USER * hosts

    def recognise(self, cookie: str | None, user: str, *, now: float) -> Browser | None:
        """Return the series *cookie* belongs to, if it is the user's and current."""
        shown = self._read(cookie)
        if shown is None:
            return None
        series, secret = shown
        for browser in self._store.browsers(user):
            if browser.id != series or now >= browser.expires:
                continue
            recent = abs(now - browser.rotated) < GRACE
            if secret == browser.current or (recent and secret == browser.previous):
                return browser
        return None

    def pass_code(self, cookie: str | None, user: User, *, now: float) -> Passing:
        """Exchange the reference of a trusted browser; the answer says if it counts.

        Raises:
            StoreUnavailable: nothing was exchanged; ask for the code.
        """
        shown = self._read(cookie, trusting=user)
        if shown is None:
            return Passing("unknown")
        series, secret = shown
        trusted = {browser.id: browser for browser in self.trusted(user.name, now=now)}
        browser = trusted.get(series)
        if browser is None:
            return Passing("unknown")
        fresh, value = self._draw(series, user)
        how = self._store.rotate_browser(
            series, user.name, shown=secret, next=fresh, now=now, grace=GRACE
        )
        return Passing(how, browser.created, value if how == "rotated" else "")

    def remember(
        self,
        cookie: str | None,
        user: User,
        visitor: Visitor,
        *,
        now: float,
        trust: bool = False,
    ) -> str:
        """Begin a series for a browser that has just proven everything.

        Args:
            cookie: what it showed; that series ends.
            trust: its owner trusts it.

        Returns:
            The value of the cookie.
        """
        shown = self._read(cookie)
        if shown is not None:
            self._store.forget_browser(user.name, shown[0])
        series = secrets.token_hex(8)
        current, value = self._draw(series, user)
        browser = Browser(
            id=series,
            user=user.name,
            current=current,
            rotated=now,
            created=now,
            expires=now + max(KNOWN_LIFE, self.trust),
            trusted_until=now + self.trust if trust else 0.0,
            address=visitor.address,
            agent=visitor.agent,
        )
        self._store.add_browser(browser, keep=self._most)
        return value

    def trusted(self, user: str, *, now: float) -> list[Browser]:
        """Return the browsers *user* trusts now, newest first.

        A setting that was lowered since counts at once.
        """
        known = self._store.browsers(user)
        return [
            browser
            for browser in known
            if now < min(browser.trusted_until, browser.created + self.trust)
        ]

    def forget(self, user: str, series: str) -> bool:
        """End one series; False: not theirs."""
        return self._store.forget_browser(user, series)

    def series(self, cookie: str | None, user: str | None = None) -> str | None:
        """Return the series of *cookie*; None: it is not ours, or not *user*'s.

        It may have ended: this tells where somebody signed in once, and proves nothing.
        """
        claims = self._tokens.read("browser", cookie) if cookie else None
        if claims is None or "u" not in claims:
            return None
        series = str(claims.get("i"))
        if user is not None and claims["u"] != _owner(series, user):
            return None
        return series

    def owner(self, cookie: str | None) -> str | None:
        """Return what tells `owns` for whom *cookie* is, 32 characters, or None."""
        claims = self._tokens.read("browser", cookie) if cookie else None
        if claims is None or "u" not in claims:
            return None
        return f"{claims.get('i')}{str(claims['u'])[:_TAG]}"

    @staticmethod
    def owns(owner: str, user: str) -> bool:
        """Tell whether *owner* is of a cookie of *user*."""
        series, tag = owner[:-_TAG], owner[-_TAG:]
        return tag == _owner(series, user)[:_TAG]

    def _draw(self, series: str, user: User) -> tuple[str, str]:
        secret = secrets.token_urlsafe(24)
        claims = {
            "i": series,
            "s": secret,
            "u": _owner(series, user.name),
            "c": _given(series, user),
        }
        return digest(secret), self._tokens.write("browser", claims)

    def _read(
        self, cookie: str | None, *, trusting: User | None = None
    ) -> tuple[str, str] | None:
        """Return series and secret; None: not ours, or not from when it was trusted."""
        claims = self._tokens.read("browser", cookie) if cookie else None
        if claims is None:
            return None
        series = str(claims.get("i"))
        if trusting is not None and claims.get("c") != _given(series, trusting):
            return None
        return series, digest(str(claims.get("s")))


def _owner(series: str, user: str) -> str:
    """Return what stands for *user* in a cookie, without naming them."""
    return digest(f"{series} {user}")[:32]


def _given(series: str, user: User) -> str:
    """Return what ends the trust of *user* in a browser when it changes.

    The store ends it by itself; the settings file, which may hold password and seed,
    cannot.
    """
    seed = (user.totp_secret or b"").hex()
    return digest(f"{series} {user.credential} {seed}")[:32]
