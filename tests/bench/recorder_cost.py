#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Processor time per second of data: the recorder against h5py writing the incumbent's layout.

Usage: recorder_cost.py RECORDER_COST [SECONDS] [ROUNDS]. Both write the same samples of V and I with
the same compression, in turn, and the median of the rounds counts; h5py in pieces of 20 000
samples, with the dataset of time stamps that the incumbent's files have, as its sheep does
(reference: NES 0.9.1). "synced": the same with a flush and an fdatasync for every second of data,
which is what the recorder does and the incumbent does not.

What the recorder cannot do without, of a second of V and I that is not compressed (0.8 MB), on the
machine of README's figures: the wake-ups and an fdatasync 0.5 ms (measured: "traces-off"), and, by
the shares of a sampling profile (perf, the thread names tell board and recorder apart), the copy
into the page cache 0.1, CRC-32C 0.1, the overview 0.2, the copy out of the ring, so that the board
has its block back, 0.15. That is 1.05 ms: 0.2 of h5py's 3.8 ms are not within reach without
compression while every second is synced. Two copies that could go are 0.25 ms of the rest. At
gzip-1 nothing stands out (shuffle, code tables, literals, Adler-32: 0.1 to 0.2 each). Waking the
worker once for a burst instead of once for a job was tried and changes nothing; nor does a tmpfs,
but for the 0.2 ms of the disk.
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time

import h5py
import numpy

PIECE = 20000
LEVELS = {"none": None, "gzip-1": 1, "gzip-6": 6}
SETTINGS = (*LEVELS, "traces-off", "gzip-1+monitors")
REACH = 0.2  # of the incumbent's: the goal


def incumbent_ms(path, samples, level, is_synced):
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
            if is_synced and end % 100000 == 0:
                file.flush()
                os.fdatasync(file.id.get_vfd_handle())
        file.flush()
        return (time.process_time() - begin) * 1e3 / seconds


def recorder_ms(program, folder, seconds, name):
    done = subprocess.run([program, folder, seconds, name], check=True, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return float(done.stdout.split()[1])


def main():
    program = sys.argv[1]
    seconds = sys.argv[2] if len(sys.argv) > 2 else "5"
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    ours, theirs, synced = ({name: [] for name in SETTINGS} for _ in range(3))
    with tempfile.TemporaryDirectory(prefix="bw-bench-") as folder:
        other = os.path.join(folder, "a.h5")
        for _ in range(rounds):
            for name in SETTINGS:
                ours[name].append(recorder_ms(program, folder, seconds, name))
                samples = numpy.fromfile(os.path.join(folder, "samples.u32"), dtype="<u4")
                samples = samples.reshape(-1, 2)
                assert samples.any() and len(samples) == int(seconds) * 100000
                if name in LEVELS:
                    theirs[name].append(incumbent_ms(other, samples, LEVELS[name], False))
                    synced[name].append(incumbent_ms(other, samples, LEVELS[name], True))
    ours = {name: statistics.median(values) for name, values in ours.items()}
    worst = 0.0
    for name in LEVELS:
        plain, durable = (statistics.median(times[name]) for times in (theirs, synced))
        worst = max(worst, ours[name] / plain)
        print(f"figure: {name}: recorder {ours[name]:.2f} ms, h5py {plain:.2f} ms (synced "
              f"{durable:.2f}) of processor per second of V+I, ratio {ours[name] / plain:.2f} "
              f"(synced {ours[name] / durable:.2f}; reach {REACH})")
    print(f"figure: traces-off: recorder {ours['traces-off']:.2f} ms")
    monitors = (ours["gzip-1+monitors"] - ours["gzip-1"]) / 10
    print(f"figure: monitors: {monitors:.2f} % of a core (reach 2)")
    print("reached" if worst <= REACH else f"not reached: {worst:.2f} of the incumbent's")


if __name__ == "__main__":
    main()
