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

GREEDY_STRANGERS = """
turns = []
def greedy(ready):
    for _ in range(100):
        ready.recv(1)
        give_way()
        stand_in_line()
        turns.append("greedy")
def honest():
    give_way()
    stand_in_line()
    turns.append("honest")
strangers = [gevent.spawn(greedy, full()) for _ in range(5)]
strangers += [gevent.spawn(honest) for _ in range(3)]
gevent.joinall(strangers, raise_error=True)
print(max(place for place, who in enumerate(turns) if who == "honest") < 16)
"""

PERSISTENT = """
passed, loop = [], gevent.get_hub().loop
def knock(who):
    stand_in_line()
    passed.append((who, loop.iteration))
def greedy(here, there):
    for _ in range(100):
        there.send(b".")
        here.recv(1)
        knock("greedy")
strangers = [gevent.spawn(greedy, *socket.socketpair()) for _ in range(20)]
strangers.append(gevent.spawn(knock, "honest"))
gevent.joinall(strangers, raise_error=True)
who, turns = zip(*passed)
print(who.index("honest") < 60, len(set(turns)) == len(turns))
"""

KILLED = """
passed = []
def knock(number):
    stand_in_line()
    passed.append(number)
def line(*killed):
    passed.clear()
    strangers = [gevent.spawn(knock, number) for number in range(5)]
    gevent.sleep(0)  # all stand there, the first at its head
    gevent.killall([strangers[number] for number in killed])
    gevent.joinall(strangers, timeout=10)
    knock(5)
    return passed
print(line(0, 1) == [2, 3, 4, 5])
print(line(1, 2) == [0, 3, 4, 5])
print(line(0, 1, 2, 3, 4) == [5])
"""

FORKED = """
import os, gevent.os
gevent.spawn(stand_in_line)
gevent.sleep(0)  # it has the place
child = gevent.os.fork()
if not child:
    with gevent.Timeout(5):
        stand_in_line()
        os._exit(0)
print(monkey.get_original("os", "waitpid")(child, 0)[1] == 0)
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
        pytest.param(GREEDY_STRANGERS, id="who comes again stands behind all others"),
        pytest.param(PERSISTENT, id="who is always ready passes nobody"),
        pytest.param(KILLED, id="who is killed in the line does not block it"),
        pytest.param(FORKED, id="a child does not wait for its parent"),
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
