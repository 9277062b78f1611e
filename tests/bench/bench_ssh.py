#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""One command to 30 nodes, herd beside what people use otherwise: clush, pdsh and parallel ssh to as
many sshd on this machine, in turns; then whole runs on 30 simulated nodes.

Usage: bench_ssh.py [-n NODES] [-r ROUNDS]; default 30 nodes, 20 rounds. BW_BUILD names the build
folder. Without sshd, clush (Debian's clustershell) or pdsh, what needs them is left out and named."""
import argparse
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))

from bench_scale import percentile  # noqa: E402 (needs the path)
from harness import Flock, free_ports, wait_for  # noqa: E402

SSHD = "/usr/sbin/sshd"
RUN_S = 2


class SshFarm:
    """`count` sshd on loopback, and an ssh_config that knows them as sheep0 ..."""

    def __init__(self, count):
        self.count = count
        self.folder = tempfile.mkdtemp(prefix="bw-bench-ssh-")
        os.chmod(self.folder, 0o755)
        self.config = self.path("ssh_config")
        self.processes = []
        base = free_ports(count)
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.path(name)],
                           check=True)
        shutil.copy(self.path("user.pub"), self.path("authorized_keys"))
        os.makedirs("/run/sshd", exist_ok=True)
        with open(self.path("host.pub"), encoding="utf-8") as file:
            key = " ".join(file.read().split()[:2])
        with open(self.config, "w", encoding="utf-8") as config, \
                open(self.path("known_hosts"), "w", encoding="utf-8") as known:
            for i in range(count):
                config.write(f"Host sheep{i}\n  HostName 127.0.0.1\n  Port {base + i}\n")
                known.write(f"[127.0.0.1]:{base + i} {key}\n")
                self.start(i, base + i)
            config.write(f"Host *\n  IdentityFile {self.path('user')}\n  IdentitiesOnly yes\n"
                         f"  UserKnownHostsFile {self.path('known_hosts')}\n  BatchMode yes\n")
        for i in range(count):
            wait_for(f"sshd {i}", lambda i=i: self.listens(i))

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self, i, port):
        with open(self.path(f"sshd_config{i}"), "w", encoding="utf-8") as file:
            file.write(f"Port {port}\nListenAddress 127.0.0.1\nHostKey {self.path('host')}\n"
                       f"PidFile none\nAuthorizedKeysFile {self.path('authorized_keys')}\n"
                       "StrictModes no\nUsePAM no\nPasswordAuthentication no\n"
                       "PermitRootLogin prohibit-password\nMaxStartups 100\n")
        with open(self.path(f"log{i}"), "wb") as log:
            self.processes.append(subprocess.Popen(
                [SSHD, "-D", "-e", "-f", self.path(f"sshd_config{i}")], stdout=log, stderr=log))

    def listens(self, i):
        with open(self.path(f"log{i}"), encoding="utf-8") as file:
            return "listening" in file.read()

    def close(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()
        shutil.rmtree(self.folder)

    # ---- one command to all

    def clush(self):
        self.call(["clush", "-q", "-f", str(self.count), "-o", f"-F {self.config}", "-w",
                   f"sheep[0-{self.count - 1}]", "true"])

    def pdsh(self):
        self.call(["pdsh", "-R", "ssh", "-f", str(self.count), "-w",
                   f"sheep[0-{self.count - 1}]", "true"],
                  dict(os.environ, PDSH_SSH_ARGS=f"-F {self.config} -2 -a -x %h"))

    def ssh(self):
        def one(i):
            self.call(["ssh", "-F", self.config, f"sheep{i}", "true"])
        with concurrent.futures.ThreadPoolExecutor(self.count) as pool:
            list(pool.map(one, range(self.count)))

    def call(self, command, env=None):
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
        assert done.returncode == 0 and "exit" not in done.stderr, (command, done.stderr)


def timed(function):
    begin = time.monotonic()
    function()
    return time.monotonic() - begin


def show(what, seconds):
    print(f"figure: {what}: p50 {percentile(seconds, 50) * 1e3:.0f} ms, "
          f"p99 {percentile(seconds, 99) * 1e3:.0f} ms ({len(seconds)} rounds)", flush=True)


def ways(flock, farm):
    """Name and function of each way to reach everybody once."""
    def herd():
        done = flock.herd("status", "--json")
        assert done.status == 0 and len(done.lines()) == flock.count, str(done)
    found = {"herd status": herd}
    for tool in ("clush", "pdsh", "ssh"):
        if farm and shutil.which(tool):
            found[{"ssh": "parallel ssh"}.get(tool, tool) + " true"] = getattr(farm, tool)
        else:
            print(f"left out: {tool}, which is not here")
    return found


def reach(flock, n_rounds):
    farm = SshFarm(flock.count) if os.path.exists(SSHD) else None
    try:
        seconds = {}
        all_ways = ways(flock, farm)
        for _ in range(n_rounds):
            for name, function in all_ways.items():
                seconds.setdefault(name, []).append(timed(function))
    finally:
        if farm:
            farm.close()
    for name, values in seconds.items():
        show(f"{flock.count} nodes, {name}, whole command", values)
    herd = percentile(seconds["herd status"], 50)
    for name, values in seconds.items():
        if name != "herd status":
            print(f"figure: {name} takes {percentile(values, 50) / herd:.1f} times as long")


def run_whole(flock, n_rounds):
    lead, overhead, prepared = [], [], []
    for _ in range(n_rounds):
        done = flock.run({"name": "bench", "duration": f"{RUN_S} s",
                          "start": {"clock_error_max": "500 ms"},
                          "defaults": {"mode": "harvest", "harvester": {"inherit_from": "cv20"}}},
                         "--json")
        assert done.status == 0, str(done)
        at = {}
        for event in done.lines():
            if "seconds" in event:
                at.setdefault(event["event"], event["seconds"])
        lead.append(done.lines()[-1]["ready_to_T_s"])
        overhead.append(done.seconds - RUN_S)
        prepared.append(at["arming"] - at["preparing"])
    show(f"{flock.count} nodes, PREPARE with full configuration to all READY", prepared)
    show(f"{flock.count} nodes, last READY to T", lead)
    show(f"{flock.count} nodes, overhead of a run of {RUN_S} s", overhead)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--nodes", type=int, default=30)
    parser.add_argument("-r", "--rounds", type=int, default=20)
    arguments = parser.parse_args()
    with Flock(arguments.nodes) as flock:
        reach(flock, arguments.rounds)
        run_whole(flock, max(3, arguments.rounds // 4))
    return 0


if __name__ == "__main__":
    sys.exit(main())
