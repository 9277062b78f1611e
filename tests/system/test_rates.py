#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Nodes of one run that store at different rates, a part, or only the overview."""
import glob
import json
import os
import shutil
import signal
import tempfile

import h5py
import numpy

import harness
from harness import Flock, support

LIMIT_S = 120
N_SAMPLES = 212345

EXPERIMENT = {
    "name": "rates", "duration": f"{10 * N_SAMPLES} us",
    # how exactly a busy host starts is not the subject
    "start": {"clock_error_max": "100 ms"},
    "defaults": {"mode": "harvest", "harvester": {"inherit_from": "cv20"}},
    "nodes": {"sheep0": {"record": {"samplerate": 10}},
              "sheep1": {"record": {"samplerate": 1000}},
              "sheep2": {"record": {"delay": "500 ms", "duration": "1 s", "samplerate": 100}},
              "sheep3": {"record": {"overview_only": True}}},
}


def check_rows(path, window, first=0, end=N_SAMPLES):
    """Rows on their grid, each near what the overview has of the same samples."""
    with h5py.File(path, "r") as file:
        n_rows = (N_SAMPLES + window - 1) // window
        data = file["data"]
        assert len(data["time"]) == len(data["voltage"]) == len(data["current"]) == n_rows
        steps = numpy.unique(numpy.diff(data["time"][:].astype("int64")))
        assert list(steps) == [window * 10000], steps
        assert int(data["time"][0]) == int(file["sync"].attrs["T_ns"])
        assert len(file["gaps/first_sample"]) == 0
        rows = numpy.arange(n_rows)
        is_there = (rows * window >= first) & ((rows + 1) * window <= end)
        assert is_there.any() and (data["voltage"][:][is_there] != 0).all()
        assert not data["voltage"][:][(rows + 1) * window <= first].any()
        assert not data["voltage"][:][rows * window >= end].any()
        lowest = file["overview/voltage/64/minimum"][:].min()
        highest = file["overview/voltage/64/maximum"][:].max()
        means = data["voltage"][:][is_there]
        assert lowest <= means.min() and means.max() <= highest, (lowest, means, highest)


def test_rates_of_one_run():
    with Flock(4) as flock:
        done = flock.run(EXPERIMENT, "--json")
        assert done.status == 0, str(done)
        paths = [flock.file_of(name, "hrv_rates_") for name in flock.names]
        check_rows(paths[0], 10000)
        check_rows(paths[1], 100)
        check_rows(paths[2], 1000, 50000, 150000)
        with h5py.File(paths[3], "r") as file:
            assert len(file["data/time"]) == N_SAMPLES
            assert file["data/voltage"].attrs["recorded"] == 0
            assert file["data/voltage"].id.get_storage_size() == 0
            assert len(file["overview/voltage/64/mean"]) == N_SAMPLES // 64 + 1
        for path in paths:
            for words in (("verify",), ("info", "--json")):
                shown = flock.herd(*words, path)
                assert shown.status == 0, str(shown)
            info = json.loads(shown.out)
            assert info["verdict"].startswith("valid"), info
            assert info["samples"] == N_SAMPLES, info
        by_node = {node["node"]: node for node in done.lines()[-1]["nodes"]}
        for name, path in zip(flock.names, paths):
            with h5py.File(path, "r") as file:
                marks = {key: int(file.attrs[key])
                         for key in ("ring_fill_max_percent", "queue_fill_max_percent")}
            # the recorder looks every 250 ms into a ring of 5 s
            assert 1 <= marks["ring_fill_max_percent"] <= 100, marks
            assert marks.items() <= by_node[name].items(), (marks, by_node[name])
        for path in paths[:2]:
            checked = support("h5_check.py", path)
            assert checked.status == 0, str(checked)


def test_a_recording_in_memory_touches_no_disk():
    """Seen in memory while it runs, never among the recordings, gone when herd has it."""
    memory = tempfile.mkdtemp(prefix="bw-memory-", dir="/dev/shm")

    def in_memory(name, config):
        config.update(memory=memory, retention="keep")

    def logs(folder):
        return sorted(glob.glob(os.path.join(folder, "*.rlog")))

    try:
        with Flock(2, change=in_memory) as flock:
            content = dict(EXPERIMENT, name="ram", duration="4 s", nodes={
                "sheep0": {"record": {"where": "ram"}}, "sheep1": {}})
            path = flock.experiment(content)
            run = flock.spawn("run", path, "-o", flock.results)
            harness.wait_for("a log in memory", lambda: logs(os.path.join(memory, "sheep-*")), 20)
            assert logs(flock.data("sheep0", "recordings")) == []
            assert run.wait(60) == 0
            for name in flock.names:
                shown = flock.herd("verify", flock.file_of(name, "hrv_ram_"))
                assert shown.status == 0, str(shown)
            assert len(logs(flock.data("sheep1", "recordings"))) == 1  # retention keeps it
            assert logs(flock.data("sheep0", "recordings")) == []
            harness.wait_for("memory given back",
                             lambda: not logs(os.path.join(memory, "sheep-*")))
            for name in flock.names:
                flock.kill(name, signal.SIGTERM)
                config = flock.config(name)
                config["memory"] = ""
                flock.write_config(name, config)
                flock.start(name)
            refused = flock.run(dict(content, name="none"))
            assert refused.status != 0 and "sheep.yaml" in str(refused), str(refused)
    finally:
        shutil.rmtree(memory)


if __name__ == "__main__":
    harness.main(globals())
