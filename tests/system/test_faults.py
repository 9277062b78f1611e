#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Stage x fault: real processes in network namespaces behind a bad network, one run per cell, and
every run ends with the truth, which is what the logs on the nodes' disks say.

BW_FAULT_NODES (3), BW_FAULT_LANES (4: so many flocks side by side), BW_FAULT_LONGEST_S (3: of a
cut or a stop), BW_FAULT_SEED (1), BW_FAULT_ONLY (a regular expression of STAGE/FAULT)."""
import json
import os
import queue
import random
import re
import signal
import subprocess
import sys
import threading
import time

import yaml

import harness
from far import FarFlock, require

sys.path.insert(0, harness.SUPPORT)
import log_oracle  # noqa: E402

LIMIT_S = 420
BUILD = "release"
PATIENT = True
NODES = int(os.environ.get("BW_FAULT_NODES", "3"))
LANES = int(os.environ.get("BW_FAULT_LANES", "4"))
LONGEST_S = float(os.environ.get("BW_FAULT_LONGEST_S", "3"))
SEED = int(os.environ.get("BW_FAULT_SEED", "1"))
ONLY = os.environ.get("BW_FAULT_ONLY", "")
RUN_S = 2
RUN_LIMIT_S = 60 + 4 * LONGEST_S
SETTLE_S = 60
RELAY_S = 2.5  # how long the network is bad

# The event of herd after which a fault comes, and how much later.
STAGES = {
    "connect": (None, 0.0),
    "prepare": ("preparing", 0.0),
    "arm": ("arming", 0.0),
    "go": ("go", 0.0),
    "start": ("committed", 0.0),
    "run": ("started", 0.5),
    "collect": ("ended", 0.0),
}


class Fault:
    """Begins, lasts, ends. `victims` are names of nodes."""

    def begin(self, flock, herd, victims):
        raise NotImplementedError

    def end(self, flock, herd, victims):
        """After it, everything is as before, but for a herd that was killed."""

    def lasts(self, rng):
        return rng.uniform(1.0, LONGEST_S)


class Network(Fault):
    """All nodes' links."""

    def __init__(self, direction="both", **rule):
        self.direction, self.rule = direction, rule

    def begin(self, flock, herd, victims):
        flock.relay.set(self.direction, **self.rule)

    def end(self, flock, herd, victims):
        flock.relay.set()

    def lasts(self, rng):
        return RELAY_S


class Cut(Network):
    """One way, for the victims."""

    def begin(self, flock, herd, victims):
        flock.relay.set(self.direction, [flock.names.index(name) for name in victims], cut=1)


    def lasts(self, rng):
        return rng.uniform(1.0, LONGEST_S)


class Cable(Fault):
    def begin(self, flock, herd, victims):
        for name in victims:
            flock.cable(name, "down")

    def end(self, flock, herd, victims):
        for name in victims:
            flock.cable(name, "up")


class HerdKilled(Fault):
    def begin(self, flock, herd, victims):
        herd.send_signal(signal.SIGKILL)


class HerdStopped(Fault):
    def begin(self, flock, herd, victims):
        herd.send_signal(signal.SIGSTOP)

    def end(self, flock, herd, victims):
        herd.send_signal(signal.SIGCONT)


class AgentKilled(Fault):
    """And started again, as systemd does."""

    def begin(self, flock, herd, victims):
        for name in victims:
            flock.kill(name)

    def end(self, flock, herd, victims):
        for name in victims:
            flock.start(name)


class AgentStopped(Fault):
    def begin(self, flock, herd, victims):
        for name in victims:
            flock.processes[name].send_signal(signal.SIGSTOP)

    def end(self, flock, herd, victims):
        for name in victims:
            flock.processes[name].send_signal(signal.SIGCONT)


class RecorderKilled(Fault):
    def begin(self, flock, herd, victims):
        for name in victims:
            pid = flock.recorder_pid(name)
            if pid:
                os.kill(pid, signal.SIGKILL)


class NodeKilled(AgentKilled):
    """Agent and recorder: what a reboot is."""

    def begin(self, flock, herd, victims):
        pids = [flock.recorder_pid(name) for name in victims]
        super().begin(flock, herd, victims)
        for pid in pids:
            if pid:
                os.kill(pid, signal.SIGKILL)


