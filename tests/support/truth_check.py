#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Compares a result with what was true in the simulated world: truth_check.py RESULT.h5 TRUTH

Independent of the project's code: the file is read with h5py, the truth (format: pru/sim/truth.h)
with numpy. Prints a line for every part that is wrong (length, time, voltage, current, shift,
gpio) and a line of figures; status 0 when nothing is wrong, 1 otherwise.

What must agree, by sample:
  harvest   code k is the converters' reading of record k, but for what an algorithm replaces:
            isc_voc holds the last readings of its two phases, mppt_voc has no current while it
            looks for the open circuit, ivcurve cuts the first readings behind the ramp's jump
  emulate   the voltage's code k was written in sample k, so record k + 1 holds what it made; the
            current's code k is the reading of record k
  gpio      pins change in the sample whose record shows it; power-good is driven at the end of a
            sample, so the next record shows it first
"""
import argparse
import re
import sys

import h5py
import numpy as np

SAMPLE_NS = 10_000
POWER_GOOD = 1 << 9
ADC_MAX = 2 ** 18 - 1
CAUSE_INPUT_MISSING = 4
MEAN_LSB = 0.1
SHIFTS = (-3, -2, -1, 1, 2, 3)
RECORD = np.dtype([("voltage", "<f8"), ("current", "<f8"), ("irradiance", "<f4"),
                   ("pins", "<u2"), ("is_supplied", "u1"), ("zero", "V9")])


class Report:
    """What was found wrong, by name, and figures."""

    def __init__(self):
        self.failures = []
        self.figures = []

    def fail(self, name, text):
        self.failures.append(name)
        print(f"FAIL {name}: {text}")


def read_truth(path):
    """Records and whether they are an emulation's."""
    with open(path, "rb") as file:
        header = file.read(32)
    if header[:8] != b"BWTRUTH1" or int.from_bytes(header[8:12], "little") != RECORD.itemsize:
        raise ValueError(f"{path}: not a truth file")
    return np.fromfile(path, dtype=RECORD, offset=32), header[12] == 1


