"""What the place somebody came for asks of them.

A sign-in stops after the password only where the place it leads to is content with
that, and nobody is asked for a code where the session they have is enough already.
"""

from __future__ import annotations

from totp_gate.core.policy import Policy
from totp_gate.core.urls import understand
from totp_gate.errors import BadRequest
from totp_gate.model import (
    AccessRequest,
    Challenge,
    Decision,
    Level,
    Permit,
    Refuse,
    Subject,
    User,
)
from totp_gate.web.request import PageRequest

_NOBODY = Subject()


class Onward:
    """Asks the policy about the place to go to."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def takes_password(self, request: PageRequest, place: str, user: User) -> bool:
        """Tell whether *user* needs the password for *place*, and no more.

        Args:
            place: checked by ``safe_next``; one on another host takes both factors.
        """
        if not self.asks_password(request, place):
            return False
        proven = Subject(
            user=user.name, groups=frozenset(user.groups), level=Level.PASSWORD
        )
        return isinstance(self._decide(request, place, proven), Permit)

    def asks_password(self, request: PageRequest, place: str) -> bool:
        """Tell whether *place* asks for the password, and no more, if of anybody."""
        asked = self._decide(request, place, _NOBODY)
        return isinstance(asked, Challenge) and asked.level is Level.PASSWORD

    def is_open(self, request: PageRequest, place: str) -> bool:
        """Tell whether the session of *request* is enough for *place*."""
        live = request.live or request.partial
        if live is None:
            return False
        return isinstance(self._decide(request, place, live.subject), Permit)

    def _decide(self, request: PageRequest, place: str, subject: Subject) -> Decision:
        if not place.startswith("/"):
            return Refuse(reason="another host")
        try:
            target, query = understand(place)
            wanted = AccessRequest(
                host=request.origin.host,
                method="GET",
                path=target.path,
                readings=target.readings,
                query=query,
                address=request.address,
            )
            return self._policy.decide(subject, wanted, now=request.now)
        except BadRequest:
            return Refuse(reason="ambiguous")
