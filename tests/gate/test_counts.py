"""What becomes of a request is counted, and shown to those who may see it."""

import json
import math
import re
import threading
from functools import partial

import pytest

from tests.accounts.crowd import at_once
from tests.applications import echo
from tests.gate.status import status_pages
from totp_gate.accounts.guessing import Visitor
from totp_gate.errors import StoreUnavailable
from totp_gate.testing import Clock, Installation, write_settings
from totp_gate.web.status import READY_EVERY

STRANGER = {"REMOTE_ADDR": "203.0.113.9"}


def figures(installation):
    text = installation.client().get("/_gate/metrics").text
    found = re.findall(
        r'^gate_requests_total{outcome="(\w+)"} (\S+)$', text, re.MULTILINE
    )
    return {outcome: float(value) for outcome, value in found}


def change(installation, act):
    """Return which outcomes *act* has counted."""
    before = figures(installation)
    act()
    after = figures(installation)
    # The first look was not counted yet when it was answered.
    before["own"] += 1
    return {name: n - before[name] for name, n in after.items() if n != before[name]}


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        pytest.param("/", "permitted", id="passed on"),
        pytest.param("/_gate/account", "own", id="a page of the gate"),
        pytest.param("/_gate/healthz", "own", id="a question of a monitor"),
        pytest.param("/_gate/none", "own", id="a page the gate does not have"),
        pytest.param("/a//../b", "bad_request", id="read differently by two servers"),
    ],
)
def test_a_request_is_counted_once_by_its_outcome(installation, browser, path, outcome):
    assert change(installation, lambda: browser.get(path)) == {outcome: 1}


def test_a_stranger_is_challenged(installation):
    client = installation.client()

    assert change(installation, lambda: client.get("/")) == {"challenged": 1}


def test_a_host_that_is_not_ours_is_a_bad_request(installation):
    client = installation.client()

    assert change(
        installation, lambda: client.get("/", headers={"Host": "other.example"})
    ) == {"bad_request": 1}


def test_a_gate_that_cannot_ask_its_store_is_closed(installation, browser, monkeypatch):
    def broken():
        raise StoreUnavailable("the state is busy")

    live = installation.gate._parts.judgement.live
    with monkeypatch.context() as patched:
        patched.setattr(live, "catch_up", broken)
        counted = change(installation, lambda: browser.get("/"))

    assert counted == {"closed": 1}


HASH = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$" + "A" * 43
IN_FILE = f"[[users]]\nname = 'carol'\npassword_hash = '{HASH}'\n"


def test_accounts_are_locked_while_there_are_such(tmp_path):
    house = Installation(echo, tmp_path, IN_FILE)
    house.add_user("alice")

    def locked():
        text = house.client().get("/_gate/metrics").text
        return re.search(r"^gate_locked_accounts (\S+)$", text, re.MULTILINE)[1]

    for kind, name in (
        ("password", "alice"),
        ("code", "alice"),
        ("password", "carol"),
        ("password", "nobody"),
    ):
        for number in range(100):
            house.clock.tick(3600)
            house.accounts.guessing.begin(
                kind,
                name,
                Visitor(address=f"192.0.2.{number}"),
                known=name != "nobody",
                now=house.clock(),
            )
    assert locked() == "2.0"

    house.accounts.store.remove_user("alice")
    assert locked() == "1.0"
    house.sign_in(house.add_user("alice"))

    write_settings(tmp_path)
    house.restart()
    assert locked() == "0.0"
    house.accounts.store.close()


def test_sign_ins_sessions_and_the_store_are_in_the_figures(installation, alice):
    installation.sign_in(alice)
    text = installation.client().get("/_gate/metrics").text

    for line in (
        'gate_sign_ins_total{result="success",step="password"} 1.0',
        'gate_sign_ins_total{result="success",step="code"} 1.0',
        "gate_sessions 1.0",
        "gate_locked_accounts 0.0",
        "gate_processes 1.0",
    ):
        assert line in text.splitlines()
    assert "gate_password_seconds_count 0.0" not in text
    assert 'gate_store_seconds_count{operation="write"} 0.0' not in text


