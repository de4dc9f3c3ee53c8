"""What is over is deleted in passing, and never matters meanwhile."""

from tests.applications import echo
from totp_gate.testing import Installation


def test_sessions_that_are_over_are_deleted_at_a_later_sign_in(tmp_path):
    installation = Installation(echo, tmp_path)
    alice, bob = installation.add_user("alice"), installation.add_user("bob")
    installation.sign_in(alice)

    installation.clock.tick(2 * 86_400)
    installation.sign_in(bob)

    assert installation.accounts.store.sessions("alice") == []
    assert len(installation.accounts.store.sessions("bob")) == 1
