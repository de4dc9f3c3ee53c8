from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from totp_gate.telemetry.cells import Cells

NAMES = ["one", "two", "open", "here"]


@pytest.fixture
def make(tmp_path):
    """Make cells of this process in the folder of the test."""

    def make(names=NAMES):
        return Cells(names, tmp_path, passing=[2, 3], present=3)

    return make


def in_a_child(work):
    """Run *work* in a forked process that then lives until ``end`` is called."""
    ready, tell_ready = os.pipe()
    stay, tell_end = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        os.close(tell_end)
        work()
        os.write(tell_ready, b"+")
        os.read(stay, 1)
        os._exit(0)
    os.close(tell_ready)
    os.close(stay)
    assert os.read(ready, 1) == b"+"
    os.close(ready)

    def end():
        os.write(tell_end, b"-")
        os.close(tell_end)
        os.waitpid(child, 0)

    return end


def count(cells, position, by):
    cells.values[position] += by


@pytest.mark.parametrize("folder", [None, "shared"])
def test_what_is_counted_is_there_at_once(tmp_path, folder):
    cells = Cells(NAMES, tmp_path if folder else None, present=3)
    cells.values[0] += 1
    cells.values[1] += 2**40

    assert cells.total() == [1, 2**40, 0, 1]


def test_the_numbers_of_living_processes_add_up(make):
    cells = make()
    count(cells, 0, 5)
    ends = [in_a_child(lambda: count(cells, 0, 10)) for _ in range(3)]
    alive = cells.total()
    for end in ends:
        end()

    assert alive == [35, 0, 0, 4]


def test_a_process_that_is_gone_leaves_its_counts_and_nothing_else(make, tmp_path):
    cells = make()

    def work():
        count(cells, 1, 7)
        count(cells, 2, 1)

    for _ in range(3):
        in_a_child(work)()
        assert cells.total()[2:] == [0, 1]

    assert cells.total() == [0, 21, 0, 1]
    assert len(list(tmp_path.glob("*.cells"))) == 1


def test_a_killed_process_is_gone_too(tmp_path, make):
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from totp_gate.telemetry.cells import Cells\n"
        f"cells = Cells({NAMES!r}, Path(sys.argv[1]), passing=[2, 3], present=3)\n"
        "cells.values[0] += 3\n"
        "cells.values[2] += 1\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)

    assert make().total() == [3, 0, 0, 1]


def test_readers_at_the_same_time_bury_the_dead_once(make):
    cells = make()
    for _ in range(60):
        in_a_child(lambda: count(cells, 0, 1))()
    seen = []

    def read():
        seen.append(cells.total()[0])

    sys.setswitchinterval(1e-6)
    try:
        readers = [threading.Thread(target=read) for _ in range(8)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
    finally:
        sys.setswitchinterval(0.005)

    assert seen == [60] * 8


def test_whoever_is_killed_while_burying_counts_nobody_twice(
    make, tmp_path, monkeypatch
):
    cells = make()
    for _ in range(2):
        in_a_child(lambda: count(cells, 0, 1))()

    def killed(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            cells.total()
    in_a_child(lambda: count(cells, 0, 1))()

    assert [cells.total()[0] for _ in range(2)] == [3, 3]
    assert len(list(tmp_path.glob("*.cells"))) == 1


def test_threads_lose_no_count(make):
    cells = make()

    def work():
        for _ in range(50_000):
            cells.values[0] += 1

    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(0.005)

    assert cells.total()[0] == 400_000


def test_files_of_another_list_are_not_read_as_ours(make):
    other = make(["else", "two", "open", "here"])
    count(other, 0, 99)

    assert make().total() == [0, 0, 0, 1]


def test_without_a_folder_a_fork_begins_at_zero(tmp_path):
    cells = Cells(NAMES)
    count(cells, 0, 5)
    seen = tmp_path / "seen"
    in_a_child(lambda: seen.write_text(str(cells.total())))()

    assert seen.read_text() == "[0, 0, 0, 0]"
    assert cells.total() == [5, 0, 0, 0]


def test_files_are_for_their_owner_alone(make, tmp_path):
    make().total()

    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
