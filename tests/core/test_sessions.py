"""Two clocks: idle starts anew, lifetime never does."""

import pytest

from totp_gate.core.sessions import Limits, is_live, live_until, must_write
from totp_gate.model import Session

LIMITS = Limits(idle=3600, lifetime=86_400)


def session(*, created=0.0, seen=0.0):
    return Session(id="s", user="alice", created=created, seen=seen, password_at=0)


@pytest.mark.parametrize(
    ("seen", "now", "live"),
    [
        pytest.param(0, 3599, True, id="just before idle ends"),
        pytest.param(0, 3600, False, id="idle is over"),
        pytest.param(1800, 3700, True, id="used every half hour"),
        pytest.param(86_000, 86_399, True, id="busy, just before lifetime ends"),
        pytest.param(86_000, 86_400, False, id="busy, but lifetime is over"),
        pytest.param(0, -3600, False, id="made in the future"),
        pytest.param(0, -30, True, id="a clock set back by half a minute"),
        pytest.param(80_000, 79_940, True, id="seen a minute from now"),
        pytest.param(80_000, 79_939, False, id="seen in the future"),
    ],
)
def test_a_session_lives_while_both_clocks_allow(seen, now, live):
    assert is_live(session(seen=seen), LIMITS, now=now) is live


def test_the_earlier_end_counts():
    assert live_until(session(seen=86_000), LIMITS) == 86_400
    assert live_until(session(seen=10), LIMITS) == 3610


@pytest.mark.parametrize(
    ("idle", "every"),
    [
        pytest.param(3600, 60, id="an hour: once a minute"),
        pytest.param(90, 9, id="ninety seconds: a tenth of it"),
    ],
)
def test_activity_is_written_seldom(idle, every):
    limits = Limits(idle=idle)

    assert limits.write_every == every
    assert not must_write(session(), limits, now=every - 1)
    assert must_write(session(), limits, now=every)
