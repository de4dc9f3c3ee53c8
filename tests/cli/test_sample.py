"""The sample application: what it shows, and that it shows it harmlessly."""

from __future__ import annotations

from pathlib import Path

from werkzeug.test import Client

from totp_gate.cli.sample import application
from totp_gate.testing import Installation


def test_it_shows_who_is_signed_in_and_what_it_received(tmp_path: Path):
    gate = Installation(application, tmp_path)
    browser = gate.sign_in(gate.add_user("alice", groups=["staff"]))

    page = browser.get("/any/path?q=1", headers={"X-Made-Up": "yes"}).text

    for words in ("Hello, <strong>alice", "second factor", "staff", "X-Made-Up"):
        assert words in page
    assert "totp_gate=" not in page
    gate.accounts.store.close()


def test_what_a_visitor_sends_is_text_and_nothing_else():
    page = Client(application).post(
        "/<script>", data={"line": "<b>&"}, headers={"X-Evil": "<img src=x>"}
    )

    assert "You sent: &lt;b&gt;&amp;" in page.text
    assert "<img" not in page.text
    assert "<script" not in page.text


def test_its_page_may_do_nothing_but_look():
    page = Client(application).get("/")
    policy = page.headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script" not in policy
    assert "Hello, <strong>stranger" in page.text


def test_it_answers_no_other_method():
    assert Client(application).delete("/").status_code == 405
    assert Client(application).head("/").data == b""