FAULTS = {
    "loss 10 %": Network(loss=100),
    "loss 30 %": Network(loss=300),
    "delay 150 ms": Network(delay=150),
    "delay 500 ms": Network(delay=500),
    "jitter 0-200 ms": Network(delay=20, jitter=180),
    "double, reorder": Network(duplicate=200, reorder=200, delay=5),
    "all of these": Network(loss=50, duplicate=100, reorder=100, delay=50, jitter=50),
    "deaf": Cut("to"),
    "mute": Cut("from"),
    "cable": Cable(),
    "herd killed": HerdKilled(),
    "herd stopped": HerdStopped(),
    "agent killed": AgentKilled(),
    "agent stopped": AgentStopped(),
    "recorder killed": RecorderKilled(),
    "node killed": NodeKilled(),
}
KINDS = {"valid": "v", "invalid": "i", "not started": "-", "unknown": "?"}


class Cell:
    """One run with one fault."""

    def __init__(self, stage, fault, number):
        self.stage, self.fault, self.number = stage, fault, number
        self.name = re.sub(r"[^a-z0-9]+", "-", f"c{number}-{stage}-{fault}").strip("-")
        self.rng = random.Random(SEED * 1000003 + number)
        self.events = []
        self.attaches = 0
        self.faults_done = 0
        self.lies = []
        self.result = ""

    def victims(self, flock):
        """A third of the nodes, the required and the others alike."""
        return sorted(self.rng.sample(flock.names, max(1, len(flock.names) // 3)))

    # ---- the run

    def experiment(self, flock):
        return flock.experiment({
            "name": self.name, "duration": f"{RUN_S} s",
            "start": {"clock_error_max": "500 ms"},
            "defaults": {"mode": "harvest", "harvester": {"inherit_from": "cv20"},
                         "record": {"sync_interval": "200 ms"}}}, f"{self.name}.yaml")

    def inflict(self, flock, herd, delay_s):
        fault, victims = FAULTS[self.fault], self.victims(flock)
        time.sleep(delay_s)
        fault.begin(flock, herd, victims)
        try:
            time.sleep(fault.lasts(self.rng))
        finally:
            fault.end(flock, herd, victims)
        self.faults_done += 1

    def run(self, flock):
        stage, delay_s = STAGES[self.stage]
        command = flock.command("run", self.experiment(flock), "-o", flock.results, "--json")
        with open(os.path.join(flock.folder, f"{self.name}.err"), "wb") as errors:
            herd = subprocess.Popen(command, env=flock.env, cwd=flock.folder, text=True,
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=errors)
        guard = threading.Timer(RUN_LIMIT_S, herd.kill)
        guard.start()
        worker = threading.Thread(target=self.inflict, args=(flock, herd, delay_s))
        begun = stage is None
        if begun:
            worker.start()
        for line in herd.stdout:
            if line.startswith("{"):
                self.events.append(json.loads(line))
                if not begun and self.events[-1]["event"] == stage:
                    begun = True
                    worker.start()
        herd.wait()
        herd.stdout.close()
        if not guard.is_alive():
            self.lies.append(f"herd did not end within {RUN_LIMIT_S:.0f} s")
        guard.cancel()
        if not begun:
            self.lies.append(f"the stage was never reached: {self.events[-3:]}")
        else:
            worker.join()

    def attach(self, flock):
        """What herd left open is continued until it is closed."""
        end = time.monotonic() + SETTLE_S
        while flock.herd("attach", "--list").out.strip():
            if time.monotonic() > end:
                self.lies.append(f"still open: {flock.herd('attach', '--list').out}")
                break
            done = flock.herd("attach", "--json", limit_s=SETTLE_S)
            self.attaches += 1
            self.events += done.lines()

    # ---- the judgement

    def said(self):
        """The last summary: T, verdict of every node, digests of the manifest."""
        summaries = [event for event in self.events if event.get("event") == "summary"]
        if not summaries:
            return 0, {}, {}
        digests = {}
        if summaries[-1]["manifest"]:
            with open(summaries[-1]["manifest"], encoding="utf-8") as file:
                digests = {name: node.get("log_digest")
                           for name, node in yaml.safe_load(file)["nodes"].items()}
        return (summaries[-1]["T_ns"],
                {node["node"]: node["verdict"] for node in summaries[-1]["nodes"]}, digests)

    def judge(self, flock):
        T_ns, verdicts, digests = self.said()
        counts = {}
        for name in flock.names:
            logs = log_oracle.logs_of(flock.data(name, "recordings"), self.name)
            verdict = verdicts.get(name)
            kind = log_oracle.kind_of(verdict) if verdict is not None else "not started"
            counts[kind] = counts.get(kind, 0) + 1
            self.lies += [f"{name}: {lie}" for lie in log_oracle.lies(
                verdict, T_ns, digests.get(name), logs, RUN_S * harness.SAMPLE_RATE_HZ)]
        self.result = "".join(f"{counts[kind]}{sign}" for kind, sign in KINDS.items()
                              if kind in counts) + ("+" if self.attaches else "")

    def free(self, flock):
        def is_free():
            done = flock.herd("status", "--json", "-t", "5")
            states = [line.get("state") for line in done.lines()]
            return done.status == 0 and len(states) == len(flock.names) and \
                set(states) <= {"idle", "done"}
        harness.wait_for("all nodes are free again", is_free, SETTLE_S)

    def play(self, flock):
        self.run(flock)
        self.attach(flock)
        self.judge(flock)
        if not self.lies:
            self.free(flock)

    def story(self):
        words = [f"{self.stage}/{self.fault}: {lie}" for lie in self.lies]
        return "\n  ".join(words + [json.dumps(event)[:600] for event in self.events])


def keep(_, config):
    config["retention"] = "keep"


class Lane(threading.Thread):
    """Plays cells one after the other with a flock of its own."""

    def __init__(self, number, cells):
        super().__init__()
        self.number, self.cells, self.trouble = number, cells, None

    def run(self):
        flock = None
        try:
            while True:
                try:
                    cell = self.cells.get_nowait()
                except queue.Empty:
                    return
                flock = flock or FarFlock(NODES, seed=SEED + self.number, lane=self.number,
                                          change=keep)
                try:
                    cell.play(flock)
                except Exception as error:  # told by the cell, and the next one begins anew
                    cell.lies.append(f"{type(error).__name__}: {error}")
                if cell.lies:
                    print(cell.story(), flush=True)
                    flock.close(keep=True)
                    flock = None
                if os.environ.get("BW_FAULT_TALK"):
                    print(f"  {cell.stage}/{cell.fault}: {cell.result}", flush=True)
        except BaseException as error:
            self.trouble = error
        finally:
            if flock:
                flock.close()


def play(cells):
    waiting = queue.Queue()
    for cell in cells:
        waiting.put(cell)
    lanes = [Lane(i, waiting) for i in range(LANES)]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    for lane in lanes:
        if lane.trouble:
            raise lane.trouble


def print_matrix(cells):
    width = max(len(fault) for fault in FAULTS) + 1
    print(f"figure: {'':{width}}" + "".join(f"{stage:>9}" for stage in STAGES))
    for fault in FAULTS:
        row = {cell.stage: (cell.result or "none") + ("!" if cell.lies else "")
               for cell in cells if cell.fault == fault}
        print(f"figure: {fault:{width}}" + "".join(f"{row.get(s, '.'):>9}" for s in STAGES))
    print("figure: v valid, i invalid, - not started, + after herd attach, ! a lie")


def test_every_fault_at_every_stage_ends_with_the_truth():
    require()
    cells = [Cell(stage, fault, i) for i, (stage, fault) in
             enumerate((stage, fault) for stage in STAGES for fault in FAULTS)
             if re.search(ONLY, f"{stage}/{fault}")]
    begin = time.monotonic()
    play(cells)
    print_matrix(cells)
    print(f"figure: {len(cells)} cells of {NODES} nodes, {sum(c.faults_done for c in cells)} "
          f"faults, {time.monotonic() - begin:.0f} s, seed {SEED}")
    assert all(cell.result and cell.faults_done == 1 for cell in cells), "a cell was not run"
    assert not any(cell.lies for cell in cells), [cell.name for cell in cells if cell.lies]


if __name__ == "__main__":
    harness.main(globals())
