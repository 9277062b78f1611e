#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""From the last sample to the printed verdict: every file complete, verified and readable, over
loopback and over a link of which the nodes use nearly 70 %. BW_DELIVERY lists what is run, as
NODES:SECONDS[:MBIT] (a shaped link), for instance "8:60 30:60 10:60:100"; tests/nightly.sh does."""
import json
import os
import subprocess
import time

import h5py

import harness
from harness import Flock, SAMPLE_RATE_HZ
from link import Link

LIMIT_S = 200
BUILD = "release"
LIMIT_SECONDS = 2.0
CASES = os.environ.get("BW_DELIVERY", "4:4 4:4:40").split()
ATTEMPTS = 3  # a busy host may spoil one


class Run:
    """A run's verdicts, with the instant at which the last of them was read."""

    def __init__(self, flock, content):
        path = flock.experiment(content)
        process = subprocess.Popen(flock.command("run", path, "-o", flock.results, "--json"),
                                   env=flock.env, cwd=flock.folder, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.verdicts, self.verdict_ns = {}, 0
        for line in process.stdout:
            event = json.loads(line) if line.startswith("{") else {}
            if event.get("event") == "verdict" or "verdict" in event:
                self.verdict_ns = time.time_ns()
                self.verdicts[event.get("node")] = event
        self.errors = process.stderr.read()
        self.status = process.wait()


def check_files(flock, seconds):
    """Counts, and every sample read; the UTC behind the last sample."""
    end_ns = 0
    for name in flock.names:
        with h5py.File(flock.file_of(name, "hrv_deliver")) as file:
            data = file["data"]
            for trace in ("voltage", "current"):
                assert len(data[trace][:]) == seconds * SAMPLE_RATE_HZ, (name, trace)
            assert len(file["gaps/first_sample"]) == 0 if "first_sample" in file["gaps"] else True
            end_ns = max(end_ns, int(data["time"][-1]) + 10000)
    return end_ns


def deliver(flock, seconds, compression):
    content = {"name": "deliver", "duration": f"{seconds} s",
               "defaults": {"mode": "harvest", "harvester": {"inherit_from": "cv20"},
                            "record": {"compression": compression}}}
    run = Run(flock, content)
    assert run.status == 0, run.errors
    assert set(flock.names) <= set(run.verdicts), run.verdicts
    late = (run.verdict_ns - check_files(flock, seconds)) / 1e9
    for path in flock.files():
        os.unlink(path)
    return late


def run_case(flock, seconds, what, compression="gzip-1", link=None):
    late = []
    while len(late) < ATTEMPTS and not (late and min(late) <= LIMIT_SECONDS):
        before, begin = (link.received(), time.monotonic()) if link else (0, 0)
        late.append(deliver(flock, seconds, compression))
        if link:
            used = (link.received() - before) * 8e-6 / seconds
            what += f", {used:.0f} Mbit/s used"
    print(f"figure: {what}: last verdict {min(late):.2f} s after the last sample "
          f"(of {len(late)})")
    assert min(late) <= LIMIT_SECONDS, late


def test_every_result_is_there_two_seconds_after_its_last_sample():
    for case in CASES:
        numbers = [int(word) for word in case.split(":")]
        count, seconds = numbers[:2]
        what = f"{count} nodes, {seconds} s"
        if len(numbers) == 2:
            with Flock(count) as flock:
                run_case(flock, seconds, what)
            continue
        with Link() as link, Flock(count, start=False) as flock:
            link.join(flock)
            link.rate(numbers[2])
            for name in flock.names:
                flock.start(name)
            run_case(flock, seconds, what + f", a link of {numbers[2]} Mbit/s", "none", link)


if __name__ == "__main__":
    harness.main(globals())
