#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Files of every kind pass the checker; each planted violation is named by it; and what herd's
commands say of a file is what h5py reads.

    test_h5_check.py MAKE_LOG HERD
"""
import json
import os
import subprocess
import sys
import tempfile
import traceback

import h5py
import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import h5_check  # noqa: E402

MAKE_LOG, HERD = sys.argv[1], sys.argv[2]
TEMP = tempfile.TemporaryDirectory(prefix="bw-check-")
T_NS = 1795852800000000000


def herd(*words, status=0):
    done = subprocess.run([HERD, *words], capture_output=True, text=True, check=False, timeout=100,
                          cwd=TEMP.name, errors="replace")
    assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
    return done


def make(name, *plan):
    """A file from a log made to plan; its path."""
    log = os.path.join(TEMP.name, name + ".rlog")
    subprocess.run([MAKE_LOG, log, *plan], check=True, timeout=100)
    herd("build", log)
    return os.path.join(TEMP.name, name + ".h5")


def failures(path):
    return {name for name, _ in h5_check.check_file(path)}


KINDS = {
    "plain": (), "odd": ("samples=123457",), "raw": ("compression=0",),
    "best": ("compression=9", "samples=20000"), "tiny": ("samples=1",),
    "curve": ("datatype=ivcurve",), "isc": ("datatype=isc_voc",),
    "emulate": ("mode=emulate", "storage=1", "edges=999"),
    "gaps": ("gap=5000:37001", "hole=70000:3", "samples=200000"),
    "noV": ("voltage=0",), "noI": ("current=0",), "neither": ("voltage=0", "current=0"),
    "monitors": ("texts=300", "edges=50000", "remark=- odd: [text"),
    "slow": ("rate=10", "samples=200000"), "slowgap": ("rate=1000", "gap=5000:3701"),
    "endgap": ("gap=90000:10000",), "begingap": ("gap=0:20000",),
}


def test_every_kind_of_recording_passes():
    for name, plan in KINDS.items():
        path = make(name, *plan)
        found = h5_check.check_file(path)
        assert not found, (name, found)
        herd("verify", path)
        for tool in (["h5dump", "-H"], ["h5stat"]):
            subprocess.run([*tool, path], check=True, capture_output=True, timeout=60)


def spoil(name, change):
    """The names of the checks that fail when change(file) was done to a sound file."""
    path = make("spoil-" + name.replace(" ", "-").replace("/", "-"), "samples=30000", "edges=20",
                "gap=12000:5", "texts=2")
    with h5py.File(path, "r+") as file:
        change(file)
    return failures(path)


def replace(file, path, **changes):
    """Makes a dataset anew, with other content or properties, and its attributes."""
    old = file[path]
    attributes, content = dict(old.attrs), old[:]
    properties = {"data": content, "chunks": old.chunks, "maxshape": (None,) + old.shape[1:],
                  "compression": "gzip", "compression_opts": 1}
    properties.update(changes)
    del file[path]
    made = file.create_dataset(path, **properties)
    for name, value in attributes.items():
        made.attrs[name] = value


def attribute(path, name, value=None):
    def change(file):
        if name in file[path].attrs:
            del file[path].attrs[name]
        if value is not None:
            file[path].attrs[name] = value
    return change


def remove(path):
    return lambda file: file.__delitem__(path)


def shift_time(file):
    stamps = file["data/time"][:]
    stamps[20000:] += 7000000000
    replace(file, "data/time", data=stamps)


def stumble(file):
    stamps = file["data/time"][:]
    stamps[777] += 1
    replace(file, "data/time", data=stamps)


def fill_gap(file):
    volts = file["data/voltage"][:]
    volts[12001] = 3
    replace(file, "data/voltage", data=volts)


def shorter(file):
    file["data/current"].resize((20000,))


VIOLATIONS = {
    "H1": remove("data"), "H2": attribute("/", "mode"), "H3": attribute("/", "mode", "harvest"),
    "H4": attribute("data", "window_samples"), "H5": attribute("data", "datatype"),
    "H6": remove("data/voltage"), "H7": attribute("data/current", "gain"),
    "H8": attribute("data", "datatype", "ivsimple"), "H9": attribute("data", "datatype", "ivcurve"),
    "S1": attribute("data", "window_samples", 7), "S2": shorter,
    "S4": lambda file: replace(file, "data/voltage", compression="szip", compression_opts=("nn", 8)),
    "S6": attribute("/", "hostname"), "check_timediffs": shift_time,
    "step is exactly 10 us, or the window": stumble,
    "time is u64 nanoseconds": attribute("data/time", "gain", 1e-6),
    "chunks of 10 000, unlimited": lambda file: replace(file, "data/voltage", chunks=(5000,)),
    "unit and description": attribute("data/voltage", "unit"),
    "voltage and current are u32": lambda file: replace(
        file, "data/voltage", data=file["data/voltage"][:].astype("u8")),
    "a trace that is off has no chunk": attribute("data/voltage", "recorded", 0),
    "missing samples are 0": fill_gap,
    "config at / and /data": attribute("data", "config"),
    "config is YAML": attribute("data", "config", "a: [1"),
    "config is a map": attribute("/", "config", "text"),
    "gpio bits have names": attribute("gpio/value", "description", "pins"),
    "gpio time and value are of one length": lambda file: file["gpio/value"].resize((19,)),
    "gpio time rises": lambda file: replace(file, "gpio/time", data=file["gpio/time"][:][::-1]),
    "gpio value is unsigned": lambda file: replace(
        file, "gpio/value", data=file["gpio/value"][:].astype("i4")),
    "groups exist": remove("ptp"),
    "gaps are complete rows": lambda file: file["gaps/cause"].resize((0,)),
    "gaps lie in the recording": lambda file: file["gaps/first_sample"].__setitem__(0, 29998),
    "sync says when it started": attribute("sync", "T_ns"),
    "sample 0 is T": attribute("sync", "T_ns", T_NS + 10000),
    "attributes are scalars": attribute("ptp", "list", [1.0, 2.0, 3.0]),
    "strings are of variable length": attribute("uart", "note", np.bytes_("fixed")),
    "strings parse as YAML": attribute("uart", "note", "%percent"),
    "numbers have a meaning": attribute("gpio/time", "offset"),
    "a chunk is allocated unless it is a gap": lambda file: (
        file["gaps/first_sample"].__setitem__(0, 10000),
        file["gaps/n_samples"].__setitem__(0, 10000)),
    "first stamp on the grid": lambda file: replace(file, "data/time",
                                                    data=file["data/time"][:] + 1),
}


def test_each_violation_is_named():
    for name, change in VIOLATIONS.items():
        try:
            found = spoil(name, change)
        except ValueError as why:
            if name == "S4" and "szip" in str(why).lower():
                print(f"note: no szip here: {why}")
                continue
            raise
        assert name in found, (name, found)


def test_verify_finds_what_h5py_changed():
    for number, change in enumerate((attribute("/", "hostname", "other"), stumble,
                                     attribute("data/voltage", "gain", 1.0),
                                     lambda file: file["uart/message"].__setitem__(1, b"x"),
                                     lambda file: file["gpio/value"].__setitem__(3, 7),
                                     remove("overview"), shorter,
                                     lambda file: file.create_group("more"))):
        path = make(f"changed{number}", "samples=30000", "edges=20", "texts=2")
        herd("verify", path)
        with h5py.File(path, "r+") as file:
            change(file)
        done = herd("verify", path, status=1)
        assert path in done.stderr, done.stderr


def test_info_says_what_h5py_reads():
    path = make("info", "samples=54321", "gap=10000:777", "edges=4000", "noise=10", "remark=a: b")
    said = json.loads(herd("info", "--json", path).stdout)
    with h5py.File(path, "r") as file:
        volts, amps = (file["data"][name][:] * file["data"][name].attrs["gain"]
                       + file["data"][name].attrs["offset"] for name in ("voltage", "current"))
        there = np.ones(len(volts), dtype=bool)
        there[10000:10777] = False
        assert said["samples"] == len(volts) == 54321 and said["gap_samples"] == 777
        energy = (volts * amps)[there].sum() * 1e-5
        assert abs(said["energy_Ws"] - energy) < 1e-9 * energy
        assert abs(file.attrs["energy_Ws"] - energy) < 1e-9 * energy
        assert abs(said["voltage_V"]["mean"] - volts[there].mean()) < 1e-9
        assert said["current_A"]["maximum"] == amps[there].max()
        # pin 9 is up from the second edge of four to the fourth: 10 us of every 20
        assert said["edges"] == 4000 and abs(said["on_time_s"] - 1000 * 10e-6) < 1e-9
        assert said["start_error_ns"] == -1234 and said["remarks"] == "a: b"


def test_overview_is_of_the_samples():
    path = make("overview", "samples=300000", "gap=10000:64", "noise=12")
    with h5py.File(path, "r") as file:
        codes = file["data/voltage"][:]
        for window in (64, 512, 4096, 32768, 262144):
            level = file[f"overview/voltage/{window}"]
            assert len(level["time"]) in (-(-len(codes) // window), -(-len(codes) // window) - 1)
            for row in (0, len(level["time"]) // 2, len(level["time"]) - 1):
                first = (int(level["time"][row]) - T_NS) // 10000
                piece = codes[first:first + window]
                piece = np.delete(piece, [i for i in range(10000 - first, 10064 - first)
                                          if 0 <= i < len(piece)]) if first < 10064 else piece
                assert level["minimum"][row] == piece.min()
                assert level["maximum"][row] == piece.max()
                assert abs(level["mean"][row] - piece.mean()) <= 0.5


def test_a_code_of_two_volts_reads_two_volts_everywhere():
    path = make("two", "samples=30000")
    gain, offset = 1.953125e-05, -1e-3
    code = round((2.0 - offset) / gain)
    # 7919 n mod 2^18 == code
    n = next(n for n in range(30000) if abs(n * 7919 % 2 ** 18 - code) < 4)
    line = herd("export", "-s", f"{n * 1e-5:.5f}", "-e", f"{(n + 1) * 1e-5:.5f}", path)
    row = line.stdout.splitlines()[1].split(",")
    with h5py.File(path, "r") as file:
        raw = int(file["data/voltage"][n])
    assert float(row[2]) == raw * gain + offset and abs(float(row[2]) - 2.0) <= 4 * gain
    assert int(row[0]) == T_NS + n * 10000


def test_two_volts_are_two_volts_at_every_rate():
    gain, offset = 1.953125e-05, -1e-3
    code = round((2.0 - offset) / gain)
    for rate in (10, 100, 1000, 100000):
        path = make(f"two_at_{rate}", "samples=300000", f"code={code}", f"rate={rate}")

        def near(volts):
            return np.all(np.abs(np.asarray(volts) - 2.0) <= gain)
        with h5py.File(path, "r") as file:
            data = file["data/voltage"]
            assert len(data) == 3 * rate and data.attrs["gain"] == gain
            assert near(data[:] * data.attrs["gain"] + data.attrs["offset"]), rate
            for level in file["overview/voltage"].values():
                for name in ("minimum", "mean", "maximum"):
                    attrs = level[name].attrs
                    assert near(level[name][:] * attrs["gain"] + attrs["offset"]), (rate, level)
        said = json.loads(herd("info", "--json", path).stdout)["voltage_V"]
        assert near([said[name] for name in ("minimum", "mean", "maximum")]), (rate, said)
        rows = herd("export", path).stdout.splitlines()[1:]
        assert len(rows) == 3 * rate and near([float(row.split(",")[2]) for row in rows]), rate
        herd("verify", path)


def test_export_writes_every_channel_at_full_rate():
    path = make("export", "samples=25000", "edges=100", "texts=3", "storage=1", "mode=emulate")
    out = os.path.join(TEMP.name, "all.csv")
    herd("export", "-o", out, path)
    table = np.loadtxt(out, delimiter=",", skiprows=1)
    with h5py.File(path, "r") as file:
        volts = file["data/voltage"][:] * file["data/voltage"].attrs["gain"] \
            + file["data/voltage"].attrs["offset"]
        assert np.allclose(table[:, 2], volts, rtol=0, atol=1e-9) and len(table) == 25000
        for channel, group in (("gpio", "gpio"), ("uart", "uart"), ("kernel", "kernel"),
                               ("sys_util", "sys_util"), ("ptp", "ptp"), ("pru_util", "pru_util"),
                               ("sync", "sync"), ("storage", "data_storage"),
                               ("overview/current/512", "overview/current/512")):
            lines = herd("export", "-c", channel, path).stdout.splitlines()
            assert len(lines) == len(file[group]["time"]) + 1, channel
    lines = herd("export", "-c", "gpio", "-s", "0.0001", "-e", "0.0002", path).stdout.splitlines()
    assert len(lines) == 1 + 20
    vcd = herd("export", "--vcd", path).stdout
    assert vcd.count("#") >= 100 and "$var wire 1 * pwr_good $end" in vcd
    assert "#495000" in vcd
    herd("export", "-c", "nothing", path, status=2)
    herd("export", "-s", "2", "-e", "1", path, status=2)


def test_an_open_log_is_closed_and_built():
    log = os.path.join(TEMP.name, "cut.rlog")
    subprocess.run([MAKE_LOG, log, "samples=50000", "cut=1"], check=True)
    with open(os.path.join(log, "000000.seg"), "r+b") as file:
        file.truncate(os.path.getsize(file.name) - 1000)
    herd("verify", log, status=1)
    herd("build", log, status=1)
    assert "repaired" in herd("verify", "--repair", log).stdout
    herd("verify", log)
    herd("build", log)
    path = os.path.join(TEMP.name, "cut.h5")
    assert not failures(path)
    with h5py.File(path, "r") as file:
        assert file.attrs["end_reason"] == "interrupted"
        assert 30000 <= len(file["data/time"]) <= 50000
        codes = file["data/voltage"][:30000].astype("i8")
        assert (((codes - np.arange(30000) * 7919) % 2 ** 18) < 16).all()


def test_names_that_are_taken_and_files_of_others():
    path = make("taken")
    herd("build", path.replace(".h5", ".rlog"), status=2)
    herd("build", "-f", path.replace(".h5", ".rlog"))
    herd("verify", __file__, status=2)
    herd("info", __file__, status=2)
    herd("verify", "nowhere.h5", status=2)
    with h5py.File(os.path.join(TEMP.name, "other.h5"), "w") as file:
        file["x"] = 1
    herd("verify", "other.h5", status=1)
    herd("info", "other.h5", status=2)


def main():
    failed = 0
    only = sys.argv[3:]
    for name, function in list(globals().items()):
        if name.startswith("test_") and (not only or name in only):
            try:
                function()
                print(f"ok: {name}")
            except Exception:
                failed += 1
                traceback.print_exc(file=sys.stdout)
                print(f"FAILED: {name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
