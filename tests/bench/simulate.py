#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""How fast herd simulate is: simulate.py [SECONDS [WORD]]; a line for every case with that word.

Whole command, HDF5 included. BW_BUILD is the folder of a release build. Fails when a case is not
FLOOR times as fast as real time; of the time that it computes, so that others on the machine do
not count.
"""
import os
import resource
import subprocess
import sys
import tempfile
import time

import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERD = os.path.join(os.environ.get("BW_BUILD", os.path.join(ROOT, "build")), "herd", "herd")
FLOOR = 15
SKY = os.path.join(ROOT, "inventory", "environments", "changing_sky.csv")


def run(folder, defaults, seconds, *words):
    """Wall time and time of computing of one simulation, in s."""
    path = os.path.join(folder, "experiment.yaml")
    with open(path, "w", encoding="utf-8") as file:
        yaml.safe_dump({"name": "bench", "duration": f"{seconds} s", "defaults": defaults}, file)
    begin, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([HERD, "simulate", path, *words], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (time.monotonic() - begin,
            after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime)


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""
    slowest = None
    with tempfile.TemporaryDirectory() as folder:
        recorded = os.path.join(folder, "recorded.h5")
        run(folder, {"mode": "harvest", "harvester": "iv110"}, seconds, "-e", SKY, "-o", recorded)
        for compression in ("none", "gzip-1"):
            for name, defaults, words in (
                    ("harvest iv110", {"mode": "harvest", "harvester": "iv110"}, ["-e", SKY]),
                    ("emulate BQ25570s, recorded input",
                     {"mode": "emulate", "input": recorded, "source": "BQ25570s"}, []),
                    ("emulate BQ25570s, sky",
                     {"mode": "emulate", "source": "BQ25570s"}, ["-e", SKY])):
                if wanted not in name:
                    continue
                result = os.path.join(folder, "result.h5")
                defaults["record"] = {"compression": compression}
                wall_s, cpu_s = run(folder, defaults, seconds, *words, "-o", result)
                size_MB = os.path.getsize(result) / 1e6
                os.unlink(result)
                print(f"| {name + ', ' + compression:40} | {seconds} s in {wall_s:5.2f} s, computing "
                      f"{cpu_s:5.2f} s | {seconds / cpu_s:5.1f} x real time | {size_MB:5.1f} MB |",
                      flush=True)
                slowest = max(slowest or 0, cpu_s)
    print(f"figure: slowest simulation {seconds / slowest:.1f} times real time, at least {FLOOR}")
    return 0 if seconds / slowest >= FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())