def text_of(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def setting(config, name, default):
    """A value of the configuration's text; the last one wins, as the resolved one stands there."""
    found = re.findall(rf"^\s*{name}:\s*([^\s#]+)", config, re.MULTILINE)
    return found[-1] if found else default


def missing_samples(file, length):
    """True where the file says that it has no sample."""
    is_missing = np.zeros(length, dtype=bool)
    if "gaps" in file and "first_sample" in file["gaps"]:
        group = file["gaps"]
        first, count = group["first_sample"][:], group["n_samples"][:]
        cause = group["cause"][:] if "cause" in group else np.zeros(len(first))
        for row in range(len(first)):
            if cause[row] != CAUSE_INPUT_MISSING:
                is_missing[int(first[row]):int(first[row]) + int(count[row])] = True
    return is_missing


def last_of_runs(is_in_run, values):
    """At every sample: the value at the end of the last run that has ended by then, and whether
    one has."""
    ends = is_in_run.copy()
    ends[:-1] &= ~is_in_run[1:]
    ends[-1] = False  # whether it is one, nobody knows
    held = np.maximum.accumulate(np.where(ends, np.arange(len(values)), -1))
    known = held >= 0
    known[-1] = False
    return values[held], known


class Expectation:
    """Values that the codes stand for, and the samples where they can be compared."""

    def __init__(self, codes, truth, is_emulation, algorithm):
        length = len(codes["voltage"])
        self.value = {name: truth[name][:length].copy() for name in ("voltage", "current")}
        self.valid = {name: np.ones(length, dtype=bool) for name in ("voltage", "current")}
        if is_emulation:
            self.value["voltage"][:-1] = truth["voltage"][1:length]
            self.valid["voltage"][-1] = False
        elif algorithm == "isc_voc":
            is_open = self.value["current"] == 0
            for name, run in (("voltage", is_open), ("current", ~is_open)):
                self.value[name], self.valid[name] = last_of_runs(run, self.value[name])
        elif algorithm.startswith("mppt_voc") or algorithm.startswith("mppt_bq"):
            opens = self.value["current"] == 0
            opens[:-1] |= self.value["current"][1:] == 0
            self.valid["current"] = ~((codes["current"] == 0) & opens)
        elif algorithm in ("ivcurve", "ivsurface"):
            cut = (codes["voltage"] == 0) | (codes["voltage"] == ADC_MAX)
            self.valid["voltage"] = ~cut
            self.valid["current"] = ~(cut & (codes["current"] == 0))


def compare(report, name, codes, scale, expected, valid, lsb_bound):
    """One trace ("supply": what a DAC made): every sample within lsb_bound, the mean much closer, and no shift fits better."""
    gain, offset = scale
    part = "current" if name == "current" else "voltage"
    value = codes * gain + offset
    if name == "supply":
        value[codes == 0] = 0.0  # switched off, whatever the converter's offset is
    # A reading below 0 or above the range is clamped by the converter.
    error = (value - expected) / gain
    low = (codes == 0) & (expected < offset + lsb_bound * gain)
    high = (codes == ADC_MAX) & (expected > value - lsb_bound * gain)
    use = valid & ~low & ~high
    count = int(use.sum())
    if count == 0:
        report.figures.append(f"{name}: nothing to compare")
        return
    worst = float(np.abs(error[use]).max())
    if not worst <= lsb_bound:
        at = int(np.flatnonzero(use)[np.abs(error[use]).argmax()])
        report.fail(part, f"sample {at}: {value[at]:.9g} is {worst:.2f} LSB from "
                          f"{expected[at]:.9g}; {int((np.abs(error[use]) > lsb_bound).sum())} of "
                          f"{count} samples are beyond {lsb_bound:.2f} LSB")
    inner = use & (codes > 8) & (codes < ADC_MAX - 8)
    if inner.sum() > 100:
        mean = float(error[inner].mean())
        bound = MEAN_LSB + 3.0 / np.sqrt(inner.sum())
        if not abs(mean) <= bound:
            report.fail(part, f"mean error {mean:.3f} LSB, at most {bound:.3f} is noise")
        report.figures.append(f"{name}: mean {mean:+.4f} LSB, worst {worst:.3f} LSB, n {count}")
    check_shift(report, name, value / gain, expected / gain, use)


def check_shift(report, name, value, expected, use):
    """The trace against the truth moved by a few samples: nothing fits better than 0."""
    def misfit(shift):
        inner = slice(3, len(value) - 3)
        moved = np.roll(expected, shift)[inner]
        picked = use[inner]
        return float(np.sqrt(np.mean((value[inner] - moved)[picked] ** 2))) if picked.any() else 0

    if len(value) < 10:
        return
    here = misfit(0)
    for shift in SHIFTS:
        if misfit(shift) < 0.9 * here:
            report.fail("shift", f"{name} fits better {shift} samples later "
                                 f"(rms {misfit(shift):.3f} LSB) than in place ({here:.3f} LSB)")
            return


def check_time(report, file, length):
    time = file["data/time"][:].astype(np.int64)
    T_ns = int(file["sync"].attrs["T_ns"]) if "sync" in file and "T_ns" in file["sync"].attrs \
        else int(time[0])
    off = np.flatnonzero(time != T_ns + np.arange(length, dtype=np.int64) * SAMPLE_NS)
    if len(off):
        report.fail("time", f"sample {off[0]} is stamped T {time[off[0]] - T_ns:+d} ns; "
                            f"{len(off)} of {length} are not on the grid")
    return T_ns


def watched_states(pins, supply_V, mask, mute_V):
    """State of the recorded pins at every sample; muted ones keep theirs. Without the last."""
    driven = (pins[:-1] & ~POWER_GOOD | pins[1:] & POWER_GOOD) & mask
    muted = supply_V[1:] < mute_V
    changes = np.flatnonzero(np.r_[True, (driven[1:] != driven[:-1]) | (muted[1:] != muted[:-1])])
    last, held = 0, []
    for k in changes:
        watched = POWER_GOOD if muted[k] else 0xFFFF
        last = int(driven[k]) & watched | last & ~watched
        held.append(last)
    return np.repeat(held, np.diff(np.r_[changes, len(driven)]))


def check_gpio(report, file, truth, T_ns, is_emulation, tolerance_us):
    """Edges of the file against those of the truth, in state and time."""
    if "gpio" not in file or "value" not in file["gpio"]:
        return
    times = file["gpio/time"][:].astype(np.int64)
    values = file["gpio/value"][:].astype(np.int64)
    config = text_of(file.attrs.get("config", ""))
    named = re.findall(r"(\d+):\s*\{", text_of(file["gpio/value"].attrs.get("description", "")))
    mask = sum(1 << int(bit) for bit in named) if named else 0xFFFF
    mute_V = float(setting(config, "V_output_log_gpio_threshold_mV", 1400)) / 1e3
    states = watched_states(truth["pins"].astype(np.int64), truth["voltage"], mask,
                            mute_V if is_emulation else -1.0)
    where = np.flatnonzero(np.diff(np.r_[0, states]))
    report.figures.append(f"gpio: {len(values)} edges")
    # The last sample's power-good is in no record, and the end itself switches off.
    end_ns = T_ns + (len(truth) - 1) * SAMPLE_NS - tolerance_us * 1000
    keep = times < end_ns
    times, values = times[keep], values[keep]
    where = where[T_ns + where * SAMPLE_NS < end_ns]
    if len(values) != len(where):
        report.fail("gpio", f"{len(values)} edges, {len(where)} happened")
    count = min(len(values), len(where))
    wrong = np.flatnonzero(values[:count] & mask != states[where[:count]])
    if len(wrong):
        at = wrong[0]
        report.fail("gpio", f"edge {at}: pins are {int(values[at]):#06x}, were "
                            f"{int(states[where[at]]):#06x}")
        return
    late_us = (times[:count] - T_ns - where[:count] * SAMPLE_NS) / 1e3
    if count and np.abs(late_us).max() > tolerance_us:
        at = int(np.abs(late_us).argmax())
        report.fail("gpio", f"edge {at} is {late_us[at]:+.1f} us from where it happened")


def is_recorded(dataset):
    return bool(dataset.attrs.get("recorded", 1))


def check(result, truth_path, options):
    """A report of the result at this path."""
    report = Report()
    truth, is_emulation = read_truth(truth_path)
    with h5py.File(result, "r") as file:
        data = file["data"]
        length = len(data["time"])
        if len({len(data[name]) for name in ("time", "voltage", "current")}) != 1 \
                or length > len(truth) or (length < len(truth) and not options.short):
            report.fail("length", f"time {length}, voltage {len(data['voltage'])}, current "
                                  f"{len(data['current'])}, truth {len(truth)}")
            length = min(length, len(truth), len(data["voltage"]), len(data["current"]))
        if length == 0:
            report.fail("length", "no samples")
            return report
        mode = text_of(file.attrs["mode"])
        if (mode == "emulator") != is_emulation:
            report.fail("mode", f"{mode}, but the truth is of the other one")
            return report
        T_ns = check_time(report, file, len(data["time"]))
        codes = {name: data[name][:length].astype(np.float64) for name in ("voltage", "current")}
        config = text_of(file.attrs.get("config", ""))
        datatype = text_of(data.attrs.get("datatype", ""))
        algorithm = options.algorithm or (datatype if datatype == "isc_voc"
                                          else setting(config, "algorithm", "unknown"))
        expected = Expectation(codes, truth[:length], is_emulation, algorithm)
        present = ~missing_samples(file, length)
        for name in ("voltage", "current"):
            if not is_recorded(data[name]):
                continue
            is_dac = is_emulation and name == "voltage"
            bound = 0.5 if is_dac else 0.5 + 4 * options.noise
            scale = float(data[name].attrs["gain"]), float(data[name].attrs["offset"])
            valid = expected.valid[name] & present
            if not is_emulation and valid.sum() < 0.5 * present.sum():
                report.fail(name, f"only {valid.sum()} of {present.sum()} can be compared")
            compare(report, "supply" if is_dac else name, codes[name], scale, expected.value[name], valid, bound)
        check_gpio(report, file, truth[:length], T_ns, is_emulation, options.edge_us)
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("result")
    parser.add_argument("truth")
    parser.add_argument("--noise", type=float, default=0.5, help="of the ADCs, LSB rms")
    parser.add_argument("--edge-us", type=float, default=10.0, help="bound of an edge's time")
    parser.add_argument("--algorithm", help="harvester, if the file's config does not tell")
    parser.add_argument("--short", action="store_true", help="the file may end before the truth")
    options = parser.parse_args()
    try:
        report = check(options.result, options.truth, options)
    except (OSError, KeyError, ValueError) as error:
        print(f"FAIL file: {error}")
        sys.exit(1)
    for figure in report.figures:
        print(f"figure: {figure}")
    print("wrong: " + ", ".join(sorted(set(report.failures))) if report.failures else "agrees")
    sys.exit(1 if report.failures else 0)


if __name__ == "__main__":
    main()
