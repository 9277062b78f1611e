#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""herd retrieve: nodes that are off are waited for, no rate is exceeded, an experiment is found
by its token."""
import os
import subprocess
import time

import harness
from harness import Flock, wait_for

MAKE_LOG = os.path.join(harness.BUILD, "tests", "make_log")
SAMPLES = 250000  # 2 MB without compression


def give_recordings(flock):
    for name in flock.names:
        folder = flock.data(name, "recordings", f"made_2026-11-28T06-40-00Z_{name}.rlog")
        os.makedirs(os.path.dirname(folder))
        subprocess.run([MAKE_LOG, folder, f"samples={SAMPLES}", "noise=18", "compression=0"],
                       check=True)


def test_a_node_that_is_off_is_waited_for_and_the_others_are_served_meanwhile():
    with Flock(3, start=False) as flock:
        give_recordings(flock)
        flock.start("sheep0")
        flock.start("sheep2")
        herd = flock.spawn("retrieve", "--wait", "-o", flock.results)
        wait_for("those that are on have delivered", lambda: len(flock.files()) == 2, 30)

        def says_for_whom():
            with open(herd.log, encoding="utf-8") as file:
                return "waiting for sheep1" in file.read()
        wait_for("it says whom it waits for", says_for_whom, 10)
        assert herd.poll() is None
        flock.start("sheep1")
        assert herd.wait(30) == 0
        assert len(flock.files()) == 3


def test_no_node_and_not_all_of_them_come_faster_than_they_may():
    with Flock(2, start=False) as flock:
        give_recordings(flock)
        for name in flock.names:
            flock.start(name)
        begin = time.monotonic()
        done = flock.herd("retrieve", "--rate", "1 MB", "--keep", "-o", flock.results, "--json")
        seconds = time.monotonic() - begin
        sizes = [line["bytes"] for line in done.lines()]
        # A burst of 250 ms comes at once; both at a time take no longer than one.
        assert done.status == 0 and min(sizes) > 2e6, str(done)
        assert max(sizes) / 1e6 - 0.5 < seconds < 1.8 * max(sizes) / 1e6, seconds
        begin = time.monotonic()
        again = os.path.join(flock.folder, "again")
        done = flock.herd("retrieve", "--total-rate", "1 MB", "-o", again, "--json")
        seconds = time.monotonic() - begin
        assert done.status == 0 and sum(sizes) / 1e6 - 0.5 < seconds < sum(sizes) / 1e6 + 4, \
            (seconds, sizes)
        assert flock.herd("retrieve", "--rate", "fast").status == 2


def test_a_run_keeps_to_its_rate_too():
    """A harvest of 2 s gives 3.2 MB of both nodes together: at 0.3 MB/s they outlast it by far."""
    with Flock(2) as flock:
        path = flock.experiment({
            "name": "slow", "duration": "2 s", "start": {"clock_error_max": "100 ms"},
            "defaults": {"mode": "harvest", "harvester": {"inherit_from": "cv20"},
                         "record": {"compression": "none"}}})
        begin = time.monotonic()
        done = flock.herd("run", path, "-o", flock.results, "--total-rate", "300 kB",
                          "--rate", "250 kB")
        seconds = time.monotonic() - begin
        assert done.status == 0 and len(flock.files()) == 2, str(done)
        expected = 3.2 / 0.3  # of samples alone; what there is beside them is little
        assert expected - 0.5 < seconds < expected + 8, (seconds, expected)
        assert flock.herd("run", path, "--rate", "0").status == 2
        assert flock.herd("harvest", "--total-rate", "1").status == 2
        assert flock.herd("attach", "--rate", "slow").status == 2


def test_an_experiment_is_found_by_its_token():
    with Flock(1, start=False) as flock:
        give_recordings(flock)
        flock.start("sheep0")
        done = flock.herd("retrieve", "0x0000000000009999", "-o", flock.results)
        assert done.status == 2 and "no recording of that name" in done.err, str(done)
        done = flock.herd("retrieve", "0x0000000000001234", "-o", flock.results)
        assert done.status == 0 and len(flock.files()) == 1, str(done)


if __name__ == "__main__":
    harness.main(globals())
