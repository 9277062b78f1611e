#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The start error that a file states is the one that an observer on an independent clock sees."""
import os
import statistics
import subprocess

import h5py

import harness
from harness import Flock

LIMIT_S = 300
BUILD = "release"
AGREE_US = 50.0
SHARP_US = 20.0
LOOKS = 5
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
        # against the node's own clock, and against the others' as far as herd could measure it
        self.own_us = sync["start_error_ns"] / 1e3
        self.stated_us = (sync["start_error_ns"] - sync["clock_offset_ns"]) / 1e3
        self.bound_us = (sync["start_bound_ns"] + sync["clock_bound_ns"]) / 1e3
        self.clock_us = CLOCK_US[name]

    def __str__(self):
        return (f"seen between {self.low_us:.1f} and {self.high_us:.1f} us, by its own clock "
                f"{self.own_us:.1f}, stated {self.stated_us:.1f} +- {self.bound_us:.1f} us")

    def is_sharp(self):
        return self.high_us - self.low_us < SHARP_US

    def is_own_right(self):
        return self.low_us - AGREE_US < self.own_us - self.clock_us < self.high_us + AGREE_US

    def is_stated_right(self):
        slack_us = self.bound_us + ROUNDING_US
        return self.low_us - slack_us < self.stated_us < self.high_us + slack_us

    def distance_us(self):
        return abs(self.stated_us - (self.low_us + self.high_us) / 2)


def test_the_stated_start_error_is_the_observed_one():
    """In every run the start error by the node's own clock is what was seen, within 50 us, when the
    clock's injected error is added; and what the file states of the whole, with the clock's error
    as herd measured it over the network, is right within its bound, and within 50 us in the middle
    of five runs. No run is left out."""
    with Flock(3, change=errors) as flock:
        for name in flock.names:
            looks = []
            for _ in range(LOOKS):
                looks.append(Look(flock, name))
                print(f"figure: {name}: {looks[-1]}")
                assert looks[-1].is_own_right(), str(looks[-1])
                assert looks[-1].is_stated_right(), str(looks[-1])
            assert any(look.is_sharp() for look in looks), "the observer never looked in time"
            middle_us = statistics.median(look.distance_us() for look in looks)
            print(f"figure: {name}: stated beside seen, middle of {LOOKS}: {middle_us:.1f} us")
            assert middle_us < AGREE_US, middle_us


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
