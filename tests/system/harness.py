# SPDX-License-Identifier: MIT
"""What system tests share: real herd and sheep processes on loopback, and a small test runner.

A test file defines functions test_*() and ends with harness.main(globals()). LIMIT_S in a file is
its time limit in seconds for the runner; BUILD = "release" asks for the build that users get, and
then also for the machine alone, unless PATIENT = True says that nothing depends on time.
"""
import glob
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BW_BUILD", os.path.join(ROOT, "build"))
SHARED = os.environ.get("BW_SHARED", os.path.join(os.path.dirname(ROOT), "shared"))
HERD = os.path.join(BUILD, "herd", "herd")
SHEEP = os.path.join(BUILD, "sheep", "sheep")
SUPPORT = os.path.join(ROOT, "tests", "support")
INVENTORY = os.path.join(ROOT, "inventory")
PYTHON = "/usr/bin/python3"
SAMPLE_RATE_HZ = 100000
# All limits of time are this much longer: a build with ThreadSanitizer is, tests/tsan.py says so.
SLOWER = float(os.environ.get("BW_SLOWER", "1"))


class Skip(Exception):
    """A test that cannot run here, and why."""


def free_ports(count):
    """A base port with `count` free ports from there on, below those that clients are given."""
    for _ in range(200):
        base = random.SystemRandom().randrange(10000, 32000 - count)
        sockets = []
        try:
            for port in range(base, base + count):
                sock = socket.socket()
                sockets.append(sock)
                sock.bind(("127.0.0.1", port))
            return base
        except OSError:
            continue
        finally:
            for sock in sockets:
                sock.close()
    raise RuntimeError("no free ports")


def wait_for(what, condition, limit_s=10.0):
    """Polls until condition() is true; its value."""
    end = time.monotonic() + limit_s * SLOWER
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {limit_s} s: {what}")


class Process(subprocess.Popen):
    """Waited for as long as this build may need."""

    def wait(self, timeout=None):
        return super().wait(timeout * SLOWER if timeout else timeout)


