#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""HDF5 built from a log, side by side with cp of the same log.

Usage: h5_build.py MAKE_LOG HERD [SECONDS_OF_DATA]. Each is done five times in turn, the best counts;
both end with their bytes on the disk. The last figure is the ratio that would be left if the builder
did nothing but read and write, its time in the kernel: what it does beside that on the one thread
that HDF5 has (stamps and overviews packed, checksums of what is read and of what is written) comes
on top.
"""
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time

REACH = 0.5  # of cp's rate: the goal


def timed(function):
    """Wall seconds, those of the processor, and those of the kernel among them."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    function()
    wall = time.monotonic() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    system = after.ru_stime - before.ru_stime
    return wall, after.ru_utime - before.ru_utime + system, system


def size_of(folder):
    return sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder))


def compare(folder, make_log, herd, seconds, compression):
    log, copy, out = (os.path.join(folder, name) for name in ("a.rlog", "b.rlog", "a.h5"))
    subprocess.run([make_log, log, f"samples={seconds * 100000}", f"compression={compression}",
                    "noise=7", "edges=10000", "texts=100", "sync=100000"], check=True)
    builds, copies = [], []
    for _ in range(5):
        if os.path.exists(out):
            os.remove(out)  # cp does not have to replace anything either
        builds.append(timed(lambda: subprocess.run([herd, "build", "-o", out, log], check=True,
                                                   stdout=subprocess.DEVNULL)))
        copies.append(timed(lambda: subprocess.run(["sh", "-c", f"cp -r {log} {copy}; sync {copy}/*"],
                                                   check=True)))
        shutil.rmtree(copy)
    build, cp = min(builds), min(copies)
    size = size_of(log)
    ratio = cp[0] / build[0]
    print(f"figure: compression {compression}: {seconds} s of data, log {size / 1e6:.1f} MB, file "
          f"{os.path.getsize(out) / 1e6:.1f} MB: build {size / build[0] / 1e6:.0f} MB/s "
          f"({build[1] * 1e3 / seconds:.2f} ms of processor per second of data), cp "
          f"{size / cp[0] / 1e6:.0f} MB/s ({cp[1] * 1e3 / seconds:.2f} ms), ratio {ratio:.2f} "
          f"(reach {REACH}; of the kernel's time alone {cp[0] / build[2]:.2f})")
    shutil.rmtree(log)
    os.remove(out)
    return ratio


def main():
    make_log, herd = sys.argv[1:3]
    seconds = int(sys.argv[3]) if len(sys.argv) > 3 else 120
    with tempfile.TemporaryDirectory(prefix="bw-bench-") as folder:
        worst = min(compare(folder, make_log, herd, seconds, level) for level in (1, 0))
    print("reached" if worst >= REACH else f"not reached: {worst:.2f}")


if __name__ == "__main__":
    main()
