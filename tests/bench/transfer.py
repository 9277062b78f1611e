#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A recording from a node to the workstation, beside scp and rsync over a loopback sshd that this
starts itself: megabytes a second, and processor seconds per GB at both ends. Every way brings the
same bytes to the same disk; the best of several rounds counts, all take turns.

The last line says what CURVE's cipher (XSalsa20 and Poly1305, once at each end) takes alone: it is
the floor of our CPU per GB and, with a thread at each end, the ceiling of the rate.

Usage: tests/bench/transfer.py [MEGABYTES] [ROUNDS]      (BW_BUILD: a release build)
"""
import ctypes
import ctypes.util
import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
import harness  # noqa: E402

LOG = "made_2026-11-28T06-40-00Z_sheep0"
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_of(pid):
    """Seconds of a process, its waited-for children included."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return sum(int(field) for field in fields[11:15]) / TICKS


def cipher_s_per_gb(size=256 * 1024, seconds=1.0):
    """Processor seconds for a GB through libsodium's box, as libzmq calls it for each message."""
    sodium = ctypes.CDLL(ctypes.util.find_library("sodium"))
    assert sodium.sodium_init() >= 0
    padded = ctypes.create_string_buffer(size + 32)  # crypto_box_ZEROBYTES in front
    out = ctypes.create_string_buffer(size + 32)
    nonce, key = bytes(24), bytes(range(32))
    length = ctypes.c_ulonglong(size + 32)
    begin, count = time.process_time(), 0
    while time.process_time() - begin < seconds:
        assert sodium.crypto_box_afternm(out, padded, length, nonce, key) == 0
        count += 1
    return (time.process_time() - begin) / (count * size / 1e9)


class Sshd:
    """A server with keys of its own on a free port of loopback."""

    def __init__(self, folder):
        self.folder = folder
        self.port = harness.free_ports(1)
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.path(name)],
                           check=True)
        shutil.copy(self.path("user.pub"), self.path("authorized_keys"))
        with open(self.path("config"), "w", encoding="utf-8") as file:
            file.write(f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.path('host')}\n"
                       f"AuthorizedKeysFile {self.path('authorized_keys')}\nStrictModes no\n"
                       "UsePAM no\nPidFile none\nSubsystem sftp internal-sftp\n"
                       "PermitRootLogin prohibit-password\n")
        os.makedirs("/run/sshd", exist_ok=True)
        self.process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", self.path("config")],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        self.options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                        "-o", "LogLevel=ERROR", "-o", f"IdentityFile={self.path('user')}",
                        "-o", "IdentitiesOnly=yes"]
        time.sleep(0.5)

    def path(self, name):
        return os.path.join(self.folder, name)

    def close(self):
        self.process.terminate()
        self.process.wait()


def run_ssh(sshd, command):
    """Seconds, and processor seconds of both ends: sshd waits for the children that serve."""
    before, begin = cpu_of(sshd.process.pid), time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - begin
    assert process.returncode == 0, command
    end = time.monotonic() + 5
    cpu = cpu_of(sshd.process.pid)
    while time.monotonic() < end:  # until the last child is waited for
        time.sleep(0.1)
        now = cpu_of(sshd.process.pid)
        if now == cpu and now > before:
            break
        cpu = now
    return seconds, usage.ru_utime + usage.ru_stime, cpu - before


class Bench:
    def __init__(self, megabytes):
        self.flock = harness.Flock(1, start=False)
        self.source = self.flock.data("sheep0", "recordings", LOG + ".rlog")
        os.makedirs(os.path.dirname(self.source))
        subprocess.run([os.path.join(harness.BUILD, "tests", "make_log"), self.source,
                        f"samples={megabytes * 125000}", "noise=18", "compression=0"], check=True)
        self.flock.start("sheep0")
        time.sleep(1 + megabytes / 200)  # the node reads it once, for its digest
        self.sshd = Sshd(tempfile.mkdtemp(dir=self.flock.folder))
        self.target = os.path.join(self.flock.folder, "target")
        self.size = sum(os.path.getsize(os.path.join(self.source, name))
                        for name in os.listdir(self.source))

    def close(self):
        self.sshd.close()
        self.flock.close()

    def herd(self):
        agent = self.flock.processes["sheep0"].pid
        before = cpu_of(agent)
        done = subprocess.run([os.path.join(harness.BUILD, "tests", "fetch_log"),
                               self.flock.inventory(), os.path.join(self.flock.flock, "herd.key"),
                               "sheep0", LOG, self.target], capture_output=True, text=True,
                              check=True)
        _, seconds, cpu = (float(word) for word in done.stdout.split())
        return seconds, cpu, cpu_of(agent) - before

    def scp(self, *more):
        return run_ssh(self.sshd, ["scp", "-q", "-r", "-P", str(self.sshd.port), *more,
                                   *self.sshd.options, f"127.0.0.1:{self.source}", self.target])

    def rsync(self):
        shell = " ".join(["ssh", "-p", str(self.sshd.port), *self.sshd.options])
        return run_ssh(self.sshd, ["rsync", "-r", "-e", shell, f"127.0.0.1:{self.source}/",
                                   self.target])

    def check(self):
        names = [name for name in os.listdir(self.source) if name.endswith(".seg")]
        same, _, _ = filecmp.cmpfiles(self.source, self.target, names, shallow=False)
        assert sorted(same) == sorted(names), "not the same bytes"
        shutil.rmtree(self.target)


def main():
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    bench = Bench(megabytes)
    ways = {"herd over CURVE": bench.herd, "scp, default cipher": bench.scp,
            "scp, chacha20-poly1305": lambda: bench.scp("-c", "chacha20-poly1305@openssh.com"),
            "scp, aes128-gcm": lambda: bench.scp("-c", "aes128-gcm@openssh.com")}
    if shutil.which("rsync"):
        ways["rsync over ssh"] = bench.rsync
    results = {name: [] for name in ways}
    try:
        for _ in range(rounds):
            for name, way in ways.items():
                os.sync()
                results[name].append(way())
                bench.check()
    finally:
        bench.close()
    gigabytes = bench.size / 1e9
    print(f"{bench.size / 1e6:.0f} MB, best of {rounds} rounds on {os.cpu_count()} cores")
    print(f"{'':24} {'MB/s':>8} {'CPU s/GB: here':>16} {'there':>8} {'both':>8}")
    best = {}
    for name, runs in results.items():
        rate = gigabytes * 1e3 / min(run[0] for run in runs)
        here, there = min(runs, key=lambda run: run[1] + run[2])[1:]
        best[name] = (rate, (here + there) / gigabytes)
        print(f"{name:24} {rate:8.0f} {here / gigabytes:16.2f} {there / gigabytes:8.2f} "
              f"{best[name][1]:8.2f}")
    ours, scp = best["herd over CURVE"], best["scp, default cipher"]
    print(f"figure: {ours[0] / scp[0]:.2f} x the rate of scp with its default cipher "
          f"(goal 2), {ours[1] / scp[1]:.2f} x its CPU per GB (goal below 1)")
    cipher = cipher_s_per_gb()
    print(f"figure: CURVE's cipher alone {cipher:.2f} s/GB at each end: {200 * cipher / ours[1]:.0f} % of "
          f"our CPU; a thread at each end cannot do more than {1e3 / cipher:.0f} MB/s")


if __name__ == "__main__":
    main()
