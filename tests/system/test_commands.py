#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The short commands against real nodes, and who may give them."""
import json
import os
import shutil
import signal
import subprocess
import time

import h5py

import harness
from harness import HERD, Flock, SLOWER, wait_for

LIMIT_S = 240


def give_key(flock, name, role):
    """A key of that role that every node authorizes; its path."""
    path = os.path.join(flock.folder, name)
    made = flock.herd("keygen", "-r", role, "-n", name, path, inventory=False)
    assert made.status == 0, str(made)
    for node in flock.names:
        shutil.copy(path + ".pub", os.path.join(flock.flock, node, "authorized"))
    return path + ".key"


def by_node(result):
    return {line["node"]: line for line in result.lines()}


def test_status_and_alive_tell_who_is_there():
    with Flock(4) as flock:
        done = flock.herd("status")
        assert done.status == 0 and "sheep[0-3]" in done.out and "idle" in done.out, str(done)
        assert len(done.out.splitlines()) == 2, str(done)
        done = flock.herd("status", "--json")
        assert {line["state"] for line in done.lines()} == {"idle"}, str(done)
        assert by_node(done)["sheep2"]["has_calibration"] is True
        assert flock.herd("alive").status == 0
        flock.kill("sheep1", signal.SIGTERM)
        done = flock.herd("alive", "-t", "1")
        assert done.status == 1 and "silent: sheep1" in done.out, str(done)
        done = flock.herd("status", "-t", "1")
        assert done.status == 1 and "sheep[0,2-3]" in done.out and "silent" in done.out, str(done)
        for name in ("sheep0", "sheep2", "sheep3"):
            flock.kill(name, signal.SIGTERM)
        assert flock.herd("alive", "-t", "0.5").status == 3
        assert flock.herd("status", "-t", "0.5").status == 3


def test_a_stopped_node_does_not_hold_up_the_others():
    with Flock(3) as flock:
        flock.processes["sheep1"].send_signal(signal.SIGSTOP)
        try:
            done = flock.herd("status", "--json", "-t", "1")
        finally:
            flock.processes["sheep1"].send_signal(signal.SIGCONT)
        states = {node: line["state"] for node, line in by_node(done).items()}
        assert states == {"sheep0": "idle", "sheep1": "silent", "sheep2": "idle"}, str(done)
        assert done.status == 1


def late_clock(name, config):
    if name == "sheep2":
        config["clock"]["offset_us"] = 37e6
    if name == "sheep3":
        config["clock"]["locked"] = False


def test_clock_proves_what_it_can():
    with Flock(4, change=late_clock) as flock:
        done = flock.herd("clock", "--json")
        nodes = by_node(done)
        assert done.status == 1, str(done)
        assert nodes["sheep2"]["fault"] == "proven off", str(done)
        assert abs(nodes["sheep2"]["offset_ns"] - 37e9) <= nodes["sheep2"]["bound_ns"], str(done)
        assert nodes["sheep3"]["fault"] == "not locked", str(done)
        for name in ("sheep0", "sheep1"):
            assert nodes[name]["fault"] == "", str(done)
            assert nodes[name]["bound_ns"] < 20e6, str(done)
        assert flock.herd("clock", "sheep[0-1]").status == 0


def test_an_observer_looks_and_does_not_act():
    with Flock(2) as flock:
        key = give_key(flock, "olga", "observer")
        assert flock.herd("status", "-k", key).status == 0
        assert flock.herd("ls", "-k", key).status == 0
        assert flock.herd("clock", "-k", key).status == 0
        done = flock.herd("rm", "-k", key, "-f", "*")
        assert done.status == 2 and "no recording" in done.err, str(done)
        content = {"name": "forbidden", "duration": "1 s",
                   "defaults": {"mode": "harvest", "harvester": {"inherit_from": "cv20"}}}
        done = flock.run(content, "-k", key)
        assert done.status == 1 and "not allowed to observer" in done.out + done.err, str(done)
        assert not flock.files(), flock.files()
        assert all(not os.listdir(flock.data(name, "recordings")) for name in flock.names)


