# SPDX-License-Identifier: MIT
"""A network of its own between herd and its nodes: two namespaces and a cable between them,
whose rate can be shaped and which can be pulled. Needs root."""
import os
import subprocess

import yaml

import harness

HERD_ADDRESS = "10.111.7.1"
NODE_ADDRESS = "10.111.7.2"


def ip(*words, check=True):
    return subprocess.run(["ip", *words], check=check, capture_output=True, text=True)


class Link:
    """herd's end is in namespace .herd, the nodes' end in .nodes; every node has one address."""

    def __init__(self):
        if os.geteuid() != 0:
            raise harness.Skip("network namespaces need root")
        self.herd, self.nodes = f"bwh{os.getpid()}", f"bwn{os.getpid()}"
        self.close()
        try:
            for space in (self.herd, self.nodes):
                ip("netns", "add", space)
            ip("-n", self.herd, "link", "add", "cable", "type", "veth", "peer", "name", "cable",
               "netns", self.nodes)
            for space, address in ((self.herd, HERD_ADDRESS), (self.nodes, NODE_ADDRESS)):
                ip("-n", space, "address", "add", f"{address}/24", "dev", "cable")
                ip("-n", space, "link", "set", "lo", "up")
                ip("-n", space, "link", "set", "cable", "up")
        except subprocess.CalledProcessError as why:
            self.close()
            raise harness.Skip(f"no network namespaces here: {why.stderr.strip()}") from why

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()

    def close(self):
        for space in (self.herd, self.nodes):
            ip("netns", "del", space, check=False)

    def rate(self, megabits):
        """Shapes what the nodes send; also while something is on its way."""
        burst = max(16 * 1024, int(megabits * 1e6 / 8 / 100))
        subprocess.run(["tc", "-n", self.nodes, "qdisc", "replace", "dev", "cable", "root", "tbf",
                        "rate", f"{megabits}mbit", "burst", str(burst), "latency", "50ms"],
                       check=True, capture_output=True)

    def pull(self):
        ip("-n", self.herd, "link", "set", "cable", "down")

    def plug(self):
        ip("-n", self.herd, "link", "set", "cable", "up")

    def received(self):
        """Bytes that came out of the cable at herd's end, headers and repetitions included."""
        shown = ip("netns", "exec", self.herd, "cat", "/sys/class/net/cable/statistics/rx_bytes")
        return int(shown.stdout)

    def join(self, flock):
        """The nodes of a flock that is not started yet, and its herd, live at the two ends."""
        flock.node_prefix = ["ip", "netns", "exec", self.nodes]
        flock.herd_prefix = ["ip", "netns", "exec", self.herd]
        for name in flock.names:
            flock.write_config(name, dict(flock.config(name), address=NODE_ADDRESS))
        with open(flock.inventory(), encoding="utf-8") as file:
            inventory = yaml.safe_load(file)
        for host in inventory["sheep"]["hosts"].values():
            host["ansible_host"] = NODE_ADDRESS
        with open(flock.inventory(), "w", encoding="utf-8") as file:
            yaml.safe_dump(inventory, file)
