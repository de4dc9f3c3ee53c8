"""Figures and the audit of a whole server: several workers that come and go."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from pathlib import Path

import pytest

from tests.cli.test_serve import Serving
from tests.servers import wait_until
from tests.visitor import Visitor
from totp_gate.testing import write_settings


class Audited(Serving):
    """``totp-gate serve`` with its audit in a file."""

    def _install(self) -> None:
        super()._install()
        settings = '[upstream]\napp = "behind:application"\n[audit]\nfile = "a.log"\n'
        write_settings(self.folder, settings, origin=self.url)

    @property
    def audit(self) -> Path:
        return self.folder / "a.log"

    def figures(self) -> dict[str, float]:
        text = Visitor(self.url).get("/_gate/metrics").text
        return {
            series: float(value)
            for series, value in re.findall(r"^(gate_\S+) (\S+)$", text, re.MULTILINE)
        }


PERMITTED = 'gate_requests_total{outcome="permitted"}'
CHALLENGED = 'gate_requests_total{outcome="challenged"}'


def ask_often(visitor, *, threads, times):
    def ask():
        mine = Visitor(visitor.url, dict(visitor.cookies))
        for _ in range(times):
            assert mine.get("/").text == "hello alice"
            assert Visitor(mine.url).get("/").status == 303

    asking = [threading.Thread(target=ask) for _ in range(threads)]
    for one in asking:
        one.start()
    for one in asking:
        one.join()


@pytest.mark.server
@pytest.mark.parametrize("worker_class", ["gthread", "gevent"])
def test_the_figures_of_four_workers_add_up_and_outlive_them(worker_class):
    with Audited("--worker-class", worker_class, "--workers", "4") as server:
        wait_until(lambda: server.figures()["gate_processes"] == 4)
        visitor = server.signed_in()
        ask_often(visitor, threads=8, times=40)
        before = server.figures()
        assert before[PERMITTED] == before[CHALLENGED] == 320
        assert before['gate_sign_ins_total{result="success",step="code"}'] == 1
        assert before["gate_sessions"] == 1

        old = server.children
        os.kill(old[0], signal.SIGKILL)
        os.kill(server.pid, signal.SIGHUP)
        wait_until(lambda: set(server.children).isdisjoint(old))
        wait_until(lambda: server.figures()["gate_processes"] == 4)
        ask_often(visitor, threads=4, times=10)
        after = server.figures()

    assert after[PERMITTED] == after[CHALLENGED] == 360
    assert after['gate_sign_ins_total{result="success",step="code"}'] == 1


@pytest.mark.server
def test_the_folder_of_the_figures_goes_with_the_server():
    with Audited("--workers", "2") as server:
        maps = Path(f"/proc/{server.children[0]}/maps").read_text()
        folders = {
            Path(line.split()[-1]).parent
            for line in maps.splitlines()
            if line.endswith(".cells")
        }
        (folder,) = folders
        assert folder.stat().st_mode & 0o777 == 0o700

    assert not folder.exists()


@pytest.mark.server
def test_the_audit_of_four_workers_is_whole_and_can_be_rotated():
    with Audited("--workers", "4") as server:
        server.signed_in()
        server.audit.rename(server.folder / "a.log.1")
        for number in range(20):
            Visitor(server.url).submit(
                "/_gate/login", username=f"nobody{number}", password="wrong"
            )
        texts = [(server.folder / name).read_text() for name in ("a.log.1", "a.log")]

    events = [[json.loads(line) for line in text.splitlines()] for text in texts]
    assert [one["event"] for one in events[0]] == ["sign-in.password", "sign-in.code"]
    assert len(events[1]) == 20
    assert {one["event"] for one in events[1]} == {"sign-in.password"}
    assert {one["outcome"] for one in events[1]} == {"failure"}
    assert "nobody" not in texts[1]
