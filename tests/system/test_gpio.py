#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Pins of the target from the experiment's file to HDF5: below the output voltage that the source
names they are not recorded, power-good always is, as a channel of its own."""
import json
import os

import h5py
import numpy

import harness
from harness import Flock

LIMIT_S = 60
N_SAMPLES = 200000
PHASE = 25000  # samples of low voltage, then as many of high
LOW_V, HIGH_V, THRESHOLD_V = 2.6, 3.4, 3.0
POWER_GOOD = 1 << 9
SETTLED = 100  # samples after a step of the input

SOURCE = {"inherit_from": "direct", "V_pwr_good_enable_threshold_mV": 3200,
          "V_pwr_good_disable_threshold_mV": 2800}

EXPERIMENT = {
    "name": "pins", "duration": f"{N_SAMPLES // 100} ms",
    # how exactly a busy host starts is not the subject
    "start": {"clock_error_max": "100 ms"},
    "defaults": {"mode": "emulate", "record": {"gpio": "all"}},
    "nodes": {"sheep0": {"source": dict(SOURCE, V_output_log_gpio_threshold_mV=0)},
              "sheep1": {"source": dict(SOURCE, V_output_log_gpio_threshold_mV=THRESHOLD_V * 1000)}},
}


def write_input(path):
    """Steps between the two voltages, beginning low."""
    volts = numpy.where(numpy.arange(N_SAMPLES) // PHASE % 2 == 0, LOW_V, HIGH_V)
    with h5py.File(path, "w") as file:
        file.attrs["mode"], file.attrs["hostname"] = "harvester", "sheep9"
        data = file.create_group("data")
        data.attrs["datatype"], data.attrs["window_samples"] = "ivsample", 0
        for name, dtype, gain, values in (
                ("time", "u8", 1e-9, numpy.arange(N_SAMPLES) * 10000),
                ("voltage", "u4", 1e-6, volts * 1e6), ("current", "u4", 1e-9, volts * 0 + 20e6)):
            data.create_dataset(name, data=values.astype(dtype), chunks=(10000,))
            data[name].attrs["gain"], data[name].attrs["offset"] = gain, 0


def read_edges(path):
    """Samples at which pins of the target and power-good change; the first state is none."""
    with h5py.File(path, "r") as file:
        values = file["gpio/value"][:].astype("u4")
        samples = (file["gpio/time"][:].astype("i8") - int(file["sync"].attrs["T_ns"])) // 10000
        volts = file["data/voltage"][:] * file["data/voltage"].attrs["gain"]
        named = file["gpio/value"].attrs["description"]
    changes = values[1:] ^ values[:-1]
    is_pin = (changes & ~numpy.uint32(POWER_GOOD)) != 0
    return samples[1:][is_pin], samples[1:][(changes & POWER_GOOD) != 0], volts, named


def is_high(samples):
    return samples // PHASE % 2 == 1


def test_pins_are_muted_below_the_voltage_and_power_good_is_not():
    with Flock(2) as flock:
        path = os.path.join(flock.folder, "steps.h5")
        write_input(path)
        defaults = dict(EXPERIMENT["defaults"], input=path)
        done = flock.run(dict(EXPERIMENT, defaults=defaults))
        assert done.status == 0, str(done)
        files = [flock.file_of(name, "emu_pins") for name in flock.names]
        (pins, good, volts, named), (muted_pins, muted_good, _, _) = map(read_edges, files)
        steps = list(range(PHASE, N_SAMPLES, PHASE))
        assert len(volts) == N_SAMPLES
        for phase, first in enumerate([0] + steps):
            level = HIGH_V if phase % 2 else LOW_V
            part = volts[first + SETTLED:first + PHASE - SETTLED]
            assert abs(part - level).max() < 0.1, (phase, part.min(), part.max())
        # without a threshold pins are recorded at either voltage; with one between, while high
        assert is_high(pins).sum() > 20 and (~is_high(pins)).sum() > 20, pins
        assert len(muted_pins) > 20 and is_high(muted_pins).all(), muted_pins
        # power-good is never muted, and comes with the sample that crosses its thresholds; the
        # first state that a node records is no change
        assert "9: {name: pwr_good}" in named, named
        for found, wanted in ((good, steps), (muted_good, steps[1:])):
            assert [n for n in found if n < N_SAMPLES - SETTLED] == wanted, found
        for file in files:
            info = json.loads(flock.herd("info", "--json", file).out)
            assert info["verdict"] == "valid" and info["samples"] == N_SAMPLES, info
            # half of the time, in as many turns as there are
            assert abs(info["on_time_s"] - 1) < 1e-3 and info["turn_ons"] == 4, info


if __name__ == "__main__":
    harness.main(globals())
