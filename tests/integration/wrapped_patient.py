"""As ``wrapped_plain``, with waits that outlast every test, and cheap passwords.

The budget of an account stays as it is; however slow the machine, no wait ends meanwhile.
"""

from tests.integration.wrapped_plain import hello
from totp_gate import Gate
from totp_gate.config.sections import ThrottleSection
from totp_gate.core.passwords import Profile
from totp_gate.core.throttle import Backoff, Guessing

CODE = Backoff(free=4, first=3600, ceiling=3600, hard=100)
ThrottleSection.guessing = lambda _: Guessing(code=CODE)

application = Gate(hello, "gate.toml", profile=Profile.cheap_for_tests())