def test_a_session_that_has_been_idle_too_long_is_counted_no_more(
    installation, browser
):
    installation.clock.tick(3600)

    text = installation.client().get("/_gate/metrics").text
    assert "gate_sessions 0.0" in text.splitlines()


def test_the_figures_are_for_the_networks_of_the_settings_only(installation):
    client = installation.client()
    told = client.get("/_gate/metrics")
    refused = client.get("/_gate/metrics", environ_overrides=STRANGER)
    nowhere = client.get("/_gate/none", environ_overrides=STRANGER)

    assert told.status_code == 200
    assert told.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert told.headers["Cache-Control"] == "no-store"
    assert refused.status_code == 404

    def but_its_id(answer):
        return re.sub(r"\b[0-9a-f]{12}\b", "", answer.text)

    assert but_its_id(refused) == but_its_id(nowhere)


def test_a_trusted_proxy_hides_nobody(tmp_path):
    installation = Installation(
        echo, tmp_path, gate={"trusted_proxies": ["127.0.0.1/32"]}
    )
    stranger = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    answer = installation.client().get("/_gate/metrics", headers=stranger)
    installation.accounts.store.close()

    assert answer.status_code == 404


def test_prometheus_may_ask_by_any_name_and_in_the_clear(installation):
    answer = installation.client().get(
        "/_gate/metrics", base_url="http://127.0.0.1:8000"
    )

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        pytest.param({}, "not ready\nstore: the state is busy\n", id="from inside"),
        pytest.param(STRANGER, "not ready\n", id="from outside"),
    ],
)
def test_what_is_wrong_is_told_inside_only(
    tmp_path, monkeypatch, capsys, environ, told
):
    installation = Installation(echo, tmp_path)
    status = status_pages(installation)

    def broken():
        raise StoreUnavailable("the state is busy")

    monkeypatch.setitem(status._checks, "store", broken)
    answer = installation.client().get("/_gate/readyz", environ_overrides=environ)
    installation.accounts.store.close()

    assert (answer.status_code, answer.text) == (503, told)
    logged = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert logged["detail"] == "not ready: store: the state is busy"


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        pytest.param(lambda path: path.unlink(), "does not exist", id="gone"),
        pytest.param(lambda path: path.chmod(0o644), "chmod 600", id="open to others"),
        pytest.param(lambda path: path.write_text("x"), "gate.keys", id="no keys"),
    ],
)
def test_keys_with_which_no_gate_could_start_are_told(tmp_path, spoil, told):
    installation = Installation(echo, tmp_path)
    browser = installation.client()
    first = browser.get("/_gate/readyz")
    spoil(tmp_path / "gate.keys")
    status = status_pages(installation)
    status._checked_at = -math.inf

    answer = browser.get("/_gate/readyz")

    assert first.status_code == 200
    assert answer.status_code == 503
    assert answer.text.startswith("not ready\nkeys: gate.keys_file: ")
    assert told in answer.text
    assert browser.get("/").status_code == 303  # it serves on with those it has
    installation.accounts.store.close()


