#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Processor time per second of data: the recorder against h5py writing the incumbent's layout.

Usage: recorder_cost.py RECORDER_COST [SECONDS]. Both write the same samples of V and I with the
same compression in one run on this machine; h5py in pieces of 20 000 samples, with the dataset of
time stamps that the incumbent's files have, as its sheep does (reference: NES 0.9.1).
"""
import os
import subprocess
import sys
import tempfile
import time

import h5py
import numpy

PIECE = 20000
LEVELS = {"none": None, "gzip-1": 1, "gzip-6": 6}
REACH = 0.2  # of the incumbent's, DESIGN.md section 11


def incumbent_ms(path, samples, level):
    """Milliseconds per second of data, opening and closing left out."""
    seconds = len(samples) / 100000
    options = {"chunks": (10000,), "maxshape": (None,)}
    if level is not None:
        options.update(compression="gzip", compression_opts=level)
        options["shuffle"] = True
    with h5py.File(path, "w") as file:
        group = file.create_group("data")
        for name, kind in (("time", "u8"), ("voltage", "u4"), ("current", "u4")):
            group.create_dataset(name, (0,), dtype=kind, **options)
        begin = time.process_time()
        for at in range(0, len(samples), PIECE):
            piece = samples[at:at + PIECE]
            end = at + len(piece)
            for name in ("time", "voltage", "current"):
                group[name].resize(end, axis=0)
            group["time"][at:end] = numpy.arange(at, end, dtype="u8") * 10000 + 10**18
            group["voltage"][at:end] = piece[:, 0]
            group["current"][at:end] = piece[:, 1]
        file.flush()
        return (time.process_time() - begin) * 1e3 / seconds


def main():
    program = sys.argv[1]
    seconds = sys.argv[2] if len(sys.argv) > 2 else "5"
    with tempfile.TemporaryDirectory(prefix="bw-bench-") as folder:
        done = subprocess.run([program, folder, seconds], check=True, text=True,
                              stdout=subprocess.PIPE)
        ours = {name: float(ms) for name, ms in (line.split() for line in done.stdout.splitlines())}
        samples = numpy.fromfile(os.path.join(folder, "samples.u32"), dtype="<u4").reshape(-1, 2)
        assert samples.any() and len(samples) == int(seconds) * 100000
        worst = 0.0
        for name, level in LEVELS.items():
            theirs = incumbent_ms(os.path.join(folder, "a.h5"), samples, level)
            worst = max(worst, ours[name] / theirs)
            print(f"figure: {name}: recorder {ours[name]:.2f} ms, h5py {theirs:.2f} ms of processor "
                  f"per second of V+I, ratio {ours[name] / theirs:.2f} (reach {REACH})")
        for name in ours:
            if name not in LEVELS:
                print(f"figure: {name}: recorder {ours[name]:.2f} ms")
        monitors = (ours["gzip-1+monitors"] - ours["gzip-1"]) / 10
        print(f"figure: monitors: {monitors:.2f} % of a core (reach 2)")
        print("reached" if worst <= REACH else f"not reached: {worst:.2f} of the incumbent's")


if __name__ == "__main__":
    main()
