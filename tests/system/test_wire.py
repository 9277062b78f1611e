#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What comes over the wire is hostile: wrong keys, versions, sizes and verbs are refused, counted,
logged once, and the agent goes on."""
import os
import random
import socket
import time

import yaml
import zmq

import harness
from harness import Flock

LIMIT_S = 200


def key_file(path):
    with open(path, encoding="utf-8") as file:
        return yaml.safe_load(file)


class Client:
    """A ZeroMQ DEALER with a key of our choice."""

    def __init__(self, flock, name, keys=None, curve=True, identity=None, port=0):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        if identity is not None:  # else the node gives one
            self.socket.identity = identity
        if curve:
            server = key_file(os.path.join(flock.flock, name, "sheep.pub"))
            public, secret = keys or (None, None)
            if keys is None:
                own = key_file(os.path.join(flock.flock, "herd.key"))
                public, secret = own["public_key"].encode(), own["secret_key"].encode()
            self.socket.curve_serverkey = server["public_key"].encode()
            self.socket.curve_publickey, self.socket.curve_secretkey = public, secret
        self.socket.connect(f"tcp://127.0.0.1:{flock.config(name)['port'] + port}")

    def ask(self, frames, limit_s=1.0):
        """The answer's frames, or None when nobody answers."""
        self.socket.send_multipart(frames)
        return self.socket.recv_multipart() if self.socket.poll(int(limit_s * 1000)) else None

    def close(self):
        self.socket.close()
        self.context.term()


HELLO = [b"BW1", b"HELLO", bytes(24) + b"\1\0\0\0" + bytes(4), b"name: tester\nversion: '0'\ntake_over: false\n"]


def answers(flock, name):
    client = Client(flock, name)
    try:
        return client.ask(HELLO, 3.0)
    finally:
        client.close()


def test_only_the_right_key_is_answered():
    with Flock(1) as flock:
        answer = answers(flock, "sheep0")
        assert answer and answer[1] == b"WELCOME", answer
        stranger = Client(flock, "sheep0", zmq.curve_keypair())
        assert stranger.ask(HELLO) is None, "an unknown key"
        stranger.close()
        plain = Client(flock, "sheep0", curve=False)
        assert plain.ask(HELLO) is None, "no CURVE at all"
        plain.close()
        raw = socket.create_connection(("127.0.0.1", flock.config("sheep0")["port"]))
        raw.sendall(random.Random(1).randbytes(4096))
        raw.close()
        assert answers(flock, "sheep0")


def test_broken_messages_are_refused_and_the_agent_goes_on():
    with Flock(1) as flock:
        client = Client(flock, "sheep0")
        assert client.ask(HELLO)
        rng = random.Random(2)
        broken = [
            [b"BW0", *HELLO[1:]],
            [b"BW1"],
            HELLO[:2],
            HELLO[:3],
            [b"BW1", b"EXPLODE", *HELLO[2:]],
            [b"BW1", b"WELCOME", *HELLO[2:]],
            [b"BW1", b"HELLO", b"short", HELLO[3]],
            [*HELLO[:3], b"name: [unclosed"],
            [*HELLO[:3], b"name: x\nversion: y\nextra: 1\n"],
            [*HELLO[:3], b"x" * 70000],
            [*HELLO, b"payload", b"and", b"more", b"frames"],
            [*HELLO[:3], b"a: &a [*a, *a]\n"],
            *[[rng.randbytes(rng.randrange(200)) for _ in range(rng.randrange(1, 7))]
              for _ in range(300)],
        ]
        for frames in broken:
            answer = client.ask(frames, 0.005)
            assert answer is None or answer[1] in (b"REFUSED", b"WELCOME"), answer
        client.close()
        assert answers(flock, "sheep0")
        log = flock.log("sheep0")
        refused = [line for line in log.splitlines() if "refused" in line or "dropped" in line]
        assert refused, log
        assert len(refused) <= 20, f"{len(refused)} lines for {len(broken)} broken messages"
        time.sleep(0.1)
        assert flock.herd("alive").status == 0


def test_a_key_that_others_may_read_is_not_used():
    with Flock(1) as flock:
        key = os.path.join(flock.flock, "herd.key")
        os.chmod(key, 0o644)
        done = flock.herd("alive")
        assert done.status == 2 and "herd.key" in done.err and "0600" in done.err, str(done)
        os.chmod(key, 0o600)
        assert flock.herd("alive").status == 0


def test_an_id_that_somebody_has_diverts_nothing():
    with Flock(1) as flock:
        guest = zmq.curve_keypair()
        folder = os.path.join(flock.flock, "sheep0", "authorized")
        with open(os.path.join(folder, "guest.pub"), "w", encoding="utf-8") as file:
            yaml.safe_dump({"name": "guest", "role": "observer",
                            "public_key": guest[0].decode()}, file)
        harness.wait_for("the guest's key is known", lambda: known(flock, guest), 10)
        # A chosen id belongs to whoever came first, as long as the connection lasts.
        first = Client(flock, "sheep0", identity=b"chosen")
        assert first.ask(HELLO, 3.0), "alone"
        second = Client(flock, "sheep0", guest, identity=b"chosen")
        second.socket.send_multipart(HELLO)
        for i in range(30):
            assert first.ask(HELLO, 1.0), f"answer {i} went elsewhere"
        assert not second.socket.poll(0), "what is meant for the first"
        # The id that the node itself gave cannot be chosen: '@' is refused, zero bytes as well.
        named = Client(flock, "sheep0", guest, identity=b"@00000001")
        assert named.ask(HELLO, 1.0) is None
        for client in (first, second, named):
            client.close()
        # Once it is free, the next one may have it.
        harness.wait_for("the id is free again", lambda: answers_as(flock, guest, b"chosen"), 10)


def known(flock, keys):
    client = Client(flock, "sheep0", keys)
    try:
        return client.ask(HELLO, 0.5)
    finally:
        client.close()


def answers_as(flock, keys, identity):
    client = Client(flock, "sheep0", keys, identity=identity)
    try:
        return client.ask(HELLO, 0.5)
    finally:
        client.close()


if __name__ == "__main__":
    harness.main(globals())
