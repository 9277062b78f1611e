# SPDX-License-Identifier: MIT
"""A flock whose nodes are far away: each in a network namespace of its own, herd in another, and
between them the seeded relay of tests/support, which loses, delays, doubles and reorders packets
and cuts either direction; a node's cable is its interface, pulled by `ip link set down`."""
import os
import subprocess

import yaml

import harness

RELAY = os.path.join(harness.BUILD, "tests", "relay")
NET = "10.77.0"
FIRST_NODE = 2  # last byte of the first node's address; herd has 1
PORT = 4240
RULE = ("loss", "duplicate", "reorder", "delay", "jitter", "cut")  # as the relay takes them


def require():
    """Namespaces and interfaces are root's."""
    if os.geteuid() != 0:
        raise harness.Skip("network namespaces need root")
    if not os.path.exists("/dev/net/tun"):
        raise harness.Skip("this kernel has no TUN interfaces")


def ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"


class Relay:
    """The relay's process."""

    def __init__(self, seed, herd_space, node_spaces):
        self.process = subprocess.Popen([RELAY, str(seed), herd_space, *node_spaces], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        word = self.process.stdout.readline()
        assert word == "ready\n", f"relay: {word!r}"
        self.n_nodes = len(node_spaces)

    def order(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def set(self, direction="both", nodes=None, **rule):
        """rule: of RULE, permille and ms; what is not named is 0. nodes: indices; all by default."""
        assert set(rule) <= set(RULE), rule
        values = " ".join(str(rule.get(name, 0)) for name in RULE)
        spans = [(0, self.n_nodes - 1)] if nodes is None else [(i, i) for i in nodes]
        for first, last in spans:
            answer = self.order(f"set {first} {last} {direction} {values}")
            assert answer == "ok", answer

    def count(self):
        """Packets, lost, copied, reordered, dropped since the beginning."""
        return [int(word) for word in self.order("count").split()]

    def close(self):
        self.process.communicate(timeout=5)


class FarFlock(harness.Flock):
    """Flock behind a relay. `lane` keeps several on one machine apart."""

    def __init__(self, count, seed=1, lane=0, change=None):
        require()
        self.space = f"bw{os.getpid()}-{lane}"
        self.spaces = {}
        self.relay = None
        super().__init__(count, change=lambda name, config: self.adapt(name, config, change),
                         seed=seed, start=False)
        try:
            self.make_spaces(seed)
            for name in self.names:
                self.start(name, wait=False)
            for name in self.names:
                self.wait_ready(name, 60)
        except BaseException:
            self.close()
            raise

    def address(self, name):
        return f"{NET}.{FIRST_NODE + int(name[len('sheep'):])}"

    def adapt(self, name, config, change):
        config.update(address=self.address(name), port=PORT)
        if change:
            change(name, config)

    def make_spaces(self, seed):
        with open(self.inventory(), encoding="utf-8") as file:
            inventory = yaml.safe_load(file)
        for name in self.names:
            self.spaces[name] = f"{self.space}-{name}"
            inventory["sheep"]["hosts"][name].update(ansible_host=self.address(name), port=PORT)
        with open(self.inventory(), "w", encoding="utf-8") as file:
            yaml.safe_dump(inventory, file, sort_keys=False)
        for space in (self.space, *self.spaces.values()):
            ip("netns", "add", space)
        self.relay = Relay(seed, self.space, list(self.spaces.values()))
        for space, address in ((self.space, f"{NET}.1"),
                               *((self.spaces[name], self.address(name)) for name in self.names)):
            ip("-n", space, "address", "add", f"{address}/24", "dev", "bw0")
            ip("-n", space, "link", "set", "bw0", "up")
            ip("-n", space, "link", "set", "lo", "up")

    def cable(self, name, state):
        """"down" pulls it, "up" puts it back."""
        ip("-n", self.spaces[name], "link", "set", "bw0", state)

    def inside(self, name, command):
        return ["ip", "netns", "exec", self.spaces.get(name, self.space), *command]

    def command(self, *words, inventory=True):
        command = super().command(*words, inventory=inventory)
        # The first one makes the farm, before there is a network.
        return self.inside(None, command) if self.relay else command

    def node_command(self, name):
        return self.inside(name, super().node_command(name))

    def close(self, keep=False):
        super().close(keep)
        if self.relay:
            self.relay.close()
        for space in (self.space, *self.spaces.values()):
            subprocess.run(["ip", "netns", "del", space], capture_output=True, check=False)
