#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""How fast herd simulate is: simulate.py [SECONDS]; a line for every case.

Whole command, HDF5 included. BW_BUILD is the folder of a release build.
"""
import os
import subprocess
import sys
import tempfile
import time

import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERD = os.path.join(os.environ.get("BW_BUILD", os.path.join(ROOT, "build")), "herd", "herd")
SKY = os.path.join(ROOT, "inventory", "environments", "changing_sky.csv")


def run(folder, defaults, seconds, *words):
    """Wall time of one simulation in s."""
    path = os.path.join(folder, "experiment.yaml")
    with open(path, "w", encoding="utf-8") as file:
        yaml.safe_dump({"name": "bench", "duration": f"{seconds} s", "defaults": defaults}, file)
    begin = time.monotonic()
    subprocess.run([HERD, "simulate", path, *words], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begin


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    print(f"{'case':42} {'wall s':>7} {'x real':>7} {'ns/sample':>9} {'MB':>7}")
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
                result = os.path.join(folder, "result.h5")
                defaults["record"] = {"compression": compression}
                wall_s = run(folder, defaults, seconds, *words, "-o", result)
                size_MB = os.path.getsize(result) / 1e6
                os.unlink(result)
                print(f"{name + ', ' + compression:42} {wall_s:7.2f} {seconds / wall_s:7.1f} "
                      f"{wall_s / seconds * 1e4:9.0f} {size_MB:7.1f}", flush=True)


if __name__ == "__main__":
    main()
