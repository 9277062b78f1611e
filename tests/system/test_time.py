#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The time monitor beside the real daemons: ptp4l and chronyd at both ends of a cable, phc2sys
beside a hardware clock that a shim plays. None of them may touch this machine's clock: ptp4l and
phc2sys discipline the shim's, chronyd runs with -x, and all without the right to set it."""
import json
import os
import re
import shutil
import signal
import subprocess
import time

import h5py
import numpy

import harness
from harness import Flock, wait_for
from link import HERD_ADDRESS, Link

LIMIT_S = 120
SHIM = "LD_PRELOAD=" + os.path.join(harness.BUILD, "tests", "libphcshim.so")
NO_CLOCK = ["setpriv", "--bounding-set=-sys_time", "--inh-caps=-sys_time", "stdbuf", "-oL"]
# ptp4l begins to follow after 0.016 s over its integral constant: by default that is 16 s.
PTP4L = """[global]
time_stamping software
free_running {free}
pi_proportional_const 0.1
pi_integral_const 0.05
slaveOnly {slave}
logAnnounceInterval -2
logSyncInterval -2
logMinDelayReqInterval -2
uds_address {socket}
"""


class Daemons:
    """What runs in a namespace, ended by process id."""

    def __init__(self, folder):
        self.folder, self.processes = folder, {}

    def start(self, space, name, *words, env=None):
        log = os.path.join(self.folder, name + ".log")
        with open(log, "wb") as out:
            self.processes[name] = subprocess.Popen(
                ["ip", "netns", "exec", space, *NO_CLOCK, *words], stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, env=dict(os.environ, **(env or {})))
        return log

    def ptp4l(self, space, name, slave):
        config, socket = (os.path.join(self.folder, f"{name}.{kind}") for kind in ("cfg", "sock"))
        with open(config, "w", encoding="utf-8") as file:
            file.write(PTP4L.format(slave=int(slave), free=int(not slave), socket=socket))
        words = ["ptp4l", "-f", config, "-i", "cable", "-m", "-q"]
        # Only who disciplines a clock follows a master: the shim's is none that it could harm.
        self.start(space, name, *(["env", SHIM] if slave else []), *words)
        return socket

    def chronyd(self, space, name, *lines):
        config = os.path.join(self.folder, f"{name}.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write("\n".join([*lines, f"pidfile {self.folder}/{name}.pid",
                                  "bindcmdaddress /", ""]))
        return self.start(space, name, "chronyd", "-x", "-d", "-u", "root", "-f", config)

    def phc2sys(self, space):
        return self.start(space, "phc2sys", "env", SHIM, "phc2sys", "-s", "/dev/ptp97",
                          "-c", "CLOCK_REALTIME", "-O", "0", "-m", "-q")

    def kill(self, name):
        process = self.processes.pop(name)
        process.terminate()
        process.wait(5)

    def close(self):
        for name in list(self.processes):
            self.kill(name)


def texts(file, group):
    return [text.decode() if isinstance(text, bytes) else text
            for text in file[group].get("message", [])]


def check_clocks(path):
    with h5py.File(path) as file:
        ptp = file["ptp/values"][:]
        phc = file["phc2sys/values"][:]
        begin = int(file["data/time"][0])
        assert len(ptp) >= 5 and len(phc) >= 5, (len(ptp), len(phc))
        # One clock behind both ends: off by what software stamps and a busy host make of it.
        assert abs(numpy.median(ptp[:, 0])) < 500_000 and numpy.any(ptp[:, 0] != 0), ptp
        assert numpy.all((ptp[:, 2] > 0) & (ptp[:, 2] < 5_000_000)), ptp
        assert abs(numpy.median(phc[:, 0]) + 5000) < 2000, phc  # the shim's clock is 5 us ahead
        assert numpy.all(phc[:, 2] > 0), phc
        for group in ("ptp", "phc2sys"):
            times = file[group]["time"][:].astype("int64")
            assert numpy.all(numpy.diff(times) > 0) and times[0] >= begin - 2_000_000_000, group
        lines = texts(file, "ntp")
        assert any(line.startswith("kernel clock: ") for line in lines), lines
        chrony = [line for line in lines if line.startswith("chrony: stratum ")]
        assert chrony, lines
        assert int(re.search(r"stratum (\d+)", chrony[0]).group(1)) == 6, chrony
        assert abs(float(re.search(r"offset (\S+) ns", chrony[0]).group(1))) < 5e6, chrony
        assert not [line for line in texts(file, "sheep") if "not heard" in line]


