"""What is wired together where a gate is made from its settings."""

import json

from totp_gate.app import create_app
from totp_gate.testing import write_settings


def test_the_audit_hears_of_a_certificate_that_does_not_fit(tmp_path):
    settings = '[upstream]\nurl = "https://127.0.0.1:9"\n[audit]\nfile = "audit.log"\n'
    gate = create_app(write_settings(tmp_path, settings))

    gate.app.observer.untrusted("0123456789ab", "certificate has expired")
    gate.accounts.store.close()

    line = json.loads((tmp_path / "audit.log").read_text())
    assert (line["event"], line["request"]) == ("upstream.untrusted", "0123456789ab")
