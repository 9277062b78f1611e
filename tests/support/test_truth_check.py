#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The checker accepts a sound result and names every planted fault."""
import os
import subprocess
import sys
import tempfile
import traceback

import h5py
import numpy as np

CHECKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "truth_check.py")
T_NS = 1_800_000_000_000_000_000
COUNT = 20_000
ADC_V = (5.12 / 2 ** 18 * 1.002, 0.0013)
ADC_I = (1.0 / 4915200 * 0.997, -2.1e-6)
DAC_V = (5.0 / 2 ** 16 * 0.999, 0.004)
POWER_GOOD = 1 << 9
PINS = "{0: {name: gpio0}, 1: {name: gpio1}, 9: {name: pwr_good}}"


class Pair:
    """Codes and truth of a run, as a board writes them; tests spoil one or the other."""

    def __init__(self, is_emulation, seed=1, algorithm="mppt_po"):
        self.random = np.random.default_rng(seed)
        self.is_emulation = is_emulation
        self.algorithm = algorithm
        self.time = T_NS + np.arange(COUNT, dtype=np.uint64) * np.uint64(10_000)
        self.gains = {"voltage": DAC_V if is_emulation else ADC_V, "current": ADC_I}
        self.gaps = []
        self.edges = []
        self.pins = np.zeros(COUNT, dtype=np.uint16)
        if is_emulation:
            self.emulate()
        else:
            self.harvest()

    def read(self, values, scale):
        """Codes of an ADC, with noise that is half an LSB."""
        noise = (self.random.random((4, len(values))).sum(axis=0) - 2) * 1.732 * 0.5
        return np.clip(np.floor((values - scale[1]) / scale[0] + noise + 0.5), 0, 2 ** 18 - 1)

    def harvest(self):
        steps = np.cumsum(self.random.integers(-200, 201, COUNT // 50 + 1)) * 1e-5
        self.V = 2.0 + np.repeat(steps, 50)[:COUNT]
        self.I = np.clip(4e-3 * (1 - np.exp((self.V - 2.6) / 0.15)), 0, None)
        self.voltage, self.current = self.read(self.V, ADC_V), self.read(self.I, ADC_I)

    def emulate(self):
        is_on = np.arange(COUNT) % 5000 > 1200
        self.voltage = np.where(is_on, 28000.0, 0.0)
        made = np.where(self.voltage > 0, self.voltage * DAC_V[0] + DAC_V[1], 0)
        self.V = np.r_[0, made[:-1]]
        self.I = np.where(self.V > 1.8, np.where(np.arange(COUNT) % 300 < 40, 3e-3, 5e-6), 0)
        self.current = self.read(self.I, ADC_I)
        pins = np.where(self.V > 1.8, 1, 0) | np.where(self.I > 1e-3, 2, 0)
        self.pins = (pins | np.where(self.V > 0, POWER_GOOD, 0)).astype(np.uint16)
        # power-good is driven in the sample before; muted while nothing is supplied
        state, watched = 0, 0
        for k in range(COUNT - 1):
            driven = int(self.pins[k]) & ~POWER_GOOD | int(self.pins[k + 1]) & POWER_GOOD
            watched = POWER_GOOD if self.voltage[k] == 0 else 0xFFFF
            new = driven & watched | state & ~watched
            if new != state:
                self.edges.append((T_NS + k * 10_000 + 3000, new))
            state = new

    def write(self, folder):
        result, truth = os.path.join(folder, "r.h5"), os.path.join(folder, "r.truth")
        records = np.zeros(COUNT, dtype=[("v", "<f8"), ("i", "<f8"), ("e", "<f4"), ("p", "<u2"),
                                         ("s", "u1"), ("z", "V9")])
        records["v"], records["i"], records["p"] = self.V, self.I, self.pins
        with open(truth, "wb") as file:
            file.write(b"BWTRUTH1" + bytes([32, 0, 0, 0, int(self.is_emulation)]) + bytes(19))
            file.write(records.tobytes())
        with h5py.File(result, "w") as file:
            self.fill(file)
        return result, truth

    def fill(self, file):
        file.attrs["mode"] = "emulator" if self.is_emulation else "harvester"
        file.attrs["config"] = f"virtual_harvester:\n  algorithm: {self.algorithm}\n"
        data = file.create_group("data")
        data.attrs["datatype"] = "isc_voc" if self.algorithm == "isc_voc" else "ivsample"
        data["time"] = self.time
        for name in ("voltage", "current"):
            data[name] = getattr(self, name).astype(np.uint32)
            data[name].attrs["gain"], data[name].attrs["offset"] = self.gains[name]
        file.create_group("sync").attrs["T_ns"] = T_NS
        file["gaps/first_sample"] = np.array([gap[0] for gap in self.gaps], dtype=np.uint64)
        file["gaps/n_samples"] = np.array([gap[1] for gap in self.gaps], dtype=np.uint64)
        file["gaps/cause"] = np.array([gap[2] for gap in self.gaps], dtype=np.uint8)
        if self.is_emulation:
            file["gpio/time"] = np.array([edge[0] for edge in self.edges], dtype=np.uint64)
            file["gpio/value"] = np.array([edge[1] for edge in self.edges], dtype=np.uint16)
            file["gpio/value"].attrs["description"] = PINS


def verdict(pair):
    """Status and the names after "wrong:" of the checker's last line."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([sys.executable, CHECKER, *pair.write(folder)], text=True,
                              capture_output=True, timeout=60, check=False)
    assert done.stderr == "", done.stderr
    last = done.stdout.splitlines()[-1]
    names = last.removeprefix("wrong: ").split(", ") if last.startswith("wrong: ") else []
    assert bool(names) == (done.returncode == 1), done.stdout
    return names


def expect(pair, *names):
    """All of these are named."""
    found = verdict(pair)
    assert set(names) <= set(found) if names else not found, f"{found}, not {names}"


def both():
    return Pair(False), Pair(True)


def test_sound_results_pass():
    for pair in both():
        expect(pair)


def test_swapped_traces():
    for pair in both():
        pair.voltage, pair.current = pair.current, pair.voltage
        expect(pair, "voltage", "current")


def test_one_sample_late():
    for pair in both():
        pair.voltage, pair.current = np.roll(pair.voltage, 1), np.roll(pair.current, 1)
        expect(pair, "shift")


def test_one_sample_early_in_one_trace_only():
    for pair in both():
        pair.current = np.roll(pair.current, -1)
        found = verdict(pair)
        assert "shift" in found and "voltage" not in found, found


def test_data_of_another_node():
    pair, other = Pair(False), Pair(False, seed=2)
    pair.voltage, pair.current = other.voltage, other.current
    expect(pair, "voltage", "current")


def test_wrong_gain():
    for pair in both():
        for name in ("voltage", "current"):
            right = pair.gains[name]
            pair.gains[name] = right[0] * 1.01, right[1]
            assert verdict(pair) == [name]
            pair.gains[name] = right


def test_wrong_offset():
    for pair in both():
        for name in ("voltage", "current"):
            right = pair.gains[name]
            pair.gains[name] = right[0], right[1] + right[0]
            assert verdict(pair) == [name], name
            pair.gains[name] = right


def test_one_wrong_sample():
    for pair in both():
        pair.voltage[1777] += 4
        assert verdict(pair) == ["voltage"]


def test_timestamp_off():
    for pair in both():
        pair.time[12345] += np.uint64(1)
        assert verdict(pair) == ["time"]


def test_whole_time_off():
    pair = Pair(False)
    pair.time += np.uint64(10_000)
    assert verdict(pair) == ["time"]


def test_samples_missing_at_the_end():
    pair = Pair(False)
    pair.time, pair.voltage, pair.current = pair.time[:-5], pair.voltage[:-5], pair.current[:-5]
    assert verdict(pair) == ["length"]


def test_listed_gaps_are_skipped_and_others_found():
    pair = Pair(False)
    pair.voltage[3000:4000] = 0
    pair.current[3000:4000] = 0
    expect(pair, "voltage", "current")
    pair.gaps = [(3000, 1000, 4)]  # input missing: the samples are there
    expect(pair, "voltage", "current")
    pair.gaps = [(3000, 1000, 1)]
    expect(pair)


def test_wrong_edges():
    pair = Pair(True)
    whole = list(pair.edges)
    pair.edges[5] = (whole[5][0] + 30_000, whole[5][1])
    assert verdict(pair) == ["gpio"]
    pair.edges[5] = (whole[5][0], whole[5][1] ^ 2)
    assert verdict(pair) == ["gpio"]
    pair.edges = whole[:5] + whole[6:]
    assert verdict(pair) == ["gpio"]
    pair.edges = whole[:5] + [whole[5], (whole[5][0] + 1, whole[5][1] ^ 1)] + whole[6:]
    assert verdict(pair) == ["gpio"]


def test_wrong_mode():
    pair = Pair(False)
    pair.is_emulation = True
    with tempfile.TemporaryDirectory() as folder:
        result, truth = pair.write(folder)
        with h5py.File(result, "a") as file:
            file.attrs["mode"] = "harvester"
        done = subprocess.run([sys.executable, CHECKER, result, truth], text=True,
                              capture_output=True, timeout=60, check=False)
        assert done.returncode == 1 and "FAIL mode" in done.stdout, done.stdout


def test_held_pairs_of_isc_and_voc():
    pair = Pair(False, algorithm="isc_voc")
    is_open = np.arange(COUNT) % 10 >= 5
    drift = np.linspace(0, 0.3, COUNT)
    pair.V = np.where(is_open, 2.6 + drift, 0.0)
    pair.I = np.where(is_open, 0.0, 4e-3 - 1e-3 * drift)
    volts, amps = pair.read(pair.V, ADC_V), pair.read(pair.I, ADC_I)
    held = np.arange(COUNT)
    last_open = np.where(held >= 9, (held - 9) // 10 * 10 + 9, -1)
    last_short = np.where(held >= 4, (held - 4) // 10 * 10 + 4, -1)
    pair.voltage = np.where(last_open >= 0, volts[last_open], 0)
    pair.current = np.where(last_short >= 0, amps[last_short], 0)
    expect(pair)
    pair.voltage[5000:5010] += 8
    assert verdict(pair) == ["voltage"]


def test_no_current_while_looking_for_voc():
    pair = Pair(False, algorithm="mppt_voc")
    is_search = np.arange(COUNT) % 1000 < 50
    pair.V = np.where(is_search, 2.6, pair.V)
    pair.I = np.where(is_search, 0.0, pair.I)
    pair.voltage, pair.current = pair.read(pair.V, ADC_V), pair.read(pair.I, ADC_I)
    pair.current[is_search] = 0
    pair.current[999:-1:1000] = 0  # the sample in which the search begins
    expect(pair)
    pair.current[500] = 0
    assert verdict(pair) == ["current"]


def test_garbage_is_refused():
    with tempfile.TemporaryDirectory() as folder:
        result, truth = Pair(False).write(folder)
        with open(truth, "r+b") as file:
            file.write(b"X")
        done = subprocess.run([sys.executable, CHECKER, result, truth], text=True,
                              capture_output=True, timeout=60, check=False)
        assert done.returncode == 1 and "FAIL file" in done.stdout


def main():
    passed, failed = 0, 0
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            try:
                test()
                passed += 1
                print(f"ok {name}")
            except Exception:  # pylint: disable=broad-except
                failed += 1
                print(f"FAILED {name}")
                traceback.print_exc()
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
