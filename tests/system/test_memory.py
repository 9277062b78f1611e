#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A recording in memory that is longer than the memory it may take: herd follows, and each segment
that it has durably is given back. The board runs many times as fast as a real one."""
import glob
import json
import os
import shutil
import tempfile
import time

import harness
from harness import Flock

LIMIT_S = 90
BUILD = "release"
SPEEDUP = 40
DURATION_S = 180  # 144 MB, three segments
SEGMENT = 64 * 1024 * 1024
NEEDED = 4 * SEGMENT  # three segments, and what stays free

EXPERIMENT = {
    "name": "long", "duration": f"{DURATION_S} s",
    # how exactly a busy host starts is not the subject
    "start": {"clock_error_max": "100 ms"},
    "defaults": {"mode": "harvest", "harvester": {"inherit_from": "cv20"},
                 "record": {"where": "ram", "compression": "none"}},
}


def test_a_recording_in_memory_may_be_longer_than_the_memory_it_takes():
    room = shutil.disk_usage("/dev/shm").free
    if room < NEEDED:
        raise harness.Skip(f"/dev/shm has {room >> 20} MiB, not {NEEDED >> 20}")
    memory = tempfile.mkdtemp(prefix="bw-memory-", dir="/dev/shm")

    def in_memory(name, config):
        config["memory"] = memory
        config.setdefault("sim", {}).update(speed="fast", fast_limit=SPEEDUP, truth=False,
                                            noise_lsb_rms=2)

    def taken():
        files = glob.glob(os.path.join(memory, "sheep-*", "*.rlog", "*.seg"))
        return [os.stat(path).st_blocks * 512 for path in sorted(files)]

    try:
        with Flock(1, change=in_memory) as flock:
            run = flock.spawn("run", flock.experiment(EXPERIMENT), "-o", flock.results)
            most, n_segments, n_holes = 0, 0, 0
            while run.poll() is None:
                now = taken()
                most, n_segments = max(most, sum(now)), max(n_segments, len(now))
                n_holes = max(n_holes, now.count(0))
                time.sleep(0.02)
            print(f"{n_segments} segments, {n_holes} given back, at most {most >> 20} MiB taken")
            assert run.returncode == 0
            assert n_segments >= 3 and n_holes >= n_segments - 2, (n_segments, n_holes)
            assert most < 2 * SEGMENT, most
            path = flock.file_of("sheep0", "hrv_long_")
            shown = flock.herd("verify", path)
            assert shown.status == 0, str(shown)
            info = json.loads(flock.herd("info", "--json", path).out)
            assert info["samples"] == DURATION_S * harness.SAMPLE_RATE_HZ, info
            assert info["verdict"].startswith("valid"), info
            harness.wait_for("the log to go", lambda: not taken())
    finally:
        shutil.rmtree(memory)


if __name__ == "__main__":
    harness.main(globals())
