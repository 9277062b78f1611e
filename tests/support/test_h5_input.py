#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Harvests as the incumbent writes them, with h5py, become input streams; others are refused.

    test_h5_input.py DECODE_INPUT
"""
import json
import os
import subprocess
import sys
import tempfile
import traceback

import h5py
import numpy as np

DECODE = sys.argv[1]
COUNT = 43_210


class Folder:
    """A folder for one test, and decoding in it."""

    def __init__(self):
        self.temp = tempfile.TemporaryDirectory(prefix="bw-input-")
        self.path = os.path.join(self.temp.name, "a.h5")

    def decode(self):
        out = os.path.join(self.temp.name, "out.inp")
        done = subprocess.run([DECODE, self.path, out], capture_output=True, text=True,
                              check=False, timeout=60)
        if done.returncode != 0:
            return None, done.stderr
        pairs = np.fromfile(out + ".raw", dtype="<u4").reshape(-1, 2)
        return json.loads(done.stdout), pairs

    def refused(self, words):
        said, text = self.decode()
        assert said is None, f"accepted: {said}"
        assert words in text, text
        assert "signal" not in text and "HDF5-DIAG" not in text, text


def write(path, count=COUNT, dtype="<u4", gains=(2e-5, 3e-7), offsets=(-1e-3, 2e-6), mode="harvester",
          datatype="ivsample", window=0, config=None, seed=3, chunks=(10000,), trim=None, step=10000,
          **compression):
    random = np.random.default_rng(seed)
    voltage = random.integers(0, 2 ** 18, count).astype(dtype)
    current = (np.arange(count) // 3 % 2 ** 18).astype(dtype)
    with h5py.File(path, "w") as file:
        file.attrs["mode"] = mode
        file.attrs["hostname"] = "sheep3"
        data = file.create_group("data")
        data.attrs["datatype"] = datatype
        data.attrs["window_samples"] = window
        if config:
            data.attrs["config"] = config
        stamps = np.arange(count, dtype="u8") * step + 1_700_000_000_000_000_000
        for name, values, gain, offset in (("time", stamps, 1e-9, 0), ("voltage", voltage, gains[0],
                                           offsets[0]), ("current", current, gains[1], offsets[1])):
            made = data.create_dataset(name, data=values, chunks=chunks,
                                       maxshape=(None,) if chunks else None, **compression)
            made.attrs["gain"] = gain
            made.attrs["offset"] = offset
        if trim:
            trim(file)
    wanted = [np.clip(np.rint((values * gain + offset) * scale), 0, 2 ** 32 - 1).astype("u4")
              for values, gain, offset, scale in ((voltage.astype("f8"), gains[0], offsets[0], 1e6),
                                                  (current.astype("f8"), gains[1], offsets[1], 1e9))]
    return np.stack(wanted, axis=1)


def same(folder, wanted):
    said, pairs = folder.decode()
    assert said is not None, pairs
    assert said["samples"] == len(wanted)
    assert np.abs(pairs.astype("i8") - wanted.astype("i8")).max() <= 1, "off by more than rounding"
    assert (pairs != wanted).mean() < 1e-3
    return said


def test_every_compression_of_h5py_gives_the_same_stream():
    digests = set()
    for options in ({}, {"compression": "gzip", "compression_opts": 1}, {"compression": "lzf"},
                    {"compression": "lzf", "shuffle": True},
                    {"compression": "gzip", "shuffle": True, "compression_opts": 6}):
        folder = Folder()
        digests.add(same(folder, write(folder.path, **options))["digest"])
    folder = Folder()
    digests.add(same(folder, write(folder.path, chunks=None))["digest"])
    assert len(digests) == 1, digests


def test_lzf_that_does_not_shrink_and_chunks_that_are_missing():
    folder = Folder()

    def hole(file):
        file["data/current"].resize((COUNT + 25_000,))
        file["data/voltage"].resize((COUNT + 25_000,))
        file["data/time"].resize((COUNT + 25_000,))
        file["data/time"][COUNT:] = file["data/time"][COUNT - 1] + 10000 * np.arange(1, 25_001,
                                                                                   dtype="u8")
    wanted = write(folder.path, dtype="<u8", compression="lzf", trim=hole, offsets=(1e-3, 2e-6))
    rest = np.tile(np.array([[1000, 2000]], dtype="u4"), (25_000, 1))
    same(folder, np.concatenate([wanted, rest]))


def test_any_number_type_gain_and_chunk():
    for dtype in ("<u4", "<u8", "<i4", "<f8", "<f4", ">u4"):
        for options in ({"compression": "lzf", "chunks": (777,)}, {"chunks": (100_000,),
                                                                  "compression": "lzf"}):
            folder = Folder()
            same(folder, write(folder.path, dtype=dtype, gains=(1.9e-5, 1.1e-7), **options))


def test_values_saturate():
    folder = Folder()
    write(folder.path, gains=(1.0, 1.0), offsets=(-100.0, -5.0))
    said, pairs = folder.decode()
    assert said is not None, pairs
    assert pairs.min() == 0 and pairs.max() == 2 ** 32 - 1


def test_curves_keep_window_and_step():
    folder = Folder()
    write(folder.path, datatype="ivcurve", window=909,
          config="virtual_harvester:\n  voltage_step_mV: 5.5\n")
    said, _ = folder.decode()
    assert said["window"] == 909 and said["step_uV"] == 5500 and said["datatype"] == "ivcurve"
    folder = Folder()
    write(folder.path, datatype="ivsurface", window=10)
    with h5py.File(folder.path, "r+") as file:
        file["data/voltage"][:] = (np.arange(COUNT) % 10 * 250).astype("u4")
    said, _ = folder.decode()
    assert said["datatype"] == "ivcurve" and abs(said["step_uV"] - 250 * 2e-5 * 1e6) < 1e-6, said


def test_isc_voc_keeps_its_pairs():
    folder = Folder()
    said = same(folder, write(folder.path, datatype="isc_voc", window=2))
    assert said["datatype"] == "isc_voc" and said["window"] == 0, said


def test_what_is_no_input_is_refused_with_a_reason():
    cases = [
        ({"mode": "emulator"}, "mode is 'emulator'"),
        ({"datatype": "ivcurve", "window": 0}, "without a window"),
        ({"datatype": "nonsense"}, "'nonsense'"),
        ({"count": 0}, "no samples"),
        ({"step": 100_000}, "10 us are needed"),
        ({"gains": (0.0, 1e-9)}, "gain 0"),
        ({"gains": (float("nan"), 1e-9)}, "gain nan"),
        ({"trim": lambda file: file.__delitem__("data/voltage")}, "no /data/voltage"),
        ({"trim": lambda file: file["data/current"].attrs.__delitem__("gain")}, "no gain"),
        ({"trim": lambda file: file["data/current"].resize((COUNT - 1,))}, "differ in length"),
        ({"trim": lambda file: file.__delitem__("data")}, "datatype ''"),
    ]
    for options, words in cases:
        folder = Folder()
        write(folder.path, **options)
        folder.refused(words)
    folder = Folder()
    folder.refused("No such file")
    with open(folder.path, "w", encoding="utf-8") as file:
        file.write("not HDF5")
    folder.refused("not an HDF5 file")
    with h5py.File(folder.path, "w"):
        pass
    folder.refused("no recording")
    write(folder.path, compression="gzip")
    os.truncate(folder.path, os.path.getsize(folder.path) - 3000)
    folder.refused("damaged")
    folder.path = folder.temp.name
    folder.refused("not a file")


def test_damaged_files_never_crash():
    folder = Folder()
    write(folder.path, count=12_000, compression="lzf", shuffle=True)
    with open(folder.path, "rb") as file:
        sound = bytearray(file.read())
    random = np.random.default_rng(8)
    for _ in range(60):
        broken = bytearray(sound)
        for place in random.integers(0, len(sound), 30):
            broken[place] = random.integers(0, 256)
        with open(folder.path, "wb") as file:
            file.write(broken)
        said, text = folder.decode()
        assert said is not None or text.split(":")[0] in ("input", "corrupt"), text


def main():
    failed = 0
    for name, function in list(globals().items()):
        if name.startswith("test_"):
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
