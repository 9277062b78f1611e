#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""One node, spoken to word by word: repeats, guards, take-over, exact stops, resumed transfers, and
a recording that a flood does not disturb."""
import os
import socket
import struct
import subprocess
import sys
import time

import yaml
import zmq

import harness
from harness import Flock, SAMPLE_RATE_HZ, wait_for

sys.path.insert(0, harness.SUPPORT)
import log_oracle  # noqa: E402 (needs the path)

LIMIT_S = 200
ASAP = 2 ** 64 - 1


def key_file(path):
    with open(path, encoding="utf-8") as file:
        return yaml.safe_load(file)


class Controller:
    """A controller of its own: token, numbers and all."""

    def __init__(self, flock, name, port=0, like=None):
        config = flock.config(name)
        own = key_file(os.path.join(flock.flock, "herd.key"))
        server = key_file(os.path.join(flock.flock, name, "sheep.pub"))
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.identity = os.urandom(8).hex().encode()
        self.socket.curve_serverkey = server["public_key"].encode()
        self.socket.curve_publickey = own["public_key"].encode()
        self.socket.curve_secretkey = own["secret_key"].encode()
        self.socket.connect(f"tcp://127.0.0.1:{config['port'] + port}")
        self.seq = 0
        self.experiment = like.experiment if like else int.from_bytes(os.urandom(7), "little")
        self.controller = like.controller if like else time.time_ns()
        self.boot_id = like.boot_id if like else 0
        self.unasked = []
        if not like:
            self.hello()

    def send(self, verb, body=None, payload=None, seq=None):
        if seq is None:
            self.seq += 1
            seq = self.seq
        token = struct.pack("<QQQII", self.experiment, self.controller, self.boot_id, seq, 0)
        frames = [b"BW1", verb.encode(), token, yaml.safe_dump(body).encode() if body else b""]
        self.socket.send_multipart(frames + ([payload] if payload is not None else []))
        return seq

    def receive(self, limit_s=5.0):
        assert self.socket.poll(int(limit_s * 1000)), "no answer"
        frames = self.socket.recv_multipart()
        return (frames[1].decode(), yaml.safe_load(frames[3]) or {},
                struct.unpack("<QQQII", frames[2])[3], frames[4] if len(frames) > 4 else b"")

    def ask(self, verb, body=None, payload=None, seq=None):
        wanted = self.send(verb, body, payload, seq)
        while True:
            answer = self.receive()
            if answer[2] == wanted:
                return answer
            self.unasked.append(answer)

    def hello(self, take_over=False):
        answer = self.ask("HELLO", {"name": "tester", "version": "0", "take_over": take_over})
        self.boot_id = answer[1].get("boot_id", self.boot_id)
        return answer

    def prepare(self, flock, name="node", duration="10 s", seq=None):
        return self.ask("PREPARE", {"experiment_name": name, "log": name}, config(flock, duration),
                        seq)

    def go(self, flock, **more):
        """Prepares, arms and goes; T is soon."""
        answer = self.prepare(flock, **more)
        assert answer[0] == "READY", answer
        self.log = answer[1]["log"]
        T_ns = max(time.time_ns() + 10 ** 9, answer[1]["promise_ns"])
        answer = self.ask("ARM", {"T_ns": T_ns, "n": 1})
        assert answer[0] == "ARMED", answer
        answer = self.ask("GO", {"T_ns": T_ns, "n": 1})
        assert answer[0] == "GOING", answer
        return T_ns

    def state(self, seen=""):
        return self.ask("PING", {"t1_ns": time.time_ns(), "state": seen})[1]["state"]

    def wait_state(self, state, limit_s=10):
        wait_for(state, lambda: self.state() == state, limit_s)

    def ended(self):
        self.wait_state("done", 30)
        self.state("running")
        self.unasked.append(self.receive())
        return [word for word in self.unasked if word[0] == "ENDED"][-1][1]


def config(flock, duration):
    """What herd would send: the resolved configuration of a node."""
    path = flock.experiment({"name": "node", "duration": duration,
                             "defaults": {"mode": "harvest", "harvester": {"inherit_from": "cv20"},
                                          "record": {"sync_interval": "200 ms"}}}, "node.yaml")
    checked = flock.herd("check", path)
    assert checked.status == 0, str(checked)
    resolved = yaml.safe_load(checked.out)
    node = next(iter(resolved["nodes"].values()))
    node["duration"] = duration
    return yaml.safe_dump(node, sort_keys=False).encode()


def fetch(bulk, log, credit, lose_at=None):
    """Follows a log; loses everything under way once, at `lose_at` bytes. Its size and its digest, as
    an independent reader of what came has it."""
    segments, total, segment, offset, since = [bytearray()], 0, 0, 0, 0
    is_lossy = lose_at is not None

    def grant():
        bulk.send("FETCH", {"log": log, "segment": segment, "offset": offset,
                            "credit_bytes": credit})

    grant()
    while True:
        verb, body, _, payload = bulk.receive()
        assert verb == "DATA", (verb, body)
        if lose_at is not None and total >= lose_at:
            lose_at = None
            while bulk.socket.poll(300):
                bulk.socket.recv_multipart()
            grant()  # progress: what was lost counts as under way
            grant()  # no progress: it is sent again
            since = 0
            continue
        if (body["segment"], body["offset"]) != (segment, offset):
            assert is_lossy, body  # was under way when we asked again
            continue
        segments[-1] += payload
        total, offset, since = total + len(payload), offset + len(payload), since + len(payload)
        if body.get("is_log_end"):
            log = log_oracle.Log(map(bytes, segments))
            assert not log.is_torn, log
            return total, log.digest
        if body.get("is_segment_end"):
            segment, offset = segment + 1, 0
            segments.append(bytearray())
        if since > credit // 2:
            since = 0
            grant()


def test_a_stop_is_exact_and_a_transfer_resumes():
    with Flock(1) as flock:
        one = Controller(flock, "sheep0")
        one.go(flock)
        one.wait_state("running")
        assert one.ask("STOP", {"sample": 123456})[:2] == ("STOPPING", {"sample": 123456})
        ended = one.ended()
        assert ended["n_samples"] == 123456 and ended["reason"] == 1, ended
        bulk = Controller(flock, "sheep0", 1, one)
        assert fetch(bulk, one.log, 40000) == (ended["log_bytes"], ended["digest"])
        again = Controller(flock, "sheep0", 1, one)
        assert fetch(again, one.log, 40000, lose_at=50000) == (ended["log_bytes"], ended["digest"])
        wrong = one.ask("RELEASE", {"log": one.log, "digest": "0" * 64})
        assert wrong[0] == "REFUSED" and wrong[1]["code"] == "corrupt"
        assert one.ask("RELEASE", {"log": one.log, "digest": ended["digest"]})[0] == "RELEASED"
        wait_for("the log is gone", lambda: one.ask("LIST")[3].strip() == b"[]", 3)


def test_repeats_get_the_same_answer_and_guards_hold():
    with Flock(1) as flock:
        one = Controller(flock, "sheep0")
        first = one.prepare(flock, seq=100)
        assert first[0] == "READY" and one.prepare(flock, seq=100) == first
        T_ns = time.time_ns() + 900_000_000
        assert one.ask("ARM", {"T_ns": T_ns, "n": 1})[0] == "ARMED"
        verb, body, seq, _ = one.receive(3)
        assert (verb, body["n"], seq) == ("STOOD_DOWN", 1, 0), "no GO by T - 400 ms"
        assert time.time_ns() < T_ns
        assert one.ask("GO", {"T_ns": T_ns, "n": 1})[0] == "STOOD_DOWN"
        assert one.ask("ARM", {"T_ns": T_ns + 5 * 10 ** 9, "n": 1})[0] == "STOOD_DOWN", "final"
        assert one.ask("ARM", {"T_ns": time.time_ns() + 10 ** 9, "n": 2})[0] == "ARMED"
        assert one.ask("CANCEL")[0] == "CANCELLED"
        assert one.ask("CANCEL")[0] == "CANCELLED"
        assert one.state() == "idle"
        two = Controller(flock, "sheep0")
        T_ns = two.go(flock)
        assert two.ask("CANCEL")[0] == "CANCELLED", "before T - 100 ms"
        time.sleep(max(0, (T_ns - time.time_ns()) / 1e9 + 0.2))
        assert two.state() == "idle" and two.ask("LIST")[3].strip() == b"[]"


def test_a_node_in_use_says_by_whom_and_can_be_taken_over():
    with Flock(1) as flock:
        one = Controller(flock, "sheep0")
        assert one.prepare(flock, "mine")[0] == "READY"
        two = Controller(flock, "sheep0")
        refused = two.prepare(flock, "yours")
        assert refused[0] == "REFUSED" and "in use by tester" in refused[1]["why"], refused
        assert "mine" in refused[1]["why"]
        two.controller = time.time_ns()
        assert two.hello(take_over=True)[1]["owner"] == "tester"
        assert two.prepare(flock, "theirs")[0] == "READY"
        old = one.ask("ARM", {"T_ns": time.time_ns() + 2 * 10 ** 9, "n": 1})
        assert old[0] == "REFUSED", "an older controller changes nothing"
        assert two.state() == "prepared"
        late = Controller(flock, "sheep0", like=two)
        late.boot_id -= 1
        assert late.ask("CANCEL")[0] == "REFUSED", "words for an earlier boot change nothing"
        assert two.state() == "prepared"
        assert "takes experiment mine over" in flock.log("sheep0")


def test_an_earlier_experiment_is_not_forgotten():
    """Its controller may come back when the node already does something else."""
    with Flock(1) as flock:
        one = Controller(flock, "sheep0")
        one.go(flock, name="first", duration="500 ms")
        ended = one.ended()
        two = Controller(flock, "sheep0")
        assert two.prepare(flock, "second")[0] == "READY"
        state = one.ask("STATUS")[1]
        assert state["state"] == "done" and state["is_started"] and state["log"] == "first", state
        assert state["n_samples"] == 50000 and state["experiment"] == one.experiment
        assert one.receive()[:2] == ("ENDED", ended)
        assert two.ask("STATUS")[1]["state"] == "prepared"
        bulk = Controller(flock, "sheep0", 1, one)
        assert fetch(bulk, "first", 100000) == (ended["log_bytes"], ended["digest"])
        assert one.ask("RELEASE", {"log": "first", "digest": ended["digest"]})[0] == "RELEASED"


def test_a_second_agent_and_a_broken_line_cost_nothing():
    with Flock(1) as flock:
        one = Controller(flock, "sheep0")
        one.go(flock, duration="3 s")
        one.wait_state("running")
        second = subprocess.run([harness.SHEEP, "run", "-c", flock.config_path("sheep0")],
                                capture_output=True, text=True, timeout=10, check=False)
        assert second.returncode == 1 and "another agent" in second.stderr, second
        # The recorder serves one agent: whoever comes later takes the line over.
        intruder = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        intruder.connect(flock.data("sheep0", "state", "recorder.sock"))
        wait_for("the line is there again", lambda: "is there again" in flock.log("sheep0"), 3)
        assert one.state() == "running"
        ended = one.ended()
        assert ended["n_samples"] == 3 * SAMPLE_RATE_HZ and ended["reason"] == 0, ended
        intruder.close()
        assert fetch(Controller(flock, "sheep0", 1, one), one.log, 1 << 20)[1] == ended["digest"]


def test_a_flood_disturbs_neither_the_recording_nor_the_owner():
    with Flock(1) as flock:
        one = Controller(flock, "sheep0")
        one.go(flock, duration="6 s")
        one.wait_state("running")
        flood = Controller(flock, "sheep0")
        waits, n_sent, begin = [], 0, time.monotonic()
        while time.monotonic() < begin + 3:
            for _ in range(200):
                flood.send("STATUS")
                n_sent += 1
            while flood.socket.poll(0):
                flood.socket.recv_multipart()
            asked = time.monotonic()
            one.state("running")
            waits.append(time.monotonic() - asked)
        sockets = []
        try:
            for _ in range(1500):
                sockets.append(socket.create_connection(
                    ("127.0.0.1", flock.config("sheep0")["port"]), timeout=0.3))
        except OSError:
            pass
        asked = time.monotonic()
        one.state("running")
        assert time.monotonic() - asked < 1.0, "its controller is answered"
        for sock in sockets:
            sock.close()
        ended = one.ended()
        assert ended["n_samples"] == 6 * SAMPLE_RATE_HZ and ended["n_gap_samples"] == 0, ended
        waits.sort()
        p99 = waits[int(len(waits) * 0.99)]
        print(f"{n_sent} messages, {len(sockets)} connections; the owner waited "
              f"{waits[len(waits) // 2] * 1e3:.1f} ms (p50), {p99 * 1e3:.1f} ms (p99)")
        assert p99 < 1.0
        lines = [line for line in flock.log("sheep0").splitlines() if "refused" in line]
        assert 1 <= len(lines) <= 10, len(lines)


if __name__ == "__main__":
    harness.main(globals())
