#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Checks that a recording is what Shepherd's reader and tools need, and what ours promise.

    h5_check.py FILE...

Prints every check that fails by its name and exits 1 then. H1..H9 are the reader's hard criteria,
S1..S7 its soft ones, of which S3 (length no multiple of a chunk), S5 (gzip above 1) and S7 (errors in
the node's log) may be a user's will and are only noted.
"""
import sys

import h5py
import numpy
import yaml

CHUNK = 10000
STEP_NS = 10000
MODES = {"harvester": {"ivsample", "ivcurve", "isc_voc", "ivtrace", "ivsurface"},
         "emulator": {"ivsample", "ivtrace"}}
TRACES = ("time", "voltage", "current")
GROUPS = ("gpio", "uart", "sheep", "kernel", "sys_util", "ptp", "phc2sys", "ntp", "pru_util",
          "system", "iio", "overview", "gaps", "sync", "integrity")
NOTES = {"S3", "S5", "S7"}
SYNC_ATTRIBUTES = ("T_ns", "start_error_ns", "start_bound_ns")


class Checker:
    """Collects the names of failed checks of one open file."""

    def __init__(self, file):
        self.file = file
        self.failed = []
        self.notes = []

    def check(self, name, holds, text=""):
        if not holds:
            (self.notes if name in NOTES else self.failed).append((name, text))
        return holds

    def run(self):
        if self.hard():
            self.soft()
            self.time()
            self.traces()
            self.config()
            self.gpio()
            self.gaps()
            self.sync()
        self.metadata()
        self.numbers()
        return self.failed

    # ---- what is_valid() asks

    def hard(self):
        root = self.file.attrs
        if not self.check("H1", "data" in self.file, "no group data"):
            return False
        data = self.file["data"]
        self.check("H2", "mode" in root, "no attribute mode")
        mode = root.get("mode")
        self.check("H3", isinstance(mode, str) and mode in MODES, f"mode {mode!r}")
        self.check("H4", "window_samples" in data.attrs, "no window_samples")
        self.check("H5", "datatype" in data.attrs, "no datatype")
        there = all(isinstance(data.get(name), h5py.Dataset) for name in TRACES)
        if not self.check("H6", there, "time, voltage and current must exist"):
            return False
        for name in TRACES:
            self.check("H7", "gain" in data[name].attrs and "offset" in data[name].attrs,
                       f"/data/{name} without gain or offset")
        datatype = data.attrs.get("datatype")
        self.check("H8", datatype in MODES.get(mode if isinstance(mode, str) else "", ()),
                   f"datatype {datatype!r} in mode {mode!r}")
        window = int(data.attrs.get("window_samples", 0))
        self.check("H9", datatype not in ("ivcurve", "ivsurface") or window >= 1,
                   f"ivcurve with window {window}")
        self.check("S1", datatype in ("ivcurve", "ivsurface") or window == 0,
                   f"window {window} although not ivcurve")
        return True

    # ---- what it warns about

    def soft(self):
        data = self.file["data"]
        length = len(data["time"])
        self.check("S2", all(len(data[name]) == length for name in TRACES), "unequal lengths")
        self.check("S3", length % CHUNK == 0, f"{length} samples are no whole chunks")
        for name in TRACES:
            self.check("S4", data[name].compression in (None, "gzip", "lzf"),
                       f"/data/{name}: {data[name].compression}")
            if data[name].compression == "gzip":
                self.check("S5", data[name].compression_opts <= 1, f"/data/{name}: gzip level")
        self.check("S6", isinstance(self.file.attrs.get("hostname"), str), "no hostname")
        if "level" in self.file.get("sheep", {}):
            errors = int((self.file["sheep/level"][:] >= 40).sum())
            self.check("S7", errors == 0, f"{errors} errors in the node's log")

    # ---- time

    def step_ns(self):
        """Of a row, which may stand for a window."""
        return STEP_NS * 100000 // int(self.file["data"].attrs.get("samplerate", 100000))

    def time(self):
        time = self.file["data/time"]
        step_ns = self.step_ns()
        stamps = time[:].astype("int64")
        starts = time[::CHUNK].astype("float64") * time.attrs.get("gain", 1)
        if len(starts) > 1:
            steps = set(numpy.round(numpy.diff(starts) / CHUNK, 6))
            self.check("check_timediffs", steps == {step_ns * 1e-9}, f"mean steps {sorted(steps)[:3]}")
        steps = numpy.unique(numpy.diff(stamps))
        self.check("step is exactly 10 us, or the window", len(stamps) < 2 or list(steps) == [step_ns],
                   f"steps {steps[:4]}")
        self.check("first stamp on the grid", len(stamps) == 0 or stamps[0] % STEP_NS == 0,
                   f"{stamps[:1]}")
        self.check("time is u64 nanoseconds", time.dtype == numpy.dtype("<u8")
                   and time.attrs.get("gain") == 1e-9 and time.attrs.get("offset") == 0.0,
                   f"{time.dtype}")

    # ---- voltage and current

    def traces(self):
        data = self.file["data"]
        for name in TRACES:
            trace = data[name]
            self.check("chunks of 10 000, unlimited", trace.chunks == (CHUNK,)
                       and trace.maxshape == (None,), f"/data/{name}: {trace.chunks}")
            self.check("unit and description", isinstance(trace.attrs.get("unit"), str)
                       and isinstance(trace.attrs.get("description"), str), f"/data/{name}")
        for name in ("voltage", "current"):
            trace = data[name]
            self.check("voltage and current are u32", trace.dtype == numpy.dtype("<u4"),
                       f"/data/{name}: {trace.dtype}")
            if trace.attrs.get("recorded", 1) == 0:
                self.check("a trace that is off has no chunk", trace.id.get_storage_size() == 0,
                           f"/data/{name}")
            else:
                self.chunks_and_gaps(name, trace)

    def chunks_and_gaps(self, name, trace):
        """Chunks that are not allocated are wholly listed as gaps."""
        missing = self.missing({"voltage": 1, "current": 2}[name], len(trace))
        for number in range(0, (len(trace) + CHUNK - 1) // CHUNK):
            is_there = True
            try:
                is_there = trace.id.get_chunk_info_by_coord((number * CHUNK,)).size > 0
            except (RuntimeError, ValueError, OSError):
                is_there = False
            lacks = missing[number * CHUNK:(number + 1) * CHUNK]
            self.check("a chunk is allocated unless it is a gap", is_there != bool(lacks.all()),
                       f"/data/{name}: chunk {number}")
        self.check("missing samples are 0", not trace[:][missing].any(), f"/data/{name}")

    def missing(self, stream, length):
        missing = numpy.zeros(length, dtype=bool)
        gaps = self.file.get("gaps", {})
        if "first_sample" in gaps:
            for first, count, cause, of in zip(gaps["first_sample"][:], gaps["n_samples"][:],
                                               gaps["cause"][:], gaps["stream"][:]):
                if cause != 4 and of in (0, stream):
                    missing[int(first):int(first + count)] = True
        return missing

    # ---- what tools look for beside

    def config(self):
        for where in ("/", "data"):
            text = self.file[where].attrs.get("config")
            if not self.check("config at / and /data", isinstance(text, str), where):
                continue
            try:
                parsed = yaml.safe_load(text)
            except yaml.YAMLError as why:
                parsed = None
                self.check("config is YAML", False, f"{where}: {why}")
            self.check("config is a map", isinstance(parsed, dict), where)
            if isinstance(parsed, dict) and self.file["data"].attrs.get("datatype") == "ivcurve":
                step = parsed.get("virtual_harvester", {}).get("voltage_step_mV")
                self.check("the step of curves is in config",
                           isinstance(step, (int, float)) and step > 0, f"{where}: {step}")

    def gpio(self):
        if "gpio/value" not in self.file:
            return
        value, time = self.file["gpio/value"], self.file["gpio/time"]
        try:
            names = yaml.safe_load(value.attrs["description"])
            named = all(isinstance(bit, int) and "name" in what for bit, what in names.items())
        except (KeyError, AttributeError, TypeError, yaml.YAMLError):
            named = False
        self.check("gpio bits have names", named, str(value.attrs.get("description"))[:80])
        self.check("gpio time and value are of one length", len(value) == len(time))
        self.check("gpio time rises", bool((numpy.diff(time[:].astype("int64")) >= 0).all()))
        self.check("gpio value is unsigned", value.dtype.kind == "u", str(value.dtype))

    def gaps(self):
        if not self.check("groups exist", all(name in self.file for name in GROUPS),
                          str([name for name in GROUPS if name not in self.file])):
            return
        gaps = self.file["gaps"]
        lengths = {len(gaps[name]) for name in ("first_sample", "n_samples", "cause", "stream")}
        self.check("gaps are complete rows", len(lengths) == 1, str(lengths))
        # Gaps count samples of 10 us, whatever a row is.
        length = int(self.file.attrs.get("n_samples", len(self.file["data/time"])))
        ends = gaps["first_sample"][:] + gaps["n_samples"][:]
        self.check("gaps lie in the recording", bool((ends <= length).all()), str(ends[:5]))

    def sync(self):
        attrs = self.file["sync"].attrs if "sync" in self.file else {}
        for name in SYNC_ATTRIBUTES:
            self.check("sync says when it started", name in attrs, name)
        if "T_ns" in attrs and len(self.file["data/time"]):
            self.check("sample 0 is T", int(self.file["data/time"][0]) == int(attrs["T_ns"]))

    # ---- traps of extract-meta

    def metadata(self):
        def visit(path, thing):
            for name, value in thing.attrs.items():
                where = f"{path}@{name}"
                self.check("attributes are scalars", numpy.ndim(value) == 0
                           and not isinstance(value, h5py.Empty), where)
                kind = thing.attrs.get_id(name).dtype
                if kind.kind in "SOU":
                    info = h5py.check_string_dtype(kind)
                    self.check("strings are of variable length",
                               info is not None and info.length is None, where)
                    self.string(where, value)
        visit("/", self.file)
        self.file.visititems(visit)

    def string(self, where, value):
        try:
            yaml.safe_load(value if isinstance(value, str) else "")
        except yaml.YAMLError as why:
            self.check("strings parse as YAML", False, f"{where}: {str(why)[:60]}")

    def numbers(self):
        """save_csv adds 1 where offset is missing, and needs description."""
        def visit(path, thing):
            if isinstance(thing, h5py.Dataset) and thing.dtype.kind in "iuf":
                missing = [name for name in ("gain", "offset", "unit", "description")
                           if name not in thing.attrs]
                self.check("numbers have a meaning", not missing, f"/{path}: no {missing}")
        self.file.visititems(visit)


def check_file(path):
    """Failed checks as (name, text); a file that does not open is one."""
    try:
        with h5py.File(path, "r") as file:
            checker = Checker(file)
            failed = checker.run()
            for name, text in checker.notes:
                print(f"note: {path}: {name}: {text}")
            return failed
    except OSError as why:
        return [("opens", str(why))]


def main():
    failed = 0
    for path in sys.argv[1:]:
        for name, text in check_file(path):
            print(f"FAILED {path}: {name}: {text}")
            failed += 1
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    print(f"{len(sys.argv) - 1} file(s), {failed} failed check(s)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