class TestReadyForASecond:
    """A stranger who asks all the time makes neither disk nor application busy."""

    @pytest.fixture
    def asked(self, installation, monkeypatch):
        """What was really asked, with a clock that stands still."""
        status = status_pages(installation)
        self.time = Clock(1000.0)
        self.works = True
        pings = []

        def ping():
            pings.append(self.time())
            if not self.works:
                raise StoreUnavailable("the state is busy")

        monkeypatch.setitem(status._checks, "store", ping)
        monkeypatch.setattr(status, "_monotonic", self.time)
        return pings

    @pytest.mark.parametrize(("works", "status"), [(True, 200), (False, 503)])
    def test_the_answer_is_asked_for_once_a_second(
        self, installation, asked, works, status
    ):
        self.works = works
        browser = installation.client()

        answers = [browser.get("/_gate/readyz") for _ in range(9)]
        self.time.tick(READY_EVERY)
        answers.append(browser.get("/_gate/readyz"))

        assert {answer.status_code for answer in answers} == {status}
        assert asked == [1000.0, 1001.0]

    @pytest.mark.parametrize(("works", "status"), [(True, 200), (False, 503)])
    def test_a_change_is_felt_after_a_second(self, installation, asked, works, status):
        self.works = not works
        browser = installation.client()
        browser.get("/_gate/readyz")

        self.works = works
        self.time.tick(READY_EVERY)

        assert browser.get("/_gate/readyz").status_code == status

    def test_what_is_remembered_is_told_inside_only(self, installation, asked):
        self.works = False
        inside = installation.client().get("/_gate/readyz")

        outside = installation.client().get("/_gate/readyz", environ_overrides=STRANGER)

        assert inside.text == "not ready\nstore: the state is busy\n"
        assert outside.text == "not ready\n"

    def test_of_many_at_once_one_asks(self, installation, asked, monkeypatch):
        status = status_pages(installation)
        another = threading.Event()

        def slow():
            if len(asked) > 1:
                another.set()
            another.wait(0.2)

        monkeypatch.setitem(status._checks, "slow", slow)
        browsers = [installation.client() for _ in range(8)]

        answers = at_once([partial(each.get, "/_gate/readyz") for each in browsers])

        assert {answer.status_code for answer in answers} == {200}
        assert len(asked) == 1

    def test_what_breaks_unforeseen_is_never_taken_for_ready(
        self, installation, asked, monkeypatch
    ):
        def broken():
            raise RuntimeError("nobody thought of this")

        status = status_pages(installation)
        monkeypatch.setitem(status._checks, "store", broken)

        for _ in range(2):
            assert installation.client().get("/_gate/readyz").status_code == 500


def test_what_breaks_unforeseen_is_one_event_and_one_line_of_the_log(
    installation, monkeypatch, capsys, caplog
):
    def broken(_):
        raise RuntimeError('hunter2\n{"event": "sign-in.code"}')

    monkeypatch.setattr(installation.gate._parts.arrivals, "caller", broken)
    answer = installation.client().get("/", headers={"Accept": "*/*"})

    assert answer.status_code == 500
    told = json.loads(capsys.readouterr().err.splitlines()[0])
    assert told["event"] == "trouble"
    assert told["detail"] == "failed: RuntimeError"
    assert told["request"] == answer.json["request_id"]
    (record,) = caplog.records
    line = record.getMessage()
    assert line.startswith(f"request={told['request']} failed inside the gate: ")
    assert "RuntimeError: hunter2\\n{" in line
    assert line.isprintable()
    assert record.exc_info is None


def test_figures_that_cannot_be_read_are_no_broken_page(tmp_path, monkeypatch, capsys):
    shared = tmp_path / "shared"
    shared.mkdir()
    monkeypatch.setenv("TOTP_GATE_METRICS_DIR", str(shared))
    installation = Installation(echo, tmp_path)
    shared.rename(tmp_path / "gone")
    answer = installation.client().get("/_gate/metrics")
    installation.accounts.store.close()

    assert answer.status_code == 503
    assert "no figures" in capsys.readouterr().err


def test_recent_events_of_an_account_are_kept(installation, alice):
    installation.sign_in(alice)

    kept = installation.accounts.store.events("alice")
    assert [(one.event, one.outcome) for one in kept] == [
        ("sign-in.code", "success"),
        ("sign-in.password", "success"),
    ]
    assert {one.address for one in kept} == {"127.0.0.1"}


def test_the_audit_goes_where_the_settings_say(tmp_path):
    installation = Installation(echo, tmp_path, '[audit]\nfile = "audit.log"\n')
    installation.sign_in(installation.add_user("alice"))
    installation.accounts.store.close()

    lines = (tmp_path / "audit.log").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines][-2:] == [
        "sign-in.password",
        "sign-in.code",
    ]


def test_the_settings_command_is_told(tmp_path):
    command = '["/bin/sh", "-c", "cat >> told"]'
    settings = f'[audit]\ncommand = {command}\ncommand_events = ["sign-in.code"]\n'
    installation = Installation(
        echo, tmp_path, settings.replace("told", f"{tmp_path}/told")
    )
    installation.sign_in(installation.add_user("alice"))
    hook = installation.accounts.audit._tell.__self__

    assert hook.finish()
    installation.accounts.store.close()
    told = json.loads((tmp_path / "told").read_text())
    assert (told["event"], told["user"]) == ("sign-in.code", "alice")
