#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The start error that a file states is the one that an observer on an independent clock sees."""
import os
import subprocess

import h5py

import harness
from harness import Flock

LIMIT_S = 300
BUILD = "release"
AGREE_US = 50.0
LOOK_US = 20.0  # how narrow a look must be to prove something
BOUND_US = 120.0  # half a round trip to the node and to the median node, at worst
LOOKS = 12
ROUNDING_US = 1.0
OBSERVER = os.path.join(harness.BUILD, "tests", "observer")
# Errors of the nodes' clocks and oscillators; the median node's clock is the observer's own.
CLOCK_US = {"sheep0": 0.0, "sheep1": 300.0, "sheep2": -200.0}
OSCILLATOR_PPM = {"sheep0": 50.0, "sheep1": -50.0, "sheep2": 35.0}

def errors(name, config):
    config.setdefault("clock", {}).update(offset_us=CLOCK_US[name])
    config["sim"]["oscillator_ppm"] = OSCILLATOR_PPM[name]
    config["sim"]["pin_file"] = "start.pin"


def experiment():
    return {"name": "start", "duration": "200 ms", "start": {"clock_error_max": "400 us"},
            "defaults": {"mode": "harvest", "harvester": {"inherit_from": "cv20"}}}


class Look:
    """One run, seen from outside and from the file; us after T."""

    def __init__(self, flock, name):
        pin = os.path.join(flock.flock, name, "start.pin")
        with open(pin, "wb") as file:
            file.write(bytes(64))
        with subprocess.Popen([OBSERVER, pin], stdout=subprocess.PIPE, text=True) as observer:
            assert observer.stdout.readline() == "ready\n"
            done = flock.run(experiment())
            low_ns, high_ns = map(int, observer.communicate(timeout=40)[0].split())
        assert done.status == 0, str(done)
        with h5py.File(flock.file_of(name), "r") as file:
            sync = {key: int(value) for key, value in file["sync"].attrs.items()
                    if key.endswith("_ns")}
        self.low_us, self.high_us = (low_ns - sync["T_ns"]) / 1e3, (high_ns - sync["T_ns"]) / 1e3
        self.stated_us = (sync["start_error_ns"] - sync["clock_offset_ns"]) / 1e3
        self.bound_us = (sync["start_bound_ns"] + sync["clock_bound_ns"]) / 1e3

    def __str__(self):
        return (f"seen between {self.low_us:.1f} and {self.high_us:.1f} us, "
                f"stated {self.stated_us:.1f} +- {self.bound_us:.1f} us")

    def agrees(self, within_us):
        return self.low_us - within_us < self.stated_us < self.high_us + within_us

    def is_sharp(self):
        """Observer and file both know well enough what they say; nothing of what they say."""
        return self.high_us - self.low_us < LOOK_US and self.bound_us < BOUND_US


def test_the_stated_start_error_is_the_observed_one():
    """What is stated holds within its own bound, always; and within 50 us in the first run in which
    neither the observer nor the exchanges of timestamps were held up by the host."""
    with Flock(3, change=errors) as flock:
        for name in flock.names:
            for _ in range(LOOKS):
                look = Look(flock, name)
                print(f"figure: {name}: {look}")
                assert look.agrees(look.bound_us + ROUNDING_US), str(look)
                if look.is_sharp():
                    break
            assert look.is_sharp(), "the host never let the observer look in time"
            assert look.agrees(AGREE_US), str(look)


def late(name, config):
    if name == "sheep1":
        config["sim"]["late_samples"] = 37


def test_a_board_37_samples_late_shows_it_and_loses_its_verdict():
    with Flock(2, change=late) as flock:
        done = flock.run({"name": "late", "duration": "200 ms",
                          "start": {"clock_error_max": "200 us"},
                          "defaults": {"mode": "harvest", "harvester": {"inherit_from": "cv20"}}})
        assert done.status == 1, str(done)
        with h5py.File(flock.file_of("sheep1"), "r") as file:
            error_us = int(file["sync"].attrs["start_error_ns"]) / 1e3
        print(f"figure: 37 samples late: {error_us:.1f} us")
        assert abs(error_us - 370) < AGREE_US, error_us
        verdicts = {line.split(":")[0]: line for line in (done.out + done.err).splitlines()
                    if "valid" in line}
        assert "invalid" in verdicts["sheep1"], str(done)
        assert "invalid" not in verdicts["sheep0"], str(done)


if __name__ == "__main__":
    harness.main(globals())