def test_keys_are_given_and_taken_while_nodes_run():
    with Flock(2) as flock:
        key = give_key(flock, "ann", "operator")
        wait_for("ann is let in", lambda: flock.herd("alive", "-k", key, "-t", "1").status == 0)
        for node in flock.names:
            os.unlink(os.path.join(flock.flock, node, "authorized", "ann.pub"))
        time.sleep(1.5)
        assert flock.herd("alive", "-k", key, "-t", "1").status == 3
        # Who waits is let in as soon as the key is back.
        waiting = flock.spawn("alive", "-k", key, "-t", "20")
        time.sleep(0.5)
        for node in flock.names:
            shutil.copy(os.path.join(flock.folder, "ann.pub"),
                        os.path.join(flock.flock, node, "authorized"))
        assert waiting.wait(20) == 0
        assert flock.herd("alive").status == 0
        assert all(process.poll() is None for process in flock.processes.values())


def test_a_key_that_others_can_read_is_refused():
    with Flock(1) as flock:
        path = os.path.join(flock.flock, "herd.key")
        os.chmod(path, 0o640)
        done = flock.herd("status")
        assert done.status == 2 and "chmod 0600" in done.err, str(done)
        os.chmod(path, 0o600)
        node_key = os.path.join(flock.flock, "sheep0", "sheep.key")
        flock.kill("sheep0", signal.SIGTERM)
        os.chmod(node_key, 0o604)
        # Not through a pipe: a recorder may hold its other end.
        flock.start("sheep0", wait=False)
        assert flock.processes["sheep0"].wait(20) != 0
        assert "chmod 0600" in flock.log("sheep0"), flock.log("sheep0")


def test_sim_starts_detached_and_stops():
    with Flock(3, start=False) as flock:
        def sim(*words):
            return flock.herd("sim", "-d", flock.flock, *words, inventory=False)
        try:
            started = sim("--detach", "--json")
            assert started.status == 0, str(started)
            assert started.lines()[0]["nodes"] == 3
            assert flock.herd("alive").status == 0
            again = sim("--detach")
            assert again.status == 2 and "runs already" in again.err, str(again)
            assert flock.herd("alive").status == 0
        finally:
            stopped = sim("--stop")
        assert stopped.status == 0 and "3 sheep ended" in stopped.out, str(stopped)
        assert flock.herd("alive", "-t", "0.5").status == 3
        assert all(flock.recorder_pid(name) is None for name in flock.names)


def test_sim_in_the_foreground_ends_with_ctrl_c():
    with Flock(2, start=False) as flock:
        log = os.path.join(flock.folder, "sim.log")
        with open(log, "wb") as file:
            sim = subprocess.Popen([HERD, "sim", "-d", flock.flock], stdout=file, stderr=file,
                                   env=flock.env)

        def is_ready():
            with open(log, encoding="utf-8") as file:
                return "are ready" in file.read()
        wait_for("the sheep are ready", is_ready, 30)
        assert flock.herd("alive").status == 0
        sim.send_signal(signal.SIGINT)
        assert sim.wait(20) == 0
        assert flock.herd("alive", "-t", "0.5").status == 3
        assert all(flock.recorder_pid(name) is None for name in flock.names)


HARVEST = {"name": "left", "duration": "2 s",
           "defaults": {"mode": "harvest", "harvester": {"inherit_from": "cv20"}}}


def keep(name, config):
    config["retention"] = "keep"


def samples_of(path):
    with h5py.File(path, "r") as file:
        return [len(file["data"][name]) for name in ("time", "voltage", "current")]


