#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""From the last sample to the printed verdict: every file complete, verified and readable, over
loopback and over a link of which the nodes use nearly 70 %. BW_DELIVERY lists what is run, as
NODES:SECONDS[:MBIT[:TIMES]], for instance "8:60 30:60 10:60:100 1:3600:100:8"; tests/nightly.sh does.
MBIT is a shaped link. TIMES lets boards run so many times as fast as real time: then the last sample
is taken the run's length divided by TIMES after the first one, at the earliest, and that counts."""
import datetime
import json
import os
import re
import subprocess
import time

import h5py

import harness
from harness import Flock, SAMPLE_RATE_HZ
from link import Link

LIMIT_S = 200
BUILD = "release"
LIMIT_SECONDS = 2.0
LINK_SHARE = 0.7  # that the samples may use: a link that is full says nothing about us
PIECE = 1000000  # samples that are read in one go
CASES = os.environ.get("BW_DELIVERY", "4:4 4:4:45 1:40:100:8").split()
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
                assert len(data[trace]) == seconds * SAMPLE_RATE_HZ, (name, trace)
                for first in range(0, len(data[trace]), PIECE):
                    assert data[trace][first:first + PIECE].any(), (name, trace, first)
            assert len(file["gaps/first_sample"]) == 0
            end_ns = max(end_ns, int(data["time"][-1]) + 10000)
    return end_ns


def end_of_fast_ns(flock, seconds, times):
    """When the last sample was taken: the recorders say when they saw the first one."""
    said = [re.findall(r"^(\S+)Z info  recorder: sample 0 was", flock.log(name), re.M)[-1]
            for name in flock.names]
    starts = [datetime.datetime.fromisoformat(text + "+00:00").timestamp() for text in said]
    return int((max(starts) + seconds / times) * 1e9)


def deliver(flock, seconds, compression, times):
    content = {"name": "deliver", "duration": f"{seconds} s",
               "defaults": {"mode": "harvest", "harvester": {"inherit_from": "cv20"},
                            "record": {"compression": compression}}}
    run = Run(flock, content)
    assert run.status == 0, run.errors
    assert set(flock.names) <= set(run.verdicts), run.verdicts
    end_ns = check_files(flock, seconds)
    if times != 1:
        end_ns = end_of_fast_ns(flock, seconds, times)
    late = (run.verdict_ns - end_ns) / 1e9
    for path in flock.files():
        os.unlink(path)
    return late


def run_case(flock, seconds, what, compression="gzip-1", link=None, rate=0, times=1):
    late = []
    while len(late) < ATTEMPTS and not (late and min(late) <= LIMIT_SECONDS):
        before = link.received() if link else 0
        late.append(deliver(flock, seconds, compression, times))
        if link:
            used = (link.received() - before) * 8e-6 / (seconds / times)
            what += f", {used:.0f} Mbit/s used"
            assert 0 < used <= LINK_SHARE * rate, (used, rate)
    print(f"figure: {what}: last verdict {min(late):.2f} s after the last sample "
          f"(of {len(late)})")
    assert min(late) <= LIMIT_SECONDS, late


def test_every_result_is_there_two_seconds_after_its_last_sample():
    for case in CASES:
        count, seconds, rate, times = [int(word) for word in (case + ":0" * 3).split(":")[:4]]
        what = f"{count} nodes, {seconds} s"
        if rate == 0:
            with Flock(count) as flock:
                run_case(flock, seconds, what)
            continue

        def hurry(_, config, times=times):
            if times:
                config["sim"].update(speed="fast", fast_limit=times, truth=False)

        what += f", a link of {rate} Mbit/s" + (f", {times} times real time" if times else "")
        with Link() as link, Flock(count, change=hurry, start=False) as flock:
            link.join(flock)
            link.rate(rate)
            for name in flock.names:
                flock.start(name)
            run_case(flock, seconds, what, "none", link, rate, times or 1)


if __name__ == "__main__":
    harness.main(globals())
