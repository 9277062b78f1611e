#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""kill -9 of herd, of an agent, of a recorder during a run: what was recorded arrives, and the
verdicts say what happened."""
import os
import re
import signal
import time

import h5py

import harness
from harness import Flock, SAMPLE_RATE_HZ, support, wait_for

LIMIT_S = 420
RUN_S = 6.0
EXPERIMENT = {
    "name": "crash", "duration": f"{RUN_S} s",
    "defaults": {"mode": "harvest", "harvester": {"inherit_from": "cv20"},
                 "record": {"sync_interval": "200 ms"}},
}


def running(flock):
    """True once every node's recorder has bytes of samples on disk."""
    for name in flock.names:
        logs = [os.path.join(where, entry) for where, _, names in
                os.walk(flock.data(name, "recordings")) for entry in names if entry.endswith(".seg")]
        if not logs or max(os.path.getsize(path) for path in logs) < 20000:
            return False
    return True


def samples_of(path):
    with h5py.File(path, "r") as file:
        return len(file["data/voltage"])


def test_sheep_finish_when_herd_is_killed_and_attach_collects_everything():
    with Flock(3) as flock:
        path = flock.experiment(EXPERIMENT)
        herd = flock.spawn("run", path, "-o", flock.results)
        wait_for("all nodes record", lambda: running(flock), 20)
        herd.send_signal(signal.SIGKILL)
        herd.wait()
        journals = [entry for _, _, names in os.walk(os.path.join(flock.home, "state"))
                    for entry in names]
        assert journals, "herd keeps a journal"
        done = flock.herd("attach")
        assert done.status == 0, str(done)
        for name in flock.names:
            file = flock.file_of(name, "hrv_crash_")
            assert samples_of(file) == round(RUN_S * SAMPLE_RATE_HZ), samples_of(file)
            assert support("h5_check.py", file).status == 0
        assert not flock.files("*.part")


def test_the_recorder_finishes_when_its_agent_is_killed_and_the_next_one_delivers():
    with Flock(2) as flock:
        path = flock.experiment(EXPERIMENT)
        herd = flock.spawn("run", path, "-o", flock.results)
        wait_for("all nodes record", lambda: running(flock), 20)
        recorder = flock.recorder_pid("sheep0")
        flock.kill("sheep0")
        time.sleep(1.0)
        assert flock.recorder_pid("sheep0") == recorder, "the recorder goes on"
        flock.start("sheep0")
        status = herd.wait(60)
        with open(herd.log, encoding="utf-8") as file:
            output = file.read()
        assert status == 0, output
        for name in flock.names:
            assert samples_of(flock.file_of(name)) == round(RUN_S * SAMPLE_RATE_HZ)


def test_a_killed_recorder_costs_one_verdict_and_no_sample_before_the_cut():
    with Flock(3) as flock:
        path = flock.experiment(EXPERIMENT)
        herd = flock.spawn("run", path, "-o", flock.results)
        wait_for("all nodes record", lambda: running(flock), 20)
        time.sleep(1.5)
        os.kill(flock.recorder_pid("sheep1"), signal.SIGKILL)
        status = herd.wait(60)
        with open(herd.log, encoding="utf-8") as file:
            output = file.read()
        assert status == 1, output
        for name in ("sheep0", "sheep2"):
            assert samples_of(flock.file_of(name)) == round(RUN_S * SAMPLE_RATE_HZ)
        cut = samples_of(flock.file_of("sheep1"))
        # at least what was there before the last second, and not everything
        assert 0.5 * SAMPLE_RATE_HZ <= cut < RUN_S * SAMPLE_RATE_HZ, cut
        verdict = [line for line in output.splitlines() if "sheep1" in line and "invalid" in line]
        assert verdict and re.search("recorder|interrupted", verdict[-1]), output


def test_ctrl_c_stops_in_order_and_collects():
    with Flock(2) as flock:
        path = flock.experiment(dict(EXPERIMENT, duration="60 s"))
        herd = flock.spawn("run", path, "-o", flock.results)
        wait_for("all nodes record", lambda: running(flock), 20)
        time.sleep(0.5)
        herd.send_signal(signal.SIGINT)
        status = herd.wait(30)
        with open(herd.log, encoding="utf-8") as file:
            output = file.read()
        assert status == 130, output
        counts = {samples_of(flock.file_of(name)) for name in flock.names}
        assert len(counts) == 1, f"an agreed stop is one sample: {counts}"
        assert 0 < counts.pop() < 20 * SAMPLE_RATE_HZ


if __name__ == "__main__":
    harness.main(globals())
