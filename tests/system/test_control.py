#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Who commands a run: herd killed at every stage, stopped, detached, attached again."""
import json
import os
import signal
import subprocess
import time

import h5py
import yaml

import harness
from harness import Flock, SAMPLE_RATE_HZ, wait_for

LIMIT_S = 400
# Seconds into a run of 1 s: before HELLO is answered, while nodes prepare, around ARM and GO,
# before T, during the run, while it is collected, around verdict and release.
KILL_AT_S = (0.02, 0.06, 0.09, 0.12, 0.16, 0.25, 0.6, 1.1, 1.6, 2.1, 2.4, 2.5, 2.6, 2.8)


def experiment(name, duration="1 s", **more):
    # a busy machine starts its simulated boards late; that is not what is tested here
    content = {"name": name, "start": {"clock_error_max": "50 ms"}, "defaults": {
        "mode": "harvest", "harvester": {"inherit_from": "cv20"},
        "record": {"sync_interval": "200 ms"}}}
    if duration:
        content["duration"] = duration
    return dict(content, **more)


def samples(path):
    with h5py.File(path, "r") as file:
        return len(file["data/voltage"])


def text_of(process):
    with open(process.log, encoding="utf-8") as file:
        return file.read()


def started(process, count):
    return text_of(process).count(": started, ") >= count


def test_herd_killed_at_any_moment_leaves_a_run_that_attach_ends():
    with Flock(2) as flock:
        whole = nothing = 0
        for second in KILL_AT_S:
            path = flock.experiment(experiment("kill"))
            for old in flock.files("*"):
                os.unlink(old)
            herd = flock.spawn("run", path, "-o", flock.results)
            time.sleep(second)
            herd.send_signal(signal.SIGKILL)
            herd.wait()
            done = flock.herd("attach")
            files = flock.files("hrv_kill_*.h5")
            said = text_of(herd)
            if done.status == 0:
                assert len(files) == 2, (second, str(done))
                assert {samples(file) for file in files} == {SAMPLE_RATE_HZ}, second
                whole += 1
            elif "no GO was decided" in done.err:
                assert not files, (second, files)
                nothing += 1
            else:
                # it had ended, or not even begun
                assert "no run is left" in done.err, (second, str(done))
                assert len(files) in (0, 2) and ("started" not in said or len(files) == 2), second
            assert not flock.files("*.part") and all(os.path.getsize(file) for file in files)
            left = flock.herd("ls", "--json")
            assert left.status == 0, str(left)
            for name in flock.names:
                wait_for(f"{name} keeps nothing ({second})",
                         lambda name=name: not os.listdir(flock.data(name, "recordings")), 5)
        print(f"figure: killed at {len(KILL_AT_S)} moments: {whole} runs whole, {nothing} unstarted")
        assert whole >= 4
        again = flock.run(experiment("after"))
        assert again.status == 0, str(again)


def test_stop_ends_all_nodes_at_one_sample():
    with Flock(3) as flock:
        herd = flock.spawn("run", flock.experiment(experiment("long", "60 s")), "-o", flock.results)
        wait_for("all started", lambda: started(herd, 3), 20)
        stopped = flock.herd("stop")
        assert stopped.status == 0, str(stopped)
        status = herd.wait(30)
        text = text_of(herd)
        assert status == 0, text
        counts = {samples(flock.file_of(name)) for name in flock.names}
        assert len(counts) == 1 and f"stopped after {counts.pop()} samples" in text, text
        assert "nothing runs" in flock.herd("stop").out


def test_a_harvest_without_an_end_ends_with_stop():
    with Flock(1) as flock:
        herd = flock.spawn("run", flock.experiment(experiment("open", None)), "-o", flock.results)
        wait_for("it started", lambda: started(herd, 1), 20)
        assert flock.herd("stop").status == 0
        assert herd.wait(30) == 0, text_of(herd)
        assert samples(flock.file_of("sheep0")) > 0
        assert "remarks" not in text_of(herd), text_of(herd)


def test_detached_by_a_second_interrupt_and_attached_by_name():
    with Flock(2) as flock:
        herd = flock.spawn("run", flock.experiment(experiment("detach", "60 s")),
                           "-o", flock.results)
        wait_for("all started", lambda: started(herd, 2), 20)
        herd.send_signal(signal.SIGINT)
        herd.send_signal(signal.SIGINT)
        wait_for("it sees the first", lambda: "stopping in order" in text_of(herd) or
                 herd.poll() is not None, 10)
        if herd.poll() is None:
            herd.send_signal(signal.SIGINT)
        assert herd.wait(30) == 130
        text = text_of(herd)
        if "herd attach" in text:  # else it was quicker than the second interrupt
            name = text.split("herd attach ")[-1].split()[0]
            assert name in flock.herd("attach", "--list").out
            done = flock.herd("attach", name)
            assert done.status == 0, str(done)
        counts = {samples(flock.file_of(name)) for name in flock.names}
        assert len(counts) == 1, counts


