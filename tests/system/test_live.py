#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The live view as a third party sees it: what a node publishes is what its file says later, and
only who is let in hears it."""
import json
import os
import signal
import struct
import time

import h5py
import numpy
import yaml
import zmq

import harness
from harness import Flock, wait_for
from test_commands import give_key

LIMIT_S = 120
BLOCK = struct.Struct("<IIQQ")  # stream, count, first sample, samples of an entry
VOLTAGE, CURRENT = 1, 2


def read_yaml(path):
    with open(path, encoding="utf-8") as file:
        return yaml.safe_load(file)


class Listener:
    """A SUB of a third party, with nothing of ours but the keys."""

    def __init__(self, flock, name, key_path=None, keys=None):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.SUB)
        self.socket.linger = 0
        own = read_yaml(key_path) if key_path else None
        self.socket.curve_serverkey = \
            read_yaml(os.path.join(flock.flock, name, "sheep.pub"))["public_key"].encode()
        self.socket.curve_publickey, self.socket.curve_secretkey = \
            keys or (own["public_key"].encode(), own["secret_key"].encode())
        self.socket.subscribe(b"BW1")
        self.socket.connect(f"tcp://127.0.0.1:{flock.config(name)['port'] + 2}")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.socket.close()
        self.context.term()

    def hear(self, limit_s=3.0):
        """Body and blocks of the next message, or None."""
        if not self.socket.poll(int(limit_s * 1000)):
            return None
        version, verb, token, body, payload = self.socket.recv_multipart()
        assert (version, verb, len(token)) == (b"BW1", b"LIVE", 32)
        blocks, at = [], 0
        while at < len(payload):
            stream, count, first, window = BLOCK.unpack_from(payload, at)
            at += BLOCK.size
            entries = numpy.frombuffer(payload, "<u4", 3 * count, at).reshape(count, 3)
            blocks.append((stream, first, window, entries))
            at += 12 * count
        assert at == len(payload)
        return yaml.safe_load(body), blocks


def check_entries(path, blocks):
    """Every entry that was heard is what the samples of the file say."""
    names = {VOLTAGE: "voltage", CURRENT: "current"}
    n_checked = 0
    with h5py.File(path) as file:
        for stream, first, window, entries in blocks:
            codes = file["data"][names[stream]][first:first + window * len(entries)]
            for i, (least, most, mean) in enumerate(entries):
                part = codes[i * window:(i + 1) * window].astype(numpy.int64)
                if len(part) == window:
                    assert (part.min(), part.max()) == (least, most), (stream, first, i)
                    assert abs(part.mean() - mean) <= 1, (stream, first, i)
                    n_checked += 1
    return n_checked


def test_what_is_heard_is_what_the_file_says():
    with Flock(1) as flock:
        source = {"name": "source", "duration": "4 s", "defaults": {
            "mode": "harvest", "harvester": {"inherit_from": "cv20"}}}
        assert flock.run(source).status == 0
        content = {"name": "seen", "duration": "4 s", "defaults": {
            "mode": "emulate", "input": flock.file_of("sheep0", "hrv_source"),
            "source": {"inherit_from": "direct"},
            "record": {"sync_interval": "500 ms", "gpio": "all"}}}
        with Listener(flock, "sheep0", os.path.join(flock.flock, "herd.key")) as listener:
            body, blocks = listener.hear()
            assert body["node"] == "sheep0" and body["state"] == "idle" and not blocks, body
            assert abs(body["utc_ns"] - time.time_ns()) < 3e9
            herd = flock.spawn("run", flock.experiment(content), "-o", flock.results)
            bodies, all_blocks = [], []
            while herd.poll() is None:
                said = listener.hear()
                assert said, "it fell silent"
                bodies.append(said[0])
                all_blocks += said[1]
        with open(herd.log, encoding="utf-8") as file:
            assert herd.returncode == 0, file.read()
        path = flock.file_of("sheep0", "emu_seen")
        n_checked = check_entries(path, all_blocks)
        # 4 s are 97 entries of each of two streams; what came in the first sync and the last
        # may be missed.
        assert n_checked > 110, n_checked
        measured = [body for body in bodies if body["has_voltage"]]
        assert measured and measured[-1]["experiment_name"] == "seen"
        with h5py.File(path) as file:
            data = file["data/voltage"]
            volts = data[:] * data.attrs["gain"] + data.attrs["offset"]
            assert volts.min() - 1e-3 <= measured[-1]["voltage_V"] <= volts.max() + 1e-3
            values = file["gpio/value"]
            assert len(values) > 10, "the target moves its pins"
            last = [body for body in bodies if body["has_gpio"]][-1]
            edges = file["gpio/time"][:]
            at = int(numpy.searchsorted(edges, last["gpio_ns"], "right")) - 1
            assert at >= 0 and int(values[at]) == last["gpio"], (at, last)


def test_only_who_is_let_in_hears_and_only_as_long():
    with Flock(1) as flock:
        with Listener(flock, "sheep0", keys=zmq.curve_keypair()) as stranger:
            assert stranger.hear(2.0) is None
        key = give_key(flock, "olga", "observer")
        wait_for("olga is known", lambda: flock.herd("alive", "-k", key, "-t", "1").status == 0)
        with Listener(flock, "sheep0", key) as olga:
            assert olga.hear(5.0)
            os.unlink(os.path.join(flock.flock, "sheep0", "authorized", "olga.pub"))
            time.sleep(2.0)
            while olga.hear(0.1):
                pass
            assert olga.hear(2.0) is None, "revoked, and hears on"


def test_watching_status_shows_voltage_and_current():
    with Flock(2) as flock:
        content = {"name": "seen", "duration": "6 s", "defaults": {
            "mode": "harvest", "harvester": {"inherit_from": "cv20"}}}
        herd = flock.spawn("run", flock.experiment(content), "-o", flock.results)
        watch = flock.spawn("status", "--watch", "--json")

        def lines():
            with open(watch.log, encoding="utf-8") as file:
                return [json.loads(line) for line in file if line.endswith("}\n")]
        wait_for("both nodes are seen measuring", lambda: {
            line["node"] for line in lines()
            if (line.get("live") or {}).get("voltage_V", 0) > 0.1} == {"sheep0", "sheep1"}, 20)
        watch.send_signal(signal.SIGINT)
        assert watch.wait(5) == 130
        assert herd.wait(30) == 0


if __name__ == "__main__":
    harness.main(globals())
