#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What nodes are made of, whether they are fit, their lights, and what their clocks do."""
import csv
import os
import signal

import yaml

import harness
from harness import Flock, wait_for
from test_commands import give_key

LIMIT_S = 180
HARVEST = {"name": "long", "duration": "60 s", "defaults": {"mode": "harvest"}}


def test_inventorize_tells_what_the_system_says():
    with Flock(2) as flock:
        done = flock.herd("inventorize", "--json")
        assert done.status == 0, str(done)
        assert [line["node"] for line in done.lines()] == flock.names
        facts = done.lines()[0]
        assert facts["kernel"] == os.uname().release and facts["architecture"] == os.uname().machine
        assert facts["n_processors"] == os.cpu_count() and facts["board"] == "sim", facts
        with open("/proc/meminfo", encoding="utf-8") as file:
            assert facts["memory_bytes"] == int(file.readline().split()[1]) * 1024
        names = [link["name"] for link in facts["links"]]
        assert "lo" not in names and set(names) <= set(os.listdir("/sys/class/net")), names
        for disk in facts["disks"]:
            assert os.path.exists(f"/sys/block/{disk['name']}") and disk["size_bytes"] > 0, disk
        assert facts["data_free_bytes"] > 0 and facts["data_filesystem"], facts
        path = os.path.join(flock.folder, "made-of.yml")
        done = flock.herd("inventorize", "sheep1", "-o", path)
        assert done.status == 0, str(done)
        with open(path, encoding="utf-8") as file:
            content = yaml.safe_load(file)
        assert list(content) == ["sheep1"] and content["sheep1"]["kernel"] == facts["kernel"]
        flock.kill("sheep1")
        done = flock.herd("inventorize", "-t", "1")
        assert done.status == 1 and "sheep1: no answer" in done.err and "sheep0" in done.out
        flock.kill("sheep0")
        assert flock.herd("inventorize", "-t", "1").status == 3


def test_an_observer_may_look_but_not_blink():
    with Flock(1) as flock:
        key = give_key(flock, "guest", "observer")
        wait_for("the key is known", lambda: flock.herd("alive", "-k", key, "-t", "1").status == 0)
        assert flock.herd("-k", key, "inventorize").status == 0
        done = flock.herd("-k", key, "blink", "sheep0")
        assert done.status == 1 and "not allowed to observer" in done.err, str(done)


def test_blink_needs_lights_and_somebody_meant():
    with Flock(2) as flock:
        done = flock.herd("blink", "--all")
        assert done.status == 1, str(done)
        assert "sheep[0-1] (2): refused: a simulated board has no lights" in done.err, str(done)
        assert flock.herd("blink").status == 2
        done = flock.herd("blink", "-d", "often", "sheep0")
        assert done.status == 2 and "duration" in done.err, str(done)


def unlocked(name, config):
    if name == "sheep1":
        config.setdefault("clock", {}).update(locked=False)
    if name == "sheep2":
        config.setdefault("clock", {}).update(offset_us=5e6)


def test_preflight_finds_what_would_spoil_a_run():
    with Flock(4, change=unlocked) as flock:
        done = flock.herd("preflight", "-m", "20000")
        assert done.status == 1, str(done)
        faults = [line for line in done.out.splitlines() if line.startswith("fault")]
        assert any("sheep1 (1): its clock is not locked" in line for line in faults), str(done)
        assert any("sheep2 (1): its clock is proven off" in line for line in faults), str(done)
        assert not any("sheep0" in line or "sheep3" in line for line in faults), str(done)
        done = flock.herd("preflight", "-m", "20000", "sheep[0,3]")
        assert done.status == 0, str(done)
        done = flock.herd("preflight", "--free", "900TB", "sheep0", "-m", "20000", "--json")
        assert done.status == 1 and done.lines()[0]["fit"] is False, str(done)
        assert any("900 TB are wanted" in finding["text"] and finding["is_fault"]
                   for finding in done.lines()[0]["findings"]), str(done)
        flock.kill("sheep3")
        done = flock.herd("preflight", "-t", "1", "-m", "20000", "sheep[0,3]")
        assert done.status == 1 and "fault    sheep3 (1): no answer" in done.out, str(done)


def test_preflight_names_who_uses_a_node():
    with Flock(1) as flock:
        run = flock.spawn("run", flock.experiment(HARVEST), "-o", flock.results, "--json")

        def is_started():
            with open(run.log, encoding="utf-8") as file:
                return '"started"' in file.read()
        wait_for("it runs", is_started, 20)
        done = flock.herd("preflight", "-m", "20000")
        assert done.status == 1 and "in use by herd for experiment long" in done.out, str(done)
        run.send_signal(signal.SIGINT)
        assert run.wait(30) == 130


def test_clocks_are_recorded_over_a_while():
    offsets = {"sheep0": 0, "sheep1": 3000, "sheep2": -1000}

    def change(name, config):
        config.setdefault("clock", {}).update(offset_us=offsets[name])
    with Flock(3, change=change) as flock:
        path = os.path.join(flock.folder, "clocks.csv")
        done = flock.herd("clock", "--record", "1 s", "--interval", "0.25", "-n", "4", "-o", path,
                          "--json")
        assert done.status == 0, str(done)
        with open(path, encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 4 * 3 and {row["node"] for row in rows} == set(flock.names), rows
        for line in done.lines():
            expected_ns = offsets[line["node"]] * 1000
            assert line["measurements"] == 4 and line["unlocked"] == line["silent"] == 0, line
            assert abs(line["mean_ns"] - expected_ns) < line["worst_bound_ns"] * 2 + 50_000, line
            assert line["least_ns"] <= line["mean_ns"] <= line["most_ns"], line
        again = flock.herd("clock", "--record", "1 s", "-o", path)
        assert again.status == 2 and "exists" in again.err.lower(), str(again)
        assert flock.herd("clock", "-o", path).status == 2
        assert flock.herd("clock", "--record", "soon").status == 2


def test_an_interrupt_ends_the_recording_and_it_concludes():
    with Flock(1) as flock:
        path = os.path.join(flock.folder, "clocks.csv")
        herd = flock.spawn("clock", "--record", "1h", "--interval", "0.2", "-n", "2", "-o", path)

        def has_rows():
            if not os.path.exists(path):
                return False
            with open(path, encoding="utf-8") as file:
                return file.read().count("sheep0") >= 3
        wait_for("three measurements", has_rows, 20)
        herd.send_signal(signal.SIGINT)
        assert herd.wait(10) == 0
        with open(herd.log, encoding="utf-8") as file:
            assert "every measurement is in" in file.read()


if __name__ == "__main__":
    harness.main(globals())
