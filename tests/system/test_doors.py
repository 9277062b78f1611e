#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Floods: connections that never speak, and bytes that are nothing. Who was inside stays served,
memory is bounded, and the controller gets in again within a second after."""
import os
import random
import resource
import socket
import time

import h5py

import harness
from harness import Flock
from test_wire import HELLO, Client

LIMIT_S = 180
FLOOD = 10000
SOURCES = 200


def memory_bytes(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def allow_files(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def connect_many(ports, count, n_sources):
    """As many silent connections as the other side takes, from so many addresses."""
    sockets = []
    for i in range(count):
        sock = socket.socket()
        sock.settimeout(0.2)
        try:
            sock.bind((f"127.0.1.{1 + i % n_sources}", 0))
            sock.connect(("127.0.0.1", ports[i % len(ports)]))
        except OSError:
            sock.close()
            continue
        sockets.append(sock)
    return sockets


def served(client, limit_s=1.0):
    begin = time.monotonic()
    answer = client.ask(HELLO, limit_s)
    assert answer and answer[1] == b"WELCOME", answer
    return time.monotonic() - begin


def silent_connections(n_sources):
    allow_files(FLOOD + 500)
    with Flock(1) as flock:
        port = flock.config("sheep0")["port"]
        herd = flock.spawn("run", flock.experiment({"name": "flood", "defaults": {
            "mode": "harvest", "harvester": {"inherit_from": "cv20"}}}), "-o", flock.results)
        harness.wait_for("it records", lambda: ": started, " in read(herd.log), 20)
        inside = Client(flock, "sheep0")
        served(inside, 5.0)
        pid = flock.processes["sheep0"].pid
        before = memory_bytes(pid)
        sockets = connect_many([port, port + 1], FLOOD, n_sources)
        try:
            slowest = max(served(inside) for _ in range(20))
            grown = memory_bytes(pid) - before
        finally:
            for sock in sockets:
                sock.close()
        assert grown < 200e6, grown
        begin = time.monotonic()
        done = flock.herd("alive", "-t", "5")
        assert done.status == 0, str(done)
        assert time.monotonic() - begin < 1.5 * harness.SLOWER, "a new connection after the flood"
        ring = flock.herd("status", "--json").lines()[0]["ring_fill_max_percent"]
        print(f"figure: {len(sockets)} connections from {n_sources}: slowest answer "
              f"{1e3 * slowest:.1f} ms, agent grew by {grown / 1e6:.1f} MB, the ring was {ring} % "
              "full at its most")
        assert flock.herd("stop").status == 0
        assert herd.wait(30) == 0, read(herd.log)
        with h5py.File(flock.file_of("sheep0"), "r") as file:
            assert len(file["gaps/first_sample"]) == 0
        assert flock.processes["sheep0"].poll() is None
        inside.close()


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def test_silent_connections_from_one_source_disturb_nobody():
    silent_connections(1)


def test_silent_connections_from_many_sources_disturb_nobody():
    silent_connections(SOURCES)


def test_bytes_that_are_nothing_are_nothing():
    noise = random.Random(2)
    with Flock(1) as flock:
        port = flock.config("sheep0")["port"]
        greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00CURVE" + bytes(15) + b"\x00" + bytes(31)
        for i in range(400):
            sock = socket.create_connection(("127.0.0.1", port + i % 2), timeout=5)
            try:
                if i % 3 == 0:  # a proper beginning, then noise where the handshake should be
                    sock.sendall(greeting)
                sock.sendall(noise.randbytes(noise.randrange(1, 5000)))
                if i % 5 == 0:
                    sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # already thrown out
            sock.close()
        done = flock.herd("alive", "-t", "5")
        assert done.status == 0, str(done)
        assert flock.processes["sheep0"].poll() is None
        lines = [line for line in flock.log("sheep0").splitlines() if "refused" in line]
        assert len(lines) < 50, "log lines are rate-limited"


def test_a_flood_of_strangers_with_keys_is_refused():
    """Complete handshakes with keys that nobody knows."""
    import zmq
    with Flock(1) as flock:
        inside = Client(flock, "sheep0")
        served(inside, 5.0)
        begin = time.monotonic()
        strangers = [Client(flock, "sheep0", zmq.curve_keypair()) for _ in range(100)]
        for stranger in strangers:
            try:
                stranger.socket.send_multipart(HELLO, zmq.NOBLOCK)
            except zmq.Again:
                pass  # refused already
        slowest = max(served(inside, 2.0) for _ in range(20))
        assert not any(stranger.socket.poll(0) for stranger in strangers)
        print(f"  100 strangers in {time.monotonic() - begin:.1f} s; slowest answer "
              f"{1e3 * slowest:.1f} ms")
        for stranger in strangers:
            stranger.close()
        inside.close()
        lines = [line for line in flock.log("sheep0").splitlines() if "refused" in line]
        assert 1 <= len(lines) < 50, lines


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    harness.main(globals())
