#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""herd poweroff and herd reboot: who may ask, and what a node says to it. (That logind is asked
is tests/unit/test_power.c: here, it is this machine's.)"""
import signal

import harness
from harness import Flock, wait_for
from test_commands import give_key

LIMIT_S = 120
HARVEST = {"name": "long", "duration": "60 s", "defaults": {"mode": "harvest"}}


def test_a_simulated_board_refuses():
    with Flock(2) as flock:
        for command in ("poweroff", "reboot"):
            done = flock.herd(command, "--all")
            assert done.status == 1, str(done)
            assert "sheep[0-1] (2): refused: a simulated board" in done.err, str(done)
        done = flock.herd("reboot", "sheep1", "--json")
        assert [line["node"] for line in done.lines()] == ["sheep1"], str(done)
        assert done.lines()[0]["done"] is False and done.status == 1, str(done)
        assert flock.herd("alive").status == 0


def test_a_node_in_use_refuses_and_goes_on():
    with Flock(1) as flock:
        run = flock.spawn("run", flock.experiment(HARVEST), "-o", flock.results, "--json")

        def is_started():
            with open(run.log, encoding="utf-8") as file:
                return '"started"' in file.read()
        wait_for("it runs", is_started, 20)
        done = flock.herd("poweroff", "sheep0")
        assert done.status == 1 and "experiment long" in done.err, str(done)
        assert "running" in flock.herd("status").out
        run.send_signal(signal.SIGINT)
        assert run.wait(30) == 130


def test_an_observer_may_not():
    with Flock(1) as flock:
        key = give_key(flock, "guest", "observer")
        wait_for("the key is known", lambda: flock.herd("alive", "-k", key, "-t", "1").status == 0)
        done = flock.herd("-k", key, "poweroff", "sheep0")
        assert done.status == 1 and "not allowed to observer" in done.err, str(done)


def test_nobody_is_not_everybody():
    with Flock(1) as flock:
        done = flock.herd("poweroff")
        assert done.status == 2 and "--all" in done.err, str(done)
        assert flock.herd("poweroff", "sheep0", "--all").status == 2


if __name__ == "__main__":
    harness.main(globals())
