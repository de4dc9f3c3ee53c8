"""As ``wrapped_plain``, with room for many wrong codes in a row, and cheap passwords.

Here only the spent step stands between a second post of a code and a second session.
"""

from tests.integration.wrapped_plain import hello
from totp_gate import Gate
from totp_gate.config.sections import ThrottleSection
from totp_gate.core.passwords import Profile
from totp_gate.core.throttle import Backoff, Guessing

WIDE = Backoff(free=10_000)
ThrottleSection.guessing = lambda _: Guessing(code=WIDE, address=WIDE)

application = Gate(hello, "gate.toml", profile=Profile.cheap_for_tests())