def test_what_a_dead_herd_left_is_retrieved_and_released():
    with Flock(3) as flock:
        seconds = int(5 * SLOWER)
        path = flock.experiment(dict(HARVEST, duration=f"{seconds} s"))
        herd = flock.spawn("run", path, "-o", flock.results)

        def are_running():
            return all(line["state"] == "running" for line in flock.herd("status", "--json").lines())
        wait_for("all nodes record", are_running, 30)
        herd.kill()
        herd.wait()
        done = flock.herd("retrieve", "-o", flock.results)
        assert done.status == 0 and "nothing to retrieve" in done.out, str(done)

        def are_closed():
            lines = flock.herd("ls", "--json").lines()
            return len(lines) == 3 and all(line["state"] == "closed" for line in lines)
        wait_for("all logs are closed", are_closed, 30)
        output = os.path.join(flock.folder, "later")
        # A copy that is not what the node holds releases nothing, and is fetched anew.
        log = next(line["name"] for line in flock.herd("ls", "--json").lines()
                   if line["node"] == "sheep1")
        spoilt = os.path.join(output, ".bellwether", log[:-len("_sheep1")], "sheep1.rlog")
        os.makedirs(spoilt)
        with open(flock.data("sheep1", "recordings", log + ".rlog", "000000.seg"), "rb") as file:
            content = bytearray(file.read())
        content[5000] ^= 1
        with open(os.path.join(spoilt, "000000.seg"), "wb") as file:
            file.write(content)
        done = flock.herd("retrieve", "-o", output, "-l", "sheep1")
        assert done.status == 1 and "not what the node holds" in done.err, str(done)
        assert len(flock.herd("ls", "--json").lines()) == 3
        done = flock.herd("retrieve", "-o", output, "--json")
        assert done.status == 0, str(done)
        assert all(line["is_released"] and line["samples"] == seconds * 100000 for line in done.lines())
        names = sorted(os.listdir(output))
        assert len(names) == 3 and all(name.startswith("hrv_left_") for name in names), names
        for name in names:
            assert samples_of(os.path.join(output, name)) == [seconds * 100000] * 3
            done = flock.herd("verify", os.path.join(output, name), inventory=False)
            assert done.status == 0, str(done)
        assert flock.herd("ls", "--json").lines() == []
        assert all(not os.listdir(flock.data(name, "recordings")) for name in flock.names)


def test_what_a_node_retains_is_retrieved_by_name_and_removed():
    with Flock(2, change=keep) as flock:
        for name in ("one", "two"):
            done = flock.run(dict(HARVEST, name=name, duration="0.5 s"))
            assert done.status == 0, str(done)
        lines = flock.herd("ls", "--json").lines()
        assert len(lines) == 4 and {line["state"] for line in lines} == {"released"}, lines
        output = os.path.join(flock.folder, "later")
        done = flock.herd("retrieve", "-o", output)
        assert done.status == 0 and not os.listdir(output), "somebody has those: " + str(done)
        done = flock.herd("retrieve", "--latest", "-o", output, "-l", "sheep1")
        names = os.listdir(output)
        assert done.status == 0 and len(names) == 1, str(done)
        assert names[0].startswith("hrv_two_") and names[0].endswith("_sheep1.h5"), names
        # A name that is taken is never written over.
        done = flock.herd("retrieve", "two", "-o", output, "-l", "sheep1")
        assert done.status == 0 and len(os.listdir(output)) == 2, str(done)
        done = flock.herd("rm", "one")
        assert done.status == 2, "not without a yes"
        assert flock.herd("rm", "one", stdin="y\n").status == 0
        assert {line["name"][:3] for line in flock.herd("ls", "--json").lines()} == {"two"}
        assert flock.herd("rm", "-f", "*").status == 0
        assert flock.herd("ls", "--json").lines() == []


def test_inputs_are_distributed_once():
    with Flock(2) as flock:
        done = flock.run(dict(HARVEST, name="source", duration="0.5 s"))
        assert done.status == 0, str(done)
        source = flock.file_of("sheep0", "hrv_source")
        done = flock.herd("distribute", source, "--json")
        assert done.status == 0 and all(line["is_there"] for line in done.lines()), str(done)
        inputs = {name: os.listdir(flock.data(name, "inputs")) for name in flock.names}
        assert inputs["sheep0"] == inputs["sheep1"] and len(inputs["sheep0"]) == 1, inputs
        before = os.stat(flock.data("sheep0", "inputs", inputs["sheep0"][0])).st_mtime_ns
        assert flock.herd("distribute", source).status == 0
        assert os.stat(flock.data("sheep0", "inputs", inputs["sheep0"][0])).st_mtime_ns == before
        each = source.replace("sheep0", "{node}")
        assert flock.herd("distribute", each).status == 0
        assert len(os.listdir(flock.data("sheep0", "inputs"))) == 1
        assert len(os.listdir(flock.data("sheep1", "inputs"))) == 2
        done = flock.herd("distribute", source + ".missing")
        assert done.status == 2 and "missing" in done.err, str(done)
        flock.kill("sheep1", signal.SIGTERM)
        done = flock.herd("distribute", "-t", "1", source)
        assert done.status == 1 and "sheep1" in done.err and "sheep0: has" in done.out, str(done)


