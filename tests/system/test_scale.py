#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""One herd and many nodes: all are heard, prepared and let go again, and no step is quadratic.
Figures for a thousand nodes: tests/bench/bench_scale.py."""
import math
import signal

import harness
from crowd import Crowd
from harness import Flock

LIMIT_S = 120
BUILD = "release"
COUNT = 100
HANG_NODES, HANG_TURNS, HANG_ROUNDS = 30, 2, 5


def test_a_hundred_nodes_are_heard_prepared_and_called_off():
    with Crowd(COUNT) as crowd:
        assert crowd.alive().seconds < 5
        assert crowd.status().states == {"idle"}
        usage = crowd.called_off()
        assert usage.status == 130, str(usage)
        assert "connected" in usage.at and "arming" in usage.at, str(usage)
        assert usage.at["arming"] - usage.at["preparing"] < 2, str(usage)
        assert "committed" not in usage.at and "started" not in usage.at, str(usage)
        # Cancelled, not left to their lease of 30 s.
        assert crowd.status().states == {"idle"}


def test_a_new_herd_is_served_after_one_that_was_killed():
    with Crowd(COUNT) as crowd:
        usage = crowd.called_off(sig=signal.SIGKILL)
        assert usage.status == -signal.SIGKILL, str(usage)
        assert crowd.alive().seconds < 5
        assert crowd.status().states & {"prepared", "armed"}, "what the dead one asked for"


def test_cost_grows_with_the_number_of_nodes_and_not_with_its_square():
    cost = {}
    for count in (COUNT, 4 * COUNT):
        with Crowd(count) as crowd:
            cost[count] = min(crowd.alive().cpu_s for _ in range(3))
    ratio = cost[4 * COUNT] / cost[COUNT]
    print(f"figure: herd alive, processor: {COUNT} nodes {cost[COUNT] * 1e3:.0f} ms, "
          f"{4 * COUNT} nodes {cost[4 * COUNT] * 1e3:.0f} ms")
    assert ratio < 8, f"four times the nodes cost {ratio:.1f} times as much"


def answers_ms(flock, others, n_rounds):
    """How long each of `others` took to answer, over so many commands."""
    found = []
    for _ in range(n_rounds):
        done = flock.herd("status", "-t", "0.5", "--json")
        lines = {line["node"]: line for line in done.lines()}
        assert all(lines[name]["state"] == "idle" for name in others), str(done)
        found += [lines[name]["answer_ns"] / 1e6 for name in others]
    return sorted(found)


def p99(values):
    return values[math.ceil(len(values) * 0.99) - 1]


def test_a_node_that_hangs_delays_no_other():
    with Flock(HANG_NODES) as flock:
        others = [name for name in flock.names if name != "sheep7"]
        # In turns, so that whatever else this machine does is in both.
        free, hung = [], []
        for _ in range(HANG_TURNS):
            free += answers_ms(flock, others, HANG_ROUNDS)
            flock.processes["sheep7"].send_signal(signal.SIGSTOP)
            try:
                hung += answers_ms(flock, others, HANG_ROUNDS)
            finally:
                flock.processes["sheep7"].send_signal(signal.SIGCONT)
        free.sort()
        hung.sort()
        print(f"figure: command to answer of {len(others)} nodes, p50 and p99: "
              f"{free[len(free) // 2]:.1f} and {p99(free):.1f} ms; while one more hangs "
              f"{hung[len(hung) // 2]:.1f} and {p99(hung):.1f} ms ({len(hung)} answers)")
        assert p99(hung) < 2 * p99(free) + 10, "one node delays the others"


harness.main(globals())
