#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A link that is pulled, and a herd that is killed, while a recording is fetched: the result is
the same, and hardly a byte comes twice. BW_CUT_MB is the size of the recording."""
import json
import os
import random
import signal
import subprocess
import time

import h5py
import numpy

import harness
from harness import Flock, support, wait_for
from link import Link

LIMIT_S = 240
MAKE_LOG = os.path.join(harness.BUILD, "tests", "make_log")
LOG = "made_2026-11-28T06-40-00Z_sheep0"
MEGABYTES = int(os.environ.get("BW_CUT_MB", "12"))
WINDOW = 4 * 1024 * 1024  # COLLECT_CREDIT
OVERHEAD = 1.08  # headers of TCP, IP, ZMTP and CURVE
FLIGHT = 64 * 1024  # what TCP may send again after a cut
PIECE = 256 * 1024  # a message that a killed herd has in part is lost to it
SLOW_MBIT, FAST_MBIT = 6, 1000


class Scene:
    """A node that holds a recording behind a slow link, and what its file must contain."""

    def __init__(self, link):
        self.link = link
        self.flock = Flock(1, start=False)
        link.join(self.flock)
        folder = self.flock.data("sheep0", "recordings", LOG + ".rlog")
        os.makedirs(os.path.dirname(folder))
        subprocess.run([MAKE_LOG, folder, f"samples={MEGABYTES * 125000}", "noise=18",
                        "compression=0"], check=True)
        self.size = sum(os.path.getsize(os.path.join(folder, name))
                        for name in os.listdir(folder) if name.endswith(".seg"))
        self.wanted = os.path.join(self.flock.folder, "wanted.h5")
        built = self.flock.herd("build", folder, "-o", self.wanted, inventory=False)
        assert built.status == 0, str(built)
        self.flock.start("sheep0")
        link.rate(SLOW_MBIT)
        self.at_start = link.received()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.flock.__exit__(kind, value, trace)

    def retrieve(self):
        return self.flock.spawn("retrieve", "-o", self.flock.results, "--json")

    def bytes_here(self):
        """Of the copy as far as it has come."""
        where = os.path.join(self.flock.results, ".bellwether")
        return sum(os.path.getsize(os.path.join(path, name))
                   for path, _, names in os.walk(where) for name in names
                   if name.endswith(".seg"))

    def finish(self, herd):
        """Lets the rest through; what the last herd said. The file must be as it was made."""
        self.link.rate(FAST_MBIT)
        status = herd.wait(60)
        with open(herd.log, encoding="utf-8") as file:
            text = file.read()
        assert status == 0, text
        report = json.loads(text.splitlines()[0])
        assert report["is_released"] and report["bytes"] == self.size, report
        assert support("h5_check.py", report["file"]).status == 0
        with h5py.File(os.path.join(self.flock.folder, report["file"])) as got, \
                h5py.File(self.wanted) as wanted:
            names = []
            wanted.visititems(lambda name, item: names.append(name)
                              if isinstance(item, h5py.Dataset) else None)
            assert "data/voltage" in names
            for name in names:
                assert numpy.array_equal(got[name][()], wanted[name][()]), name
        return report

    def wire_bytes(self):
        return self.link.received() - self.at_start


def test_100_pulled_cables_change_nothing_and_no_byte_comes_twice():
    rng = random.Random(4)
    with Link() as link, Scene(link) as scene:
        herd = scene.retrieve()
        wait_for("bytes flow", lambda: scene.bytes_here() > 0, 20)
        begin = time.monotonic()
        for cut in range(100):
            link.pull()
            # One outage is long enough for both ends to ask what became of the rest.
            time.sleep(5 if cut == 60 else rng.uniform(0.01, 0.06))
            link.plug()
            time.sleep(rng.uniform(0.05, 0.35))
        seconds = time.monotonic() - begin
        assert herd.poll() is None, "the recording was too small: it came between the cuts"
        report = scene.finish(herd)
        wire = scene.wire_bytes()
        print(f"figure: {scene.size} B in 100 cuts ({seconds:.0f} s): {report['bytes_repeated']} B "
              f"came twice, {wire} B on the wire")
        assert report["bytes_received"] - report["bytes_repeated"] == scene.size, report
        assert report["bytes_repeated"] <= WINDOW, report
        assert wire <= scene.size * OVERHEAD + 100 * FLIGHT, wire


def test_20_killed_herds_change_nothing_and_no_byte_comes_twice():
    rng = random.Random(5)
    with Link() as link, Scene(link) as scene:
        for _ in range(20):
            before = scene.bytes_here()
            herd = scene.retrieve()
            wait_for("bytes flow", lambda before=before: scene.bytes_here() > before, 20)
            time.sleep(rng.uniform(0, 0.15))
            assert herd.poll() is None, "the recording was too small: it came between the kills"
            herd.send_signal(signal.SIGKILL)
            herd.wait()
        before = scene.bytes_here()
        report = scene.finish(scene.retrieve())
        wire = scene.wire_bytes()
        print(f"figure: {scene.size} B over 21 herds: {report['bytes_received']} B by the last, "
              f"{wire} B on the wire")
        assert report["bytes_received"] - report["bytes_repeated"] == scene.size - before, report
        assert wire <= scene.size * OVERHEAD + 20 * (PIECE + FLIGHT), wire


if __name__ == "__main__":
    harness.main(globals())
