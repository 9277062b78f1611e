#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs what README's figures of cost and speed come from, one after the other, and prints them as
rows of its table; some five minutes on a machine that does nothing else. The load of the machine
stands in every row: a rate that was measured beside others is no figure.

Usage: tests/bench/figures.py [BUILD_FOLDER]     (a release build, or BW_BUILD; `ninja bench` does it)
"""
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("BW_BUILD", "build"))
LIMIT_S = 240


def program(*parts):
    return os.path.join(BUILD, *parts)


def script(name):
    return [sys.executable, os.path.join(HERE, name)]


# What it is; what prints it; its command.
BENCHES = [
    ("recorder, CPU per second of V and I, beside h5py writing the incumbent's layout",
     "tests/bench/recorder_cost.py",
     [*script("recorder_cost.py"), program("tests", "recorder_cost"), "8", "3"]),
    ("HDF5 of 300 s of noise built from its log, beside `cp` of the log", "tests/bench/h5_build.py",
     [*script("h5_build.py"), program("tests", "make_log"), program("herd", "herd"), "300"]),
    ("a recording to the workstation over loopback, beside scp and rsync", "tests/bench/transfer.py",
     [*script("transfer.py"), "300", "5"]),
    ("edges, compression, stamps and checksums on one core", "`codec_speed`",
     [program("tests", "codec_speed")]),
    ("`herd simulate`, 60 s of emulation into HDF5", "tests/bench/simulate.py",
     [*script("simulate.py"), "60"]),
]


def main():
    bad = 0
    for what, by, command in BENCHES:
        load = os.getloadavg()[0]
        begin = time.monotonic()
        done = subprocess.run(command, env=dict(os.environ, BW_BUILD=BUILD), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT_S,
                              check=False)
        print(f"{done.stdout.rstrip()}\n({time.monotonic() - begin:.0f} s, exit {done.returncode})")
        figures = [line.removeprefix("figure: ") for line in done.stdout.splitlines()
                   if line.startswith("figure: ")]
        bad += done.returncode != 0 or not figures
        print(f"| {what} (host at load {load:.1f}) | {'; '.join(figures)} | {by} |\n", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