# How exactly software stamps on a busy host is not the subject.
EXPERIMENT = {"duration": "9 s", "start": {"clock_error_max": "50 ms"}, "defaults": {
    "mode": "harvest", "harvester": {"inherit_from": "cv20"}, "log": {"time": True, "sheep": True}}}


def set_clock(flock, **clock):
    config = flock.config("sheep0")
    flock.write_config("sheep0", dict(config, clock=dict(config.get("clock", {}), **clock)))


def claim(flock):
    """What the node's daemon claims, as herd hears it."""
    done = flock.herd("clock", "--json")
    return json.loads(done.out.splitlines()[0])


def check_claims(flock, daemons):
    said = claim(flock)
    assert said["source"] == "ptp4l" and said["is_locked"], said
    assert abs(said["claimed_offset_ns"]) < 50e6 and 0 < said["claimed_bound_ns"] < 50e6, said
    daemons.kill("master")  # it is missed three announcements of 0.25 s later
    wait_for("a clock that nobody leads", lambda: not claim(flock)["is_locked"], 20)
    refused = flock.run(dict(EXPERIMENT, name="unled", duration="1 s"))
    assert refused.status != 0 and "ptp4l" in str(refused), str(refused)
    for source in ("chrony", "auto"):  # which finds chrony, as ptp4l follows no master
        flock.kill("sheep0", signal.SIGTERM)
        set_clock(flock, source=source)
        flock.start("sheep0")
        wait_for("chrony speaks", lambda: claim(flock)["is_locked"], 10)
        said = claim(flock)
        assert said["source"] == "chrony" and 0 < said["claimed_bound_ns"] < 50e6, said


def test_ptp4l_phc2sys_and_chrony_are_heard():
    for program in ("ptp4l", "phc2sys", "chronyd", "setpriv"):
        if shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin") is None:
            raise harness.Skip(f"no {program}")
    with Link() as link, Flock(1, start=False) as flock:
        link.join(flock)
        daemons = Daemons(flock.folder)
        try:
            daemons.ptp4l(link.herd, "master", slave=False)
            socket = daemons.ptp4l(link.nodes, "slave", slave=True)
            daemons.chronyd(link.herd, "server", "local stratum 5", "allow 10.111.7.0/24",
                            "cmdport 0")
            daemons.chronyd(link.nodes, "client", f"server {HERD_ADDRESS} iburst minpoll 0",
                            "cmdport 323")
            log = daemons.phc2sys(link.nodes)
            set_clock(flock, source="ptp4l", ptp4l_socket=socket, phc2sys_log=log)
            flock.start("sheep0")

            def is_slave():
                with open(os.path.join(flock.folder, "slave.log"), encoding="utf-8") as file:
                    return "to SLAVE on MASTER_CLOCK_SELECTED" in file.read()
            wait_for("ptp4l follows its master", is_slave, 30)
            time.sleep(4)  # chronyd's first exchanges
            # It starts because ptp4l says that its clock is locked: nothing else does.
            done = flock.run(dict(EXPERIMENT, name="clocks"))
            assert done.status == 0, str(done)
            check_clocks(flock.file_of("sheep0"))
            check_claims(flock, daemons)
        finally:
            daemons.close()


def test_daemons_that_are_missing_are_named_once():
    def nowhere(name, config):
        config.setdefault("clock", {}).update(ptp4l_socket="/nowhere/ptp4l", chrony_port=1,
                                              phc2sys_log="/nowhere/log")
    with Flock(1, change=nowhere) as flock:
        done = flock.run({"name": "alone", "duration": "5 s", "defaults": {
            "mode": "harvest", "harvester": {"inherit_from": "cv20"},
            "log": {"time": True, "sheep": True}}})
        assert done.status == 0, str(done)
        with h5py.File(flock.file_of("sheep0")) as file:
            said = [line for line in texts(file, "sheep") if "not heard" in line]
            assert len(said) == 1, said
            assert all(word in said[0] for word in ("/nowhere/ptp4l", "phc2sys", "chrony")), said
            assert any(line.startswith("kernel clock: ") for line in texts(file, "ntp"))


if __name__ == "__main__":
    harness.main(globals())
