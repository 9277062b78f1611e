#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""How fast the arithmetic is: the step of a sample alone, and whole simulations. Both print tables
that stay in the log of CI; what they assert is in tests/bench."""
import os
import subprocess

import harness
from harness import BUILD as FOLDER, PYTHON, ROOT

LIMIT_S = 180
BUILD = "release"
BENCH = os.path.join(ROOT, "tests", "bench")


def bench(*command):
    done = subprocess.run(command, text=True, capture_output=True, timeout=120, check=False,
                          env=dict(os.environ, BW_BUILD=FOLDER))
    print(done.stdout, end="", flush=True)
    assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stderr}"
    assert "| BQ25570s" in done.stdout or "BQ25570s, sky" in done.stdout, done.stdout


def test_a_step_takes_a_hundredth_of_its_time():
    tools = (os.path.join(FOLDER, "tests", name) for name in ("bits_make", "vsource_speed"))
    bench("sh", os.path.join(BENCH, "vsource_speed.sh"), *tools)


def test_a_minute_is_simulated_in_seconds():
    bench(PYTHON, os.path.join(BENCH, "simulate.py"), "60", "sky")


if __name__ == "__main__":
    harness.main(globals())
