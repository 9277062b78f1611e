#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Long recordings with the real processes: two nodes, one harvests noise, the other emulates from
a harvest in the incumbent's layout (lzf), all monitors on, round after round; each log is gone from
its node when its file is proved. Memory and descriptors stay flat, every sample and stamp is right.

The boards run as fast as the recorders take samples; herd, agents, recorders, monitors, wire and
disk are those of a real run and keep real time. BW_SOAK lists the rounds by their seconds of data,
the longest is the length of the input; tests/nightly.sh makes a day of it, with an input of 10 h,
for which 40 GB of disk are needed."""
import glob
import os
import time

import h5py
import numpy

import harness
from harness import Flock, SAMPLE_RATE_HZ, wait_for

ROUNDS_S = [int(word) for word in os.environ.get("BW_SOAK", "300 300 300").split()]
LIMIT_S = 300
BUILD = "release"
MIB = 1024 * 1024
PIECE = 1000000  # samples that are looked at in one go
STEP_NS = 10000
HELD = 50  # samples of the input that are the same, so that 10 h fit on a disk
INPUT_MEMORY_S = 60
INPUT_MEMORY = INPUT_MEMORY_S * SAMPLE_RATE_HZ * 8
RECORD_MEMORY = 64 * MIB
BEYOND_LIMIT = 32 * MIB
GROWTH_LIMIT = 0.01
# Of what waits in an agent's sockets (herd's credit, 4 MiB) and in a recorder's buffers for edges
# (4 MB) a short run may not have touched the last page; and simulated boards lock no memory.
SLACK = 4 * MIB if sum(ROUNDS_S) < 4 * 3600 else 0
FILLING = 0.2  # of a round
RATE_LIMIT = 1e-9  # in virtual time nothing steers: the counter's rate is what was known at first
WARM = 0.4  # of all data: the first round, and what the second one finds anew
LOOK_S = 0.1
MAX_LOOKS = 5000  # of a round, about
MONITORS = {"system": "20 ms", "kernel": True, "time": True, "sheep": True,
            "uart": {"baudrate": 115200}}


def fast_and_noisy(name, config):
    config.setdefault("sim", {}).update(speed="fast", truth=False, noise_lsb_rms=2)


def write_input(path, seconds):
    """A harvest as the incumbent writes it; of its time, whose content nobody reads, the bytes are
    shuffled, or they would be most of the file."""
    rng = numpy.random.default_rng(4)
    with h5py.File(path, "w") as file:
        file.attrs["mode"], file.attrs["hostname"] = "harvester", "sheep9"
        data = file.create_group("data")
        data.attrs["datatype"], data.attrs["window_samples"] = "ivsample", 0
        traces = {}
        for name, dtype, gain in (("time", "u8", 1e-9), ("voltage", "u4", 1e-6),
                                  ("current", "u4", 1e-9)):
            traces[name] = data.create_dataset(
                name, (seconds * SAMPLE_RATE_HZ,), dtype, chunks=(10000,), maxshape=(None,),
                compression="lzf", shuffle=name == "time")
            traces[name].attrs["gain"], traces[name].attrs["offset"] = gain, 0
        for first in range(0, seconds * SAMPLE_RATE_HZ, PIECE):
            piece = slice(first, min(first + PIECE, seconds * SAMPLE_RATE_HZ))
            count = piece.stop - first
            traces["time"][piece] = (numpy.arange(first, piece.stop, dtype="u8") * STEP_NS
                                     + 1_700_000_000_000_000_000)
            for name, low, high in (("voltage", 1000000, 3000000), ("current", 100000, 3000000)):
                values = rng.integers(low, high, count // HELD, dtype="u4")
                traces[name][piece] = numpy.repeat(values, HELD)


def resident(pid):
    """Bytes of a process, and those of them that are rings, queue or read-ahead."""
    total = buffers = size = 0
    where = []
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as file:
        for line in file:
            words = line.split()
            if "-" in words[0] and not words[0].endswith(":"):
                where = words
                size = int(words[0].split("-")[1], 16) - int(words[0].split("-")[0], 16)
            elif words[0] == "Rss:":
                rss = int(words[1]) * 1024
                total += rss
                is_ring = len(where) > 5 and where[1] == "rw-s" and where[5] == "/dev/zero"
                if is_ring or 0 <= size - RECORD_MEMORY < MIB or 0 <= size - INPUT_MEMORY < MIB:
                    buffers += rss
    return total, buffers


def growth(points):
    """Over the whole run, by a line through all points, as a part of the mean."""
    x, y = numpy.array(points, dtype=float).T
    return numpy.polyfit(x - x.mean(), y, 1)[0] * (x.max() - x.min()) / y.mean()


def count_descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Watch:
    """What the processes of one node take, by the bytes that its logs have got so far."""

    def __init__(self, flock, name):
        self.flock, self.name = flock, name
        self.pids = {"agent": flock.processes[name].pid}
        self.points = {"agent": [], "recorder": []}  # (bytes of logs, memory, descriptors)
        self.idle = []
        self.beyond = self.logged = self.n_rounds = 0
        self.round = []

    def log_bytes(self):
        paths = glob.glob(self.flock.data(self.name, "recordings", "*.rlog", "*.seg"))
        return sum(os.path.getsize(path) for path in paths)

    def look(self):
        """While it records."""
        size = self.log_bytes()
        has_ended = self.flock.log(self.name).count(" ended: ") > self.n_rounds
        if size == 0 or has_ended or (self.round and size <= self.round[-1][0]):
            return
        if "recorder" not in self.pids:
            self.pids["recorder"] = self.flock.recorder_pid(self.name)
        beyond, taken = 0, {}
        for kind, pid in self.pids.items():
            total, buffers = resident(pid)
            beyond += total - buffers
            taken[kind] = (total - buffers, count_descriptors(pid))
        self.beyond = max(self.beyond, beyond)
        self.round.append((size, taken))

    def count_all(self):
        return [count_descriptors(pid) for pid in self.pids.values()]

    def end_round(self):
        """The node is idle again. Its recorder's buffers are new in each round, touched in the
        first part of it, and may be gone at the last look: neither is growth."""
        assert self.round, f"the recording of {self.name} was too short to look at it"
        assert self.flock.recorder_pid(self.name) == self.pids["recorder"]
        for size, taken in self.round[:-1]:
            if size > FILLING * self.round[-1][0]:
                for kind, (total, count) in taken.items():
                    self.points[kind].append((self.logged + size, total, count))
        self.logged += self.round[-1][0]
        self.n_rounds += 1
        self.round = []
        if not self.idle:
            self.idle = self.count_all()
        wait_for(f"{self.name} gives its descriptors back", lambda: self.count_all() == self.idle)

    def check(self):
        for kind, points in self.points.items():
            warm = [point for point in points if point[0] >= WARM * self.logged]
            counts = [point[2] for point in warm]
            grown = growth([point[:2] for point in warm])
            print(f"figure: {kind} of {self.name}: {warm[-1][1] / MIB:.1f} MiB beside the buffers, "
                  f"{100 * grown:+.2f} % over the run by {len(warm)} points, "
                  f"{min(counts)} to {max(counts)} descriptors")
            assert len(warm) >= 5, f"{len(warm)} points are not enough"
            assert grown < GROWTH_LIMIT + SLACK / warm[-1][1], warm
            half = len(warm) // 2
            assert numpy.median(counts[half:]) <= numpy.median(counts[:half]), counts
        print(f"figure: {self.name}: {self.beyond / MIB:.1f} MiB beyond rings, record.memory "
              "and input.memory at most")
        assert self.beyond < BEYOND_LIMIT


def check_file(path, seconds, monitors):
    """Every sample is there, at its instant; the monitors' rows are in order."""
    n_samples = seconds * SAMPLE_RATE_HZ
    with h5py.File(path) as file:
        data = file["data"]
        start_ns = int(file["sync"].attrs["T_ns"])
        assert file.attrs["n_gap_samples"] == 0 and len(file["gaps/first_sample"]) == 0
        for name in ("time", "voltage", "current"):
            assert len(data[name]) == n_samples, (name, len(data[name]))
        for first in range(0, n_samples, PIECE):
            wanted = start_ns + STEP_NS * numpy.arange(first, min(first + PIECE, n_samples))
            assert numpy.array_equal(data["time"][first:first + PIECE], wanted.astype("u8")), first
        sync = file["sync"]
        exact = start_ns + STEP_NS * sync["sample"][:].astype("i8")
        assert len(exact) >= seconds - 1
        assert numpy.array_equal(sync["utc"][:].astype("i8") - exact, sync["residual"][:])
        print(f"figure: {os.path.basename(path)}: anchors at most "
              f"{numpy.abs(sync['residual'][:]).max()} ns off", flush=True)
        assert numpy.abs(sync["residual"][:]).max() <= 100 + RATE_LIMIT * seconds * 1e9
        for monitor in monitors:
            stamps = file[monitor]["time"][:].astype("i8")
            assert len(stamps) > 0 and (numpy.diff(stamps) >= 0).all(), monitor


