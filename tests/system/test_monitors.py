#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Monitors beside samples: a log that floods costs no sample and is itself what gives way, the
target's bytes come unchanged, and all of it costs little."""
import os
import pty
import re
import subprocess
import threading
import time
import tty

import h5py

import harness
from harness import Flock, SAMPLE_RATE_HZ, wait_for
from test_wire import Client

LIMIT_S = 120
BUILD = "release"
MAKE_LOG = os.path.join(harness.BUILD, "tests", "make_log")
OLD_LOG = "made_2026-11-28T06-40-00Z_sheep0"
SECONDS = 8


class Uart:
    """What a target sends, over a pseudo terminal where a simulated board has its line."""

    def __init__(self, flock, lines_per_s):
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        os.makedirs(flock.data("sheep0", "state"), exist_ok=True)
        os.symlink(os.ttyname(slave), flock.data("sheep0", "state", "uart"))
        self.slave, self.lines_per_s = slave, lines_per_s
        self.sent, self.is_done = [], False
        self.thread = threading.Thread(target=self.send)

    def send(self):
        number = 0
        while not self.is_done:
            line = f"line {number}\xff\0\n".encode("latin-1")
            os.write(self.master, line)
            self.sent.append(line)
            number += 1
            time.sleep(1 / self.lines_per_s)

    def close(self):
        self.is_done = True
        self.thread.join()
        os.close(self.master)
        os.close(self.slave)


def own_uart(name, config):
    """The simulated board's own line goes elsewhere: ours is where the agent looks."""
    config.setdefault("sim", {})["uart_link"] = "elsewhere"


def thread_seconds(pid, name):
    """Processor time of the threads of that name."""
    total = 0.0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/comm", encoding="utf-8") as file:
                is_wanted = file.read().strip() == name
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="utf-8") as file:
                total += int(file.read().split()[0]) / 1e9 if is_wanted else 0
        except OSError:
            continue
    return total


def experiment(level, seconds=SECONDS):
    return {"name": "watched", "duration": f"{seconds} s", "defaults": {
        "mode": "harvest", "harvester": {"inherit_from": "cv20"},
        "log": {"system": "1 s", "kernel": True, "time": True, "sheep": True,
                "sheep_level": level, "uart": {"baudrate": 115200}}}}


def run_watched(flock, uart, level, meanwhile):
    """Runs; the share of a core that the monitors' thread took while it recorded."""
    pid = flock.processes["sheep0"].pid
    herd = flock.spawn("run", flock.experiment(experiment(level)), "-o", flock.results)
    wait_for("it records", lambda: any("bw-monitors" in open(
        f"/proc/{pid}/task/{task}/comm", encoding="utf-8").read()
        for task in os.listdir(f"/proc/{pid}/task")), 20)
    uart.thread.start()
    begin, before = time.monotonic(), thread_seconds(pid, "bw-monitors")
    while time.monotonic() - begin < SECONDS - 3:
        meanwhile()
    share = (thread_seconds(pid, "bw-monitors") - before) / (time.monotonic() - begin)
    uart.close()
    with open(herd.log, encoding="utf-8") as file:
        assert herd.wait(60) == 0, file.read()
    return share


def check_samples_and_bytes(flock, uart):
    verified = flock.herd("verify", flock.file_of("sheep0"))
    assert verified.status == 0, str(verified)
    with h5py.File(flock.file_of("sheep0")) as file:
        assert len(file["data/voltage"]) == SECONDS * SAMPLE_RATE_HZ
        assert file.attrs["n_gap_samples"] == 0
        got = bytes(file["uart/bytes"][:])
        levels = list(file["sheep/level"][:])
        assert got and got == b"".join(uart.sent), (len(got), len(b"".join(uart.sent)))
        assert len(file["sys_util/time"]) >= SECONDS - 1
        # What every machine has; temperatures and the like are not for a test of a virtual one.
        for name in ("cpu.agent", "cpu.recorder", "rss.agent", "rss.recorder"):
            assert len(file[f"system/{name}/value"]) >= SECONDS - 2, name
        rss = file["system/rss.agent/value"]
        assert rss[-1] * rss.attrs["gain"] > 1e6
        return levels


def test_all_monitors_cost_less_than_two_percent_of_a_core():
    with Flock(1, start=False, change=own_uart) as flock:
        uart = Uart(flock, 10)
        flock.start("sheep0")
        share = run_watched(flock, uart, "info", lambda: time.sleep(0.1))
        check_samples_and_bytes(flock, uart)
        print(f"figure: all monitors take {100 * share:.2f} % of a core")
        assert share < 0.02, share


def keep_old_log(flock):
    folder = flock.data("sheep0", "recordings", OLD_LOG + ".rlog")
    os.makedirs(os.path.dirname(folder))
    subprocess.run([MAKE_LOG, folder, "samples=1000"], check=True)


class Flood:
    """Clients who ask for a place that a log has not: the node says so in its own log, each time."""

    FETCH = [b"BW1", b"FETCH", bytes(24) + b"\1\0\0\0" + bytes(4),
             f"log: {OLD_LOG}\nsegment: 9\noffset: 0\ncredit_bytes: 1000\n".encode()]

    def __init__(self, flock):
        self.clients = [Client(flock, "sheep0", port=1) for _ in range(3)]  # the bulk port

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for client in self.clients:
            client.close()

    def send(self):
        for client in self.clients:
            for _ in range(10):
                client.socket.send_multipart(self.FETCH)
        time.sleep(0.02)


def test_a_flood_of_log_lines_costs_no_sample():
    with Flock(1, start=False, change=own_uart) as flock:
        keep_old_log(flock)
        uart = Uart(flock, 200)
        flock.start("sheep0")
        with Flood(flock) as flood:
            share = run_watched(flock, uart, "debug", flood.send)
        levels = check_samples_and_bytes(flock, uart)
        rate = len(levels) / (SECONDS - 3)
        print(f"figure: {rate:.0f} lines of the node's log a second beside the samples, "
              f"the monitors' thread takes {100 * share:.1f} %")
        assert rate > 1000, rate
        done = flock.herd("check", flock.experiment(experiment("debug")))
        assert done.status == 0 and "sheep_level debug" in done.err, str(done)
        done = flock.herd("check", flock.experiment(experiment("info")))
        assert done.status == 0 and "sheep_level debug" not in done.err, str(done)


def held_up(_, config):
    """The recorder stands still for 2 s: its ring holds the samples, its socket not the lines."""
    config["sim"].update(stall_at=SAMPLE_RATE_HZ, stall_ms=2000)


def test_lines_that_find_no_room_are_dropped_and_counted_but_no_sample():
    seconds = 5
    with Flock(1, start=False, change=held_up) as flock:
        keep_old_log(flock)
        flock.start("sheep0")
        herd = flock.spawn("run", flock.experiment(experiment("debug", seconds)), "-o",
                           flock.results)
        with Flood(flock) as flood:
            while herd.poll() is None:
                flood.send()
        with open(herd.log, encoding="utf-8") as file:
            assert herd.returncode == 0, file.read()
        with h5py.File(flock.file_of("sheep0")) as file:
            assert len(file["data/voltage"]) == seconds * SAMPLE_RATE_HZ
            assert file.attrs["n_gap_samples"] == 0
            said = str(file.attrs["remarks"])
            found = re.search(r"(\d+) records of monitors found no room", said)
            assert found and int(found.group(1)) > 100, said
            print(f"figure: {found.group(1)} records dropped, {len(file['sheep/level'])} lines kept "
                  "of a recorder that was held up for 2 s")


if __name__ == "__main__":
    harness.main(globals())
