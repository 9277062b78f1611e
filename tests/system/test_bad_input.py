#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Bad input gets one clear message that names the place, exit status 2, and nothing started."""
import os
import re

import h5py
import numpy

import harness
from harness import Flock

LIMIT_S = 300
GOOD = """name: good
duration: 1 s
defaults:
  mode: harvest
  harvester: {inherit_from: cv20}
"""
EMULATE = """name: emulate
duration: 1 s
defaults:
  mode: emulate
  input: INPUT
  source: {inherit_from: BQ25570s}
"""

# name, text of the experiment, what the message must hold
YAML_FAULTS = [
    ("does not parse", "name: [a\nduration: 1 s\n", r"experiment\.yaml:\d+:\d+"),
    ("unknown key", GOOD + "duratoin: 2 s\n", r"experiment\.yaml:6:1.*duratoin.*duration"),
    ("wrong type", GOOD.replace("1 s", "[1]"), r"experiment\.yaml:2:11"),
    ("wrong unit", GOOD.replace("1 s", "1 V"), r"experiment\.yaml:2:11"),
    ("out of range", GOOD.replace("cv20", "cv20, voltage_mV: 99999"),
     r"experiment\.yaml:5:\d+.*voltage_mV"),
    ("unknown preset", GOOD.replace("cv20", "cv2O"), r"experiment\.yaml:5:\d+.*cv2O"),
    ("nobody", GOOD + "groups:\n  roof: {nodes: \"sheep[7-9]\"}\n", r"experiment\.yaml:7:\d+"),
    ("unknown node", GOOD + "nodes:\n  goat1: {mode: harvest}\n", r"experiment\.yaml:7:3.*goat1"),
    ("duration zero", GOOD.replace("1 s", "0 s"), r"experiment\.yaml:2:11.*duration"),
    ("duration negative", GOOD.replace("1 s", "-3 s"), r"experiment\.yaml:2:11"),
    ("duplicate key", GOOD + "name: twice\n", r"experiment\.yaml:6:1.*name"),
    ("binary", "\x00\x01\x02", r"experiment\.yaml"),
]

TEN_FAULTS = """name: ten
duration: 0 s
start: {align: 1 V, require: goats}
run: {on_failure: explode}
speed: fast
defaults:
  mode: harvestt
  target_port: C
  record: {voltage: 7, compression: gzip-11}
  harvester: {inherit_from: cv99}
  log: {system: -1 s}
"""


def write_input(path, mode="harvester", datatype="ivsample", window=0, samples=20000, trim=0):
    with h5py.File(path, "w") as file:
        file.attrs["mode"] = mode
        file.attrs["hostname"] = "test"
        data = file.create_group("data")
        data.attrs["datatype"] = datatype
        data.attrs["window_samples"] = window
        stamps = numpy.arange(samples, dtype="uint64") * 10000
        for name, values in (("time", stamps), ("voltage", numpy.full(samples, 2_000_000, "uint32")),
                             ("current", numpy.full(samples, 1_000_000, "uint32"))):
            made = data.create_dataset(name, data=values, chunks=(10000,) if samples else True,
                                       maxshape=(None,), compression=1)
            made.attrs["gain"] = {"time": 1e-9, "voltage": 1e-6, "current": 1e-9}[name]
            made.attrs["offset"] = 0.0
    if trim:
        os.truncate(path, os.path.getsize(path) - trim)


def nothing_started(flock):
    for name in flock.names:
        folder = flock.data(name, "recordings")
        assert not os.path.isdir(folder) or not os.listdir(folder)
    assert not flock.files("*")


def expect(flock, text, pattern, *words):
    done = flock.run(text, *words)
    assert done.status == 2, str(done)
    assert re.search(pattern, done.err), f"{pattern} in:\n{done.err}"
    assert "Traceback" not in done.err and "HDF5-DIAG" not in done.err
    nothing_started(flock)


def test_experiments_with_one_fault_each():
    with Flock(1) as flock:
        for name, text, pattern in YAML_FAULTS:
            print(f"note: {name}")
            expect(flock, text, pattern)


def test_ten_faults_are_all_listed_with_their_places():
    with Flock(1, start=False) as flock:
        path = flock.experiment(TEN_FAULTS)
        done = flock.herd("check", path)
        assert done.status == 2, str(done)
        lines = [line for line in done.err.splitlines() if re.search(r"experiment\.yaml:\d+:\d+", line)]
        assert len(lines) >= 10, done.err
        for number in (2, 3, 4, 5, 7, 8, 9, 10, 11):
            assert any(f"experiment.yaml:{number}:" in line for line in lines), (number, done.err)


def test_input_files_that_cannot_be_replayed():
    with Flock(1) as flock:
        def path(name):
            return os.path.join(flock.folder, name)
        with open(path("text.h5"), "w", encoding="utf-8") as file:
            file.write("not HDF5 at all")
        write_input(path("emulator.h5"), mode="emulator")
        write_input(path("window.h5"), datatype="ivcurve", window=0)
        write_input(path("empty.h5"), samples=0)
        write_input(path("short.h5"), trim=3000)
        for name, words in (("missing.h5", "missing.h5"), ("text.h5", "HDF5"),
                            ("emulator.h5", "emulator|mode"), ("window.h5", "window"),
                            ("empty.h5", "empty|no samples"), ("short.h5", "short.h5")):
            print(f"note: {name}")
            expect(flock, EMULATE.replace("INPUT", path(name)), words)
        write_input(path("sound.h5"))
        text = EMULATE.replace("INPUT", path("sound.h5")).replace("1 s", "150 ms")
        done = flock.run(text + "start: {clock_error_max: 100 ms}\n")
        assert done.status == 0, str(done)


def test_inventories_and_folders():
    with Flock(2) as flock:
        twice = os.path.join(flock.folder, "twice.yml")
        with open(flock.inventory(), encoding="utf-8") as file:
            text = file.read()
        ports = re.findall(r"port: (\d+)", text)
        with open(twice, "w", encoding="utf-8") as file:
            file.write(text.replace(f"port: {ports[1]}", f"port: {ports[0]}"))
        done = flock.herd("run", flock.experiment(GOOD), "-i", twice, inventory=False)
        assert done.status == 2 and re.search(r"twice\.yml:\d+:\d+", done.err), str(done)
        blocked = os.path.join(flock.folder, "blocked")
        with open(blocked, "w", encoding="utf-8") as file:
            file.write("a file where a folder is wanted")
        done = flock.herd("run", flock.experiment(GOOD), "-o", os.path.join(blocked, "x"))
        assert done.status == 2 and "blocked" in done.err, str(done)
        done = flock.herd("run", flock.experiment(GOOD), "-l", "goat[1-3]", "-o", flock.results)
        assert done.status == 2 and "goat" in done.err, str(done)
        done = flock.herd("rnu", inventory=False)
        assert done.status == 2 and "run" in done.err, str(done)
        nothing_started(flock)


def test_presets_that_inherit_from_each_other():
    with Flock(1, start=False) as flock:
        text = GOOD.replace("{inherit_from: cv20}", "{inherit_from: nothing_like_it}")
        done = flock.herd("check", flock.experiment(text))
        assert done.status == 2 and "nothing_like_it" in done.err, str(done)


if __name__ == "__main__":
    harness.main(globals())
