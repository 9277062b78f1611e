#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A cut of power at any moment costs no more than what came since the last completed sync.

    test_power_cut.py MAKE_LOG HERD CUTSHIM [CUTS]

A log is written under a shim that notes every write and sync. Then, at CUTS seeded points, the disk
is put together as the cut could have left it: what was synced is there; of what was not, any 512-byte
sector may be there or not, and the file's length may be anything between. Recovery must then give a
log that verifies and begins with every byte that was synced.
"""
import os
import random
import shutil
import subprocess
import sys
import tempfile

MAKE_LOG, HERD, SHIM = sys.argv[1:4]
CUTS = int(sys.argv[4]) if len(sys.argv) > 4 else 1000
SECTOR = 512
LOG = "cut.rlog"


def record(root, journal, *plan):
    env = dict(os.environ, LD_PRELOAD=preload(), CUT_ROOT=root, CUT_JOURNAL=journal)
    subprocess.run([MAKE_LOG, os.path.join(root, LOG), *plan], env=env, check=True, timeout=300)


def preload():
    """A sanitizer's runtime must stay the first library."""
    listed = subprocess.run(["ldd", MAKE_LOG], capture_output=True, text=True, check=True).stdout
    first = [line.split("=>")[1].split()[0] for line in listed.splitlines() if "asan" in line]
    return ":".join(first + [SHIM])


def read_journal(path):
    """Steps (kind, offset, size, path, data)."""
    steps = []
    with open(path, "rb") as file:
        content = file.read()
    at = 0
    while at < len(content):
        end = content.index(b"\n", at)
        kind, offset, size, name = content[at:end].decode().split(" ", 3)
        at = end + 1
        data = None
        if kind == "W":
            data = content[at:at + int(size)]
            at += int(size)
        steps.append((kind, int(offset), int(size), name, data))
    return steps


class File:
    """What is durable of a file, and what is only in the machine's memory."""

    def __init__(self):
        self.durable = b""
        self.now = bytearray()
        self.dirty = []  # (from, to) written since the last sync
        self.is_linked = False  # its folder was synced since it was made

    def write(self, offset, data):
        if len(self.now) < offset:
            self.now.extend(bytes(offset - len(self.now)))
        self.now[offset:offset + len(data)] = data
        self.dirty.append((offset, offset + len(data)))

    def sync(self):
        self.durable = bytes(self.now)
        self.dirty = []

    def after_cut(self, chance):
        """Content that a disk may show: sectors come in any order."""
        # whole sectors, or up to the very byte
        length = chance.randint(len(self.durable), len(self.now))
        if chance.random() < 0.5:
            length = min(len(self.now), -(-length // SECTOR) * SECTOR)
        content = bytearray(self.durable[:length])
        content.extend(bytes(length - len(content)))
        share = chance.choice((0.0, 0.5, 0.95, 1.0))
        for begin, end in self.dirty:
            for sector in range(begin // SECTOR, -(-end // SECTOR)):
                if chance.random() < share:
                    low, high = max(begin, sector * SECTOR), min(end, (sector + 1) * SECTOR, length)
                    content[low:high] = self.now[low:high] if high > low else b""
        return bytes(content[:length])


class Disk:
    """Plays the journal up to a step."""

    def __init__(self):
        self.files = {}
        self.folders = {}  # path -> durable
        self.step_of_sync = 0

    def play(self, step):
        kind, offset, size, path, data = step
        if kind == "M":
            self.folders[path] = False
        elif kind == "C":
            self.files[path] = File()
        elif kind == "W":
            self.files.setdefault(path, File()).write(offset, data)
        elif kind == "T":
            file = self.files.setdefault(path, File())
            del file.now[offset:]
        elif kind == "U":
            self.files.pop(path, None)
        elif kind == "R":
            source, target = path[:offset], path[offset:offset + size]
            self.files[target] = self.files.pop(source)
            self.files[target].is_linked = False
        elif kind == "S":
            self.sync(path)

    def sync(self, path):
        path = os.path.normpath(path)
        if path in self.files:
            self.files[path].sync()
            return
        for name, file in self.files.items():
            if os.path.dirname(name) == path:
                file.is_linked = True
        for name in self.folders:
            if os.path.dirname(name) == path:
                self.folders[name] = True

    def cut(self, chance, target):
        """Writes what the disk shows after a cut into `target`."""
        for path, file in self.files.items():
            if not file.is_linked and chance.random() < 0.5:
                continue
            place = os.path.join(target, os.path.basename(path))
            with open(place, "wb") as out:
                out.write(file.after_cut(chance))


def segments(folder):
    return sorted(name for name in os.listdir(folder) if name.endswith(".seg"))


def joined(folder):
    content = b""
    for name in segments(folder):
        with open(os.path.join(folder, name), "rb") as file:
            content += file.read()
    return content


def common_length(one, other):
    """How many bytes are the same from the beginning on."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def check(disk, whole, chance, where, number):
    """One cut: rebuild, recover, compare."""
    target = os.path.join(where, f"cut{number}.rlog")
    os.mkdir(target)
    disk.cut(chance, target)
    begun = disk.files.get(os.path.join(where, LOG, "000000.seg"))
    if begun is None or not begun.is_linked or not begun.durable:
        shutil.rmtree(target)
        return "nothing was promised"
    done = subprocess.run([HERD, "verify", "--repair", "-q", target], capture_output=True, text=True,
                          check=False, timeout=100)
    assert done.returncode == 0, (number, done.stderr)
    synced = sum(len(file.durable) for name, file in disk.files.items() if name.endswith(".seg"))
    found = joined(target)
    kept = common_length(found, whole)
    assert kept >= synced, f"cut {number}: {synced} bytes were synced, {kept} are left"
    # behind the kept bytes: gaps and the END that recovery wrote, and no more
    assert len(found) - kept < 600, (number, len(found), kept)
    shutil.rmtree(target)
    return "recovered"


def run(where, cuts, seed, near=None, plan=()):
    journal = os.path.join(where, "journal")
    record(where, journal, *plan)
    steps = read_journal(journal)
    whole = joined(os.path.join(where, LOG))
    chance = random.Random(seed)
    low, high = near(steps) if near else (0, len(steps))
    points = sorted(chance.randint(low, high) for _ in range(cuts))
    outcomes = {}
    disk, played = Disk(), 0
    for number, point in enumerate(points):
        while played < point:
            disk.play(steps[played])
            played += 1
        outcome = check(disk, whole, chance, where, number)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    print(f"{len(steps)} writes and syncs, {len(whole)} bytes, cuts: {outcomes}")
    assert outcomes.get("recovered", 0) > cuts * 0.6, outcomes


def at_the_second_segment(steps):
    """Around the first byte of the second segment."""
    first = next(i for i, step in enumerate(steps) if step[0] == "W" and "000001.seg" in step[3])
    return max(0, first - 12), min(len(steps), first + 12)


def main():
    big = max(5, CUTS // 40)
    with tempfile.TemporaryDirectory(prefix="bw-cut-") as where:
        run(where, CUTS - big, 1, plan=("samples=300000", "noise=16", "sync=10000", "edges=3000",
                                        "texts=20"))
    with tempfile.TemporaryDirectory(prefix="bw-cut-") as where:
        run(where, big, 2, near=at_the_second_segment,
            plan=("samples=9000000", "compression=0", "sync=100000"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
