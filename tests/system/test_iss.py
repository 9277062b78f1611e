#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The firmware's binaries from YAML to HDF5: a harvest and its emulation on two nodes whose boards
execute them instruction by instruction; the same samples as on simulated boards."""
import os

import h5py
import numpy

import harness
from harness import BUILD as FOLDER, Flock, SAMPLE_RATE_HZ, Skip
from test_run import SKY, check_file, check_truth

LIMIT_S = 600
BUILD = "release"
PATIENT = True
FIRMWARE = os.path.join(FOLDER, "pru", "fw")
SECONDS = float(os.environ.get("BW_ISS_SECONDS", "1"))

HARVEST = {
    "name": "day", "duration": f"{SECONDS} s",
    "defaults": {"mode": "harvest", "harvester": {"inherit_from": "mppt_po"}},
    "nodes": {"sheep1": {"harvester": {"inherit_from": "cv20"}}},
}


def emulation(input_path):
    return {
        "name": "replay", "duration": f"{SECONDS} s",
        "defaults": {"mode": "emulate", "input": input_path,
                     "source": {"inherit_from": "BQ25570s", "C_intermediate_uF": 47}},
        "nodes": {"sheep1": {"source": {"C_intermediate_uF": 100}}},
    }


def executing(_name, config):
    config["board"] = "iss"
    config["sim"]["firmware"] = FIRMWARE


def computing(_name, config):
    config["sim"]["speed"] = "fast"


def samples_of(flock, name, prefix):
    with h5py.File(flock.file_of(name, prefix), "r") as file:
        return {key: file["data"][key][:] for key in ("voltage", "current")}


def run_both(flock):
    """Harvest and emulation on a flock; the samples of each node."""
    done = flock.run(HARVEST)
    assert done.status == 0, str(done)
    source = flock.file_of("sheep0", "hrv_day_")
    done = flock.run(emulation(source.replace("sheep0", "{node}")))
    assert done.status == 0, str(done)
    for name in flock.names:
        for prefix, mode in (("hrv_day_", "harvester"), ("emu_replay_", "emulator")):
            path = flock.file_of(name, prefix)
            check_file(path, round(SECONDS * SAMPLE_RATE_HZ), mode)
            check_truth(flock, path, name, prefix[4:])
    return {(name, prefix): samples_of(flock, name, prefix)
            for name in flock.names for prefix in ("hrv_day_", "emu_replay_")}


def test_firmware_from_yaml_to_hdf5_is_the_simulated_board():
    if not os.path.exists(os.path.join(FIRMWARE, "pru1-24.elf")):
        raise Skip("no firmware: pru/toolchain.sh builds its compiler")
    with Flock(2, change=executing, environment=SKY) as flock:
        ours = run_both(flock)
        for name in flock.names:
            assert "breaks rules" not in flock.log(name), flock.log(name)
    with Flock(2, change=computing, environment=SKY) as flock:
        theirs = run_both(flock)
    for key, arrays in ours.items():
        for what, values in arrays.items():
            same = numpy.array_equal(values, theirs[key][what])
            assert same, (key, what, int((values != theirs[key][what]).argmax()))
    print(f"figure: {4 * round(SECONDS * SAMPLE_RATE_HZ)} samples of two nodes are equal")


if __name__ == "__main__":
    harness.main(globals())