def run_round(flock, watches, seconds):
    """One recording of all nodes, its files proved and then removed."""
    path = flock.experiment({
        "name": "soak", "duration": f"{seconds} s", "defaults": {"log": MONITORS},
        "nodes": {"sheep0": {"mode": "harvest", "harvester": {"inherit_from": "cv20"}},
                  "sheep1": {"mode": "emulate", "input": os.path.join(flock.folder, "input.h5"),
                             "source": {"inherit_from": "BQ25570s"}}}})
    begin = time.monotonic()
    herd = flock.spawn("run", path, "-o", flock.results)
    herd_most = 0
    while herd.poll() is None:
        herd_most = max(herd_most, resident(herd.pid)[0])
        for watch in watches:
            watch.look()
        time.sleep(max(LOOK_S, (time.monotonic() - begin) / MAX_LOOKS))
    print(f"figure: {seconds} s of data of two nodes recorded in {time.monotonic() - begin:.0f} s, "
          f"herd took {herd_most / MIB:.1f} MiB at most", flush=True)
    with open(herd.log, encoding="utf-8") as file:
        text = file.read()
    assert herd.returncode == 0, text
    for watch in watches:
        assert watch.log_bytes() == 0, f"the log of {watch.name} is still there"
        watch.end_round()
        for words in (("verify",), ("info",)):
            shown = flock.herd(*words, flock.file_of(watch.name), limit_s=3600)
            assert shown.status == 0, str(shown)
    check_file(flock.file_of("sheep0"), seconds, ("sys_util", "sheep"))
    check_file(flock.file_of("sheep1"), seconds, ("sys_util", "sheep", "uart"))
    for path in flock.files("*"):
        os.unlink(path)


def test_neither_memory_nor_descriptors_grow_and_every_stamp_is_exact():
    begin = time.monotonic()
    with Flock(2, change=fast_and_noisy) as flock:
        write_input(os.path.join(flock.folder, "input.h5"), max(ROUNDS_S))
        watches = [Watch(flock, name) for name in flock.names]
        for seconds in ROUNDS_S:
            run_round(flock, watches, seconds)
        for watch in watches:
            watch.check()
        print(f"figure: {sum(ROUNDS_S)} s of data of two nodes in {len(ROUNDS_S)} rounds, all "
              f"in {time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    harness.main(globals())
