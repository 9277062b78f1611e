#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""One herd and many nodes: all are heard, prepared and let go again, and no step is quadratic.
Figures for a thousand nodes: tests/bench/bench_scale.py."""
import signal

import harness
from crowd import Crowd

LIMIT_S = 120
BUILD = "release"
COUNT = 100


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


harness.main(globals())
