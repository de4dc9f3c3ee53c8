"""Whose turn it is on gevent's loop; the scripts run in a process that is patched."""

import subprocess
import sys

import pytest

FIRST = """
from gevent import monkey; monkey.patch_all()
import gevent, socket
from itertools import groupby
from totp_gate.waiting import give_way, stand_in_line

others = []
def full():
    "Return a socket that is never waited for: there is always something to read."
    here, there = socket.socketpair()
    there.sendall(bytes(200))
    others.append(there)
    return here
"""

GREEDY = """
log = []
def serve(name, ready):
    for _ in range(100):
        ready.recv(1)
        give_way()
        log.append(name)
gevent.joinall([gevent.spawn(serve, name, full()) for name in "ab"], raise_error=True)
print(max(len(list(run)) for _, run in groupby(log)) <= 2)
"""

WAITING = """
here, there = socket.socketpair()
turns = []
def answer():
    there.recv(1)
    turns.append("answered")
def serve():
    here.sendall(b".")
    for _ in range(100):
        give_way()
        turns.append("served")
gevent.joinall([gevent.spawn(answer), gevent.spawn(serve)], raise_error=True)
print(turns.index("answered") <= 3)
"""

STRANGERS = """
turns = []
def knock(number):
    stand_in_line()
    turns.append(number)
def serve(ready):
    for _ in range(100):
        ready.recv(1)
        give_way()
        turns.append("known")
strangers = [gevent.spawn(knock, number) for number in range(20)]
gevent.joinall([*strangers, gevent.spawn(serve, full())], raise_error=True)
runs = groupby(turns, lambda turn: turn == "known")
together = [len(list(run)) for known, run in runs if not known]
passed = [turn for turn in turns if turn != "known"]
print(passed == list(range(20)), max(together) <= 2)
"""

KILLED = """
passed = []
def knock(number):
    stand_in_line()
    passed.append(number)
strangers = [gevent.spawn(knock, number) for number in range(3)]
gevent.sleep(0)  # all stand there, the first at its head
strangers[0].kill()
strangers[1].kill()
strangers[2].join(10)
knock(3)
print(passed == [2, 3])
"""

ALONE = """
for _ in range(1000):
    give_way()
    stand_in_line()
print(True)
"""


def said(script):
    ran = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return set(ran.stdout.split())


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(GREEDY, id="two that never wait take turns"),
        pytest.param(WAITING, id="who has something to read is not kept waiting"),
        pytest.param(STRANGERS, id="strangers pass in order and one in a turn"),
        pytest.param(KILLED, id="who is killed in the line does not block it"),
        pytest.param(ALONE, id="alone nobody waits for anybody"),
    ],
)
def test_the_loop_is_shared(script):
    assert said(FIRST + script) == {"True"}


def test_where_threads_serve_gevent_is_not_even_loaded():
    script = (
        "import sys; from totp_gate.waiting import give_way, stand_in_line;"
        "give_way(); stand_in_line(); print('gevent' not in sys.modules)"
    )

    assert said(script) == {"True"}
