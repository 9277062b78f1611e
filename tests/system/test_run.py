#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A harvest, then an emulation of it, over four nodes: the whole path, checked from outside."""
import json
import os
import subprocess

import h5py
import numpy
import yaml

import harness
from harness import Flock, HERD, INVENTORY, SAMPLE_RATE_HZ, shared, support

LIMIT_S = 420
SKY = os.path.join(INVENTORY, "environments", "changing_sky.csv")
HARVEST_S, EMULATE_S = 3.0, 2.5

HARVEST = {
    "name": "day", "duration": f"{HARVEST_S} s",
    "defaults": {"mode": "harvest", "harvester": {"inherit_from": "mppt_po"}},
    "nodes": {"sheep1": {"harvester": {"inherit_from": "cv20"}},
              "sheep2": {"record": {"compression": "none"}}},
}


def emulation(input_path):
    return {
        "name": "replay", "duration": f"{EMULATE_S} s",
        "defaults": {"mode": "emulate", "input": input_path,
                     "source": {"inherit_from": "BQ25570s", "C_intermediate_uF": 47}},
        "nodes": {"sheep3": {"source": {"C_intermediate_uF": 100}}},
    }


def check_file(path, samples, mode):
    """Counts exact to the sample, steps exactly 10 us, and every HDF5 tool reads it."""
    with h5py.File(path, "r") as file:
        assert file.attrs["mode"] == mode, file.attrs["mode"]
        for name in ("time", "voltage", "current"):
            assert len(file["data"][name]) == samples, (path, name, len(file["data"][name]))
        assert set(numpy.diff(file["data/time"][:].astype("int64"))) == {10000}
        assert len(file["gaps"]["first_sample"]) == 0
    for tool in ("h5dump", "h5stat"):
        done = subprocess.run([tool, path], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True, check=False)
        assert done.returncode == 0 and not done.stderr, (tool, done.stderr)
    checked = support("h5_check.py", path)
    assert checked.status == 0, str(checked)


def check_truth(flock, path, name, experiment):
    truth = [entry for entry in os.listdir(flock.data(name, "truth")) if experiment in entry]
    assert len(truth) == 1, truth
    checked = support("truth_check.py", path, flock.data(name, "truth", truth[0]))
    assert checked.status == 0, str(checked)


def test_a_harvest_then_its_emulation_over_four_nodes():
    with Flock(4, environment=SKY) as flock:
        gains = set()
        for name in flock.names:
            with open(os.path.join(flock.flock, name, "calibration.yaml"), encoding="utf-8") as file:
                gains.add(file.read())
        assert len(gains) == 4, "every node has a gain error of its own"

        done = flock.run(HARVEST)
        assert done.status == 0, str(done)
        for name in flock.names:
            path = flock.file_of(name, "hrv_day_")
            check_file(path, round(HARVEST_S * SAMPLE_RATE_HZ), "harvester")
            check_truth(flock, path, name, "day_")
        first = flock.file_of("sheep0", "hrv_day_")
        done = flock.run(emulation(first.replace("sheep0", "{node}")))
        assert done.status == 0, str(done)
        on_samples = {}
        for name in flock.names:
            path = flock.file_of(name, "emu_replay_")
            check_file(path, round(EMULATE_S * SAMPLE_RATE_HZ), "emulator")
            check_truth(flock, path, name, "replay_")
            with h5py.File(path, "r") as file:
                volts = file["data/voltage"][:] * file["data/voltage"].attrs["gain"]
                on_samples[name] = int((volts > 1.0).sum())
        assert any(on_samples.values()), "some target was supplied"
        print(f"figure: samples with supply {on_samples}")

        manifests = flock.files("*.manifest.yaml")
        assert len(manifests) == 2, manifests
        with open(manifests[0], encoding="utf-8") as file:
            assert yaml.safe_load(file)
        listed = flock.herd("ls", "--json")
        assert listed.status == 0, str(listed)

        # another node's data is noticed although both files are sound
        wrong = support("truth_check.py", flock.file_of("sheep0", "hrv_day_"),
                        flock.data("sheep1", "truth", os.listdir(flock.data("sheep1", "truth"))[0]))
        assert wrong.status != 0


def test_json_and_exit_status_are_for_machines():
    with Flock(2) as flock:
        done = flock.herd("harvest", "-d", "1", "-o", flock.results, "--json")
        summary = done.lines()[-1]
        assert {node["node"] for node in summary["nodes"]} == set(flock.names), summary
        for node in summary["nodes"]:
            # the default limit of 100 us; a host that is very busy may hold a board up for longer
            print(f"figure: {node['node']}: {node['verdict']}, {node['start_error_ns']} ns from T")
            is_good = abs(node["start_error_ns"]) <= 100_000
            assert node["verdict"].startswith("valid" if is_good else "invalid"), summary
        is_valid = all(node["verdict"].startswith("valid") for node in summary["nodes"])
        assert done.status == (0 if is_valid else 1), str(done)
        assert flock.herd("alive").status == 0
        for name in flock.names:
            flock.kill(name)
        assert flock.herd("alive").status == 3


def test_measured_irradiance_and_target_current():
    sky = shared("data", "irradiance_2023-06-21.csv")
    packed = shared("data", "target_current_loop.csv.xz")

    with Flock(2, start=False) as flock:
        trace = os.path.join(flock.folder, "target.csv")
        with open(trace, "wb") as file:
            subprocess.run(["xz", "-dc", packed], stdout=file, check=True)
        for name in flock.names:
            config = flock.config(name)
            config["sim"]["transducer"]["environment"] = sky
            config["sim"]["transducer"]["environment_start_s"] = 12 * 3600
            config["sim"]["transducer"]["time_scale"] = 300
            config["sim"]["target"] = {"kind": "replay", "trace": trace}
            flock.write_config(name, config)
            flock.start(name)
        done = flock.run(dict(HARVEST, nodes={}))
        assert done.status == 0, str(done)
        first = flock.file_of("sheep0", "hrv_day_")
        done = flock.run(dict(emulation(first.replace("sheep0", "{node}")), nodes={}))
        assert done.status == 0, str(done)
        for name in flock.names:
            check_truth(flock, flock.file_of(name, "hrv_day_"), name, "day_")
            check_truth(flock, flock.file_of(name, "emu_replay_"), name, "replay_")


if __name__ == "__main__":
    assert os.path.exists(HERD), f"no herd at {HERD}"
    harness.main(globals())