def test_neither_observer_nor_another_operator_stops_a_run():
    with Flock(2) as flock:
        keys = {"olga": give_key(flock, "olga", "observer"),
                "otto": give_key(flock, "otto", "operator")}
        wait_for("all keys are known", lambda: all(
            flock.herd("alive", "-k", key, "-t", "1").status == 0 for key in keys.values()))
        seconds = int(4 * SLOWER)
        path = flock.experiment(dict(HARVEST, name="mine", duration=f"{seconds} s"))
        run = flock.spawn("run", path, "-o", flock.results)

        def are_running():
            return all(line["state"] == "running" for line in flock.herd("status", "--json").lines())
        wait_for("all nodes record", are_running, 30)
        for name, key in keys.items():
            done = flock.herd("stop", "-k", key)
            assert done.status == 1, name + ": " + str(done)
            done = flock.herd("rm", "-f", "*", "-k", key)
            assert done.status == 1, name + ": " + str(done)
            states = flock.herd("status", "--json", "-k", key).lines()
            assert all(line["owner"] for line in states), "in use by whom"
        assert run.wait(30) == 0, open(run.log, encoding="utf-8").read()
        for name in flock.names:
            assert samples_of(flock.file_of(name, "hrv_mine")) == [seconds * 100000] * 3


def complete(*words):
    script = f"""
herd() {{ '{HERD}' "$@"; }}
eval "$(herd completion)"
COMP_WORDS=({" ".join(f"'{word}'" for word in words)})
COMP_CWORD={len(words) - 1}
_herd
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=20,
                          check=True)
    return done.stdout.split()


def test_bash_completes_commands_and_options():
    assert complete("herd", "retr") == ["retrieve"]
    assert {"run", "harvest", "sim", "status"} <= set(complete("herd", ""))
    assert complete("herd", "sim", "--deta") == ["--detach"]
    assert complete("herd", "-i", "x.yml", "sim", "--base") == ["--base-port"]
    assert complete("herd", "--invent") == ["--inventory"]
    assert subprocess.run([HERD, "completion", "fish"], capture_output=True, timeout=20,
                          check=False).returncode == 2


def test_what_is_not_there_is_said():
    with Flock(1) as flock:
        done = flock.herd("ls")
        assert done.status == 0 and "no recordings" in done.out, str(done)
        assert flock.herd("ls", "--json").lines() == []
        done = flock.herd("rm", "-f", "nothing")
        assert done.status == 2 and "no recording" in done.err, str(done)
        done = flock.herd("status", "-l", "sheep7")
        assert done.status == 2 and "sheep7" in done.err, str(done)
        done = flock.herd("frobnicate")
        assert done.status == 2
        done = flock.herd("staus", "--json")
        assert json.loads(done.err)["error"] == "usage", str(done)
        done = flock.herd("rm", "-f", "nothing", "--json")
        assert json.loads(done.err)["error"] == "not_found", str(done)
        done = flock.herd("retrieve", "nothing")
        assert done.status == 2 and "no recording of that name" in done.err, str(done)
        assert flock.herd("retrieve").status == 0
        done = flock.herd("attach", "nothing")
        assert done.status == 2 and "no run 'nothing'" in done.err, str(done)
        done = flock.herd("verify", flock.folder)
        assert done.status == 2 and "no recording log" in done.err, str(done)


def test_nodes_that_no_two_words_share_are_told():
    with Flock(2) as flock:
        done = flock.herd("status", "-l", "sheep0", "sheep1")
        assert done.status == 2 and "--limit sheep0 and 'sheep1'" in done.err, str(done)


def test_a_farm_that_cannot_start_says_why():
    with Flock(1) as flock:
        folder = os.path.join(flock.folder, "other")
        done = flock.herd("sim", "-n", "1", "-d", folder, "--base-port", str(flock.base_port),
                          "--detach", inventory=False)
        assert done.status == 1 and "0 of 1 sheep" in done.err, str(done)
        assert "Address already in use" in done.err, str(done)


if __name__ == "__main__":
    harness.main(globals())
