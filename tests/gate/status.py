"""The pages for monitors of a gate in this process."""

from __future__ import annotations

from totp_gate.testing import Installation
from totp_gate.web.status import StatusPages


def status_pages(installation: Installation) -> StatusPages:
    """Return them, so that a test can break what they look at."""
    pages: StatusPages = installation.gate._parts.routes._pages["/readyz"][
        "GET"
    ].__self__
    return pages