class Result:
    """A finished command."""

    def __init__(self, status, out, err, seconds):
        self.status, self.out, self.err, self.seconds = status, out, err, seconds

    def lines(self):
        """The JSON lines of --json."""
        return [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]

    def __str__(self):
        return f"exit {self.status}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class Flock:
    """N simulated sheep as separate processes with keys of their own, and a folder for results.

    `change(name, config)` may edit each node's sheep.yaml (a dict) before it starts.
    """

    node_prefix = []  # words before a node's and before herd's command: see link.py
    herd_prefix = []

    def __init__(self, count=4, change=None, environment=None, seed=1, start=True):
        self.folder = tempfile.mkdtemp(prefix="bw-system-")
        self.count = count
        self.base_port = free_ports(count * 10)
        self.processes = {}
        self.logs = {}
        self.home = os.path.join(self.folder, "home")
        self.results = os.path.join(self.folder, "results")
        self.flock = os.path.join(self.folder, "flock")
        os.makedirs(self.home)
        os.makedirs(self.results)
        self.env = dict(os.environ, HOME=self.home, XDG_STATE_HOME=os.path.join(self.home, "state"),
                        XDG_CONFIG_HOME=os.path.join(self.home, "config"))
        words = ["sim", "-n", str(count), "-d", self.flock, "--base-port", str(self.base_port),
                 "--seed", str(seed), "--no-start"]
        if environment:
            words += ["--environment", environment]
        made = self.herd(*words, inventory=False)
        assert made.status == 0, str(made)
        self.names = [f"sheep{i}" for i in range(count)]
        for name in self.names:
            config = self.config(name)
            if change:
                change(name, config)
            self.write_config(name, config)
            if start:
                self.start(name, wait=False)
        if start:
            for name in self.names:
                self.wait_ready(name)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close(keep=kind is not None)

    # ---- nodes

    def config_path(self, name):
        return os.path.join(self.flock, name, "sheep.yaml")

    def config(self, name):
        with open(self.config_path(name), encoding="utf-8") as file:
            return yaml.safe_load(file)

    def write_config(self, name, config):
        with open(self.config_path(name), "w", encoding="utf-8") as file:
            yaml.safe_dump(config, file)

    def data(self, name, *parts):
        folder = self.config(name).get("data", "data")
        return os.path.join(self.flock, name, folder, *parts)

    def node_command(self, name):
        return [*self.node_prefix, SHEEP, "run", "-c", self.config_path(name)]

    def start(self, name, wait=True):
        path = os.path.join(self.folder, f"{name}.log")
        self.logs[name] = path
        with open(path, "ab") as log:
            log.write(b"--- start\n")
            log.flush()
            self.processes[name] = Process(
                self.node_command(name), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.env, start_new_session=True)
        if wait:
            self.wait_ready(name)

    def log(self, name):
        with open(self.logs[name], encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_ready(self, name, limit_s=20.0):
        wait_for(f"{name} is ready:\n{self.log(name)}",
                 lambda: "ready" in self.log(name).split("--- start\n")[-1], limit_s)

    def kill(self, name, sig=signal.SIGKILL):
        """Signals the agent alone, and waits for its end."""
        process = self.processes.pop(name)
        process.send_signal(sig)
        process.wait(10)

    def recorder_pid(self, name):
        """The recorder's process id, as the system has it: found by its command line."""
        needle = self.config_path(name).encode()
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                with open(path, "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if needle in words and b"recorder" in words:
                return int(path.split("/")[2])
        return None

    def close(self, keep=False):
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for name in self.names:
            pid = self.recorder_pid(name)
            end = time.monotonic() + 3
            while pid and time.monotonic() < end and self.recorder_pid(name):
                time.sleep(0.05)
            pid = self.recorder_pid(name)
            if pid:
                os.kill(pid, signal.SIGKILL)
        if keep:
            print(f"kept for a look: {self.folder}")
            for name in self.names:
                if name in self.logs:
                    print(f"--- log of {name}\n{self.log(name)[-3000:]}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    # ---- herd

    def inventory(self):
        return os.path.join(self.flock, "herd.yml")

    def command(self, *words, inventory=True):
        command = [*self.herd_prefix, HERD, *[str(word) for word in words]]
        if inventory:
            command += ["-i", self.inventory()]
        return command

    def herd(self, *words, inventory=True, limit_s=120, stdin=None):
        begin = time.monotonic()
        done = subprocess.run(self.command(*words, inventory=inventory), env=self.env,
                              capture_output=True, text=True, timeout=limit_s * SLOWER,
                              check=False, input=stdin, cwd=self.folder)
        return Result(done.returncode, done.stdout, done.stderr, time.monotonic() - begin)

    def spawn(self, *words):
        """herd in the background, its output in a file; .log is the path."""
        path = os.path.join(self.folder, f"herd-{len(glob.glob(self.folder + '/herd-*'))}.log")
        with open(path, "wb") as log:
            process = Process(self.command(*words), env=self.env, cwd=self.folder,
                              stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        process.log = path
        return process

    def experiment(self, content, name="experiment.yaml"):
        """Writes an experiment (dict or text) and returns its path."""
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            if isinstance(content, str):
                file.write(content)
            else:
                # Simulated boards start when the host's scheduler lets them; how well they do is
                # what test_start measures, with a limit of its own.
                start = dict({"clock_error_max": "100 ms"}, **content.get("start", {}))
                yaml.safe_dump(dict(content, start=start), file, sort_keys=False)
        return path

    def run(self, content, *words, limit_s=120):
        path = content if isinstance(content, str) and os.path.exists(content) \
            else self.experiment(content)
        return self.herd("run", path, "-o", self.results, *words, limit_s=limit_s)

    def files(self, pattern="*.h5"):
        return sorted(glob.glob(os.path.join(self.results, pattern)))

    def file_of(self, name, prefix=""):
        found = self.files(f"{prefix}*_{name}.h5")
        assert found, f"no result of {name} in {os.listdir(self.results)}"
        return found[-1]


def support(script, *words, limit_s=120):
    """Runs a checker of tests/support."""
    done = subprocess.run([PYTHON, os.path.join(SUPPORT, script), *[str(word) for word in words]],
                          capture_output=True, text=True, timeout=limit_s * SLOWER, check=False)
    return Result(done.returncode, done.stdout, done.stderr, 0)


def shared(*parts):
    path = os.path.join(SHARED, *parts)
    if not os.path.exists(path):
        raise Skip(f"no folder with measured data ({'/'.join(parts)})")
    return path


def main(names):
    """Runs every test_* of the calling file (or those named on the command line)."""
    only = sys.argv[1:]
    passed = failed = skipped = 0
    for name, function in list(names.items()):
        if not name.startswith("test_") or not callable(function):
            continue
        if only and name not in only:
            continue
        begin = time.monotonic()
        try:
            function()
            passed += 1
            word = "ok"
        except Skip as why:
            skipped += 1
            word = f"skipped: {why}"
        except Exception:  # every failure is counted and shown, then the next test runs
            failed += 1
            word = "FAILED"
            traceback.print_exc(file=sys.stdout)
        print(f"{word}: {name} ({time.monotonic() - begin:.1f} s)", flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or passed + skipped == 0 else 0)