def test_an_interrupt_between_agreement_and_start_is_no_lie():
    with Flock(2) as flock:
        for _ in range(3):
            herd = subprocess.Popen(
                flock.command("run", flock.experiment(experiment("between", "60 s")),
                              "-o", flock.results, "--json"), env=flock.env, cwd=flock.folder,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            lines = []
            for line in herd.stdout:
                lines.append(line)
                if '"committed"' in line:
                    herd.send_signal(signal.SIGINT)
            assert herd.wait(40) == 130, lines
            herd.stdout.close()
            assert not any("nothing was started" in line for line in lines), lines
            for name in flock.names:
                assert flock.file_of(name), lines
            assert {line["state"] for line in flock.herd("status", "--json").lines()} == {"idle"}


def test_an_attach_that_is_interrupted_can_be_attached_again():
    with Flock(1) as flock:
        herd = flock.spawn("run", flock.experiment(experiment("again", "2 s")), "-o", flock.results)
        wait_for("it started", lambda: started(herd, 1), 20)
        herd.send_signal(signal.SIGKILL)
        herd.wait()
        flock.processes["sheep0"].send_signal(signal.SIGSTOP)
        said = []
        for options in ([], ["--json"]):
            attach = flock.spawn("attach", *options)
            time.sleep(0.7)
            attach.send_signal(signal.SIGINT)
            assert attach.wait(20) == 130, text_of(attach)
            said.append(text_of(attach))
        flock.processes["sheep0"].send_signal(signal.SIGCONT)
        assert "herd attach" in said[0], said
        summary = json.loads(said[1].splitlines()[-1])
        assert summary["is_open"] and summary["status"] == 130, said
        done = flock.herd("attach")
        assert done.status == 0, str(done)
        assert samples(flock.file_of("sheep0")) == 2 * SAMPLE_RATE_HZ


def test_a_node_that_hangs_holds_up_nobody_and_is_waited_for():
    with Flock(3) as flock:
        herd = flock.spawn("run", flock.experiment(experiment("hang", "3 s")), "-o", flock.results)
        wait_for("all started", lambda: started(herd, 3), 20)
        flock.processes["sheep1"].send_signal(signal.SIGSTOP)
        wait_for("the others end", lambda: text_of(herd).count(": valid") >= 2, 20)
        assert "sheep1: silent" in text_of(herd)
        flock.processes["sheep1"].send_signal(signal.SIGCONT)
        assert herd.wait(30) == 0, text_of(herd)
        assert {samples(flock.file_of(name)) for name in flock.names} == {3 * SAMPLE_RATE_HZ}


def test_one_node_fails_and_all_stop_if_so_agreed():
    with Flock(3) as flock:
        content = experiment("fail", "60 s", run={"on_failure": "stop_all"})
        herd = flock.spawn("run", flock.experiment(content), "-o", flock.results)
        wait_for("all started", lambda: started(herd, 3), 20)
        time.sleep(0.5)
        os.kill(flock.recorder_pid("sheep1"), signal.SIGKILL)
        assert herd.wait(40) == 1, text_of(herd)
        text = text_of(herd)
        assert "run.on_failure" in text, text
        counts = {samples(flock.file_of(name)) for name in ("sheep0", "sheep2")}
        assert len(counts) == 1 and 0 < counts.pop() < 30 * SAMPLE_RATE_HZ, text


def test_an_input_goes_to_a_node_once():
    with Flock(2) as flock:
        done = flock.run(experiment("harvest"))
        assert done.status == 0, str(done)
        source = flock.file_of("sheep0").replace("sheep0", "{node}")
        for _ in range(2):
            done = flock.herd("emulate", "-a", "BQ25570s", "-d", "1", "-o", flock.results, source)
            assert done.status in (0, 1) and flock.files("emu_*_sheep1.h5"), str(done)
        for name in flock.names:
            inputs = os.listdir(flock.data(name, "inputs"))
            assert len(inputs) == 1 and inputs[0].endswith(".inp"), inputs
        assert not os.path.exists(os.path.join(flock.results, ".bellwether"))


def test_the_manifest_tells_the_whole_story():
    with Flock(2) as flock:
        done = flock.run(experiment("story"), "--json")
        assert done.status == 0, str(done)
        summary = done.lines()[-1]
        with open(summary["manifest"], encoding="utf-8") as file:
            manifest = yaml.safe_load(file)
        assert manifest["T_ns"] == summary["T_ns"] and manifest["experiment"] == "story"
        for name in flock.names:
            node = manifest["nodes"][name]
            assert node["verdict"] == "valid" and node["n_samples"] == SAMPLE_RATE_HZ
            assert node["is_released"] is True and len(node["log_digest"]) == 64
            assert abs(node["clock"]["offset_to_median_ns"]) < 1e8
            assert node["config"]["harvester"]["name"] == "cv20"
            assert os.path.exists(os.path.join(flock.results, node["file"]))
        events = [line["event"] for line in done.lines()]
        for event in ("connected", "arming", "go", "committed", "started", "ended", "verdict"):
            assert event in events, events
        print("figure: last READY to T", round(summary["ready_to_T_s"], 3), "s; overhead",
              round(summary["seconds"] - 1.0, 3), "s; result after",
              json.dumps([round(node["latency_s"], 3) for node in summary["nodes"]]), "s")


if __name__ == "__main__":
    harness.main(globals())
