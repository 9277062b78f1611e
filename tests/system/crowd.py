# SPDX-License-Identifier: MIT
"""Many nodes in one process (tests/support/many_nodes.c), and the real herd that commands them."""
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import harness

MANY_NODES = os.path.join(harness.BUILD, "tests", "many_nodes")
PORTS = 3  # of a node
EXPERIMENT = """name: scale
duration: 10 s
start: {align: 1 s, require: all, clock_error_max: 1 s}
defaults:
  mode: harvest
  harvester: {inherit_from: mppt_po}
  record: {voltage: true, current: true, gpio: all, compression: gzip-1}
  log: {system: 1 s, kernel: true, time: true, uart: {baudrate: 115200}}
"""


def free_base(count):
    """A base below the ports that the system gives to outgoing connections."""
    for base in range(10000 + os.getpid() % 16 * 400, 32000 - count * PORTS, 400):
        sockets = []
        try:
            for i in range(count):
                sockets.append(socket.socket())
                sockets[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sockets[-1].bind(("127.0.0.1", base + i * PORTS))
            return base
        except OSError:
            continue
        finally:
            for sock in sockets:
                sock.close()
    raise RuntimeError("no free ports")


class Usage:
    """What a process of herd cost and said; `at` has the seconds of its first event of a kind."""

    def __init__(self, status, seconds, rusage, events, errors):
        self.status, self.seconds, self.events, self.errors = status, seconds, events, errors
        self.cpu_s = rusage.ru_utime + rusage.ru_stime
        self.memory_mb = rusage.ru_maxrss / 1024
        self.at = {}
        for event in events:
            if "event" in event:
                self.at.setdefault(event["event"], event["seconds"])

    def __str__(self):
        return (f"exit {self.status} after {self.seconds:.2f} s: {str(self.events[-5:])[:1500]}\n"
                f"{self.errors[-2000:]}")


class Crowd:
    """`count` nodes named node0 ..."""

    def __init__(self, count):
        self.count = count
        self.folder = tempfile.mkdtemp(prefix="bw-crowd-")
        self.env = dict(os.environ, HOME=self.folder,
                        XDG_STATE_HOME=os.path.join(self.folder, "state"),
                        XDG_CONFIG_HOME=os.path.join(self.folder, "config"))
        self.experiment = os.path.join(self.folder, "scale.yaml")
        with open(self.experiment, "w", encoding="utf-8") as file:
            file.write(EXPERIMENT)
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self.base_port = free_base(count)
        self.process = subprocess.Popen(
            [MANY_NODES, self.folder, str(count), str(self.base_port)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        word = self.process.stdout.readline()
        if word != "ready\n":
            self.close()
            raise RuntimeError(f"many_nodes: {word!r}")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()

    def close(self):
        """Ends the nodes; what they say they have handled."""
        try:
            self.totals, _ = self.process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
        return self.totals

    def herd(self, *words, on_event=None, limit_s=60):
        """Runs herd --json to its end. on_event(event, process) sees every line as it comes."""
        begin = time.monotonic()
        log = os.path.join(self.folder, "herd.err")
        with open(log, "wb") as errors:
            process = subprocess.Popen(
                [harness.HERD, *words, "-i", os.path.join(self.folder, "herd.yml"), "--json"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=self.env,
                cwd=self.folder, text=True)
        guard = threading.Timer(limit_s, process.kill)
        guard.start()
        events = []
        for line in process.stdout:
            if line.startswith("{"):
                events.append(json.loads(line))
                if on_event:
                    on_event(events[-1], process)
        _, status, rusage = os.wait4(process.pid, 0)
        guard.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdout.close()
        seconds = time.monotonic() - begin
        with open(log, encoding="utf-8", errors="replace") as errors:
            return Usage(process.returncode, seconds, rusage, events, errors.read())

    def alive(self, limit_s=20):
        """A new herd greets everybody; fails unless all have answered."""
        usage = self.herd("alive", "-t", str(limit_s))
        there = sum(1 for event in usage.events if event.get("alive"))
        assert usage.status == 0 and there == self.count, f"{there} of {self.count}: {usage}"
        return usage

    def status(self):
        """The states of all nodes, as a set of words."""
        usage = self.herd("status", "-t", "20")
        assert usage.status == 0 and len(usage.events) == self.count, str(usage)
        usage.states = {event["state"] for event in usage.events}
        return usage

    def called_off(self, at="arming", sig=signal.SIGINT):
        """A run up to the event `at`, when herd gets the signal."""
        def on_event(event, process):
            if event.get("event") == at:
                process.send_signal(sig)
        output = os.path.join(self.folder, "results")
        return self.herd("run", self.experiment, "-o", output, on_event=on_event, limit_s=120)
