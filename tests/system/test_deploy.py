#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`herd deploy` against a real sshd: the program arrives whole and runs, or nothing changes."""
import json
import os
import stat
import subprocess

import harness
from harness import Flock, SHEEP
from test_enroll import Node

LIMIT_S = 120


class Target(Node):
    """One node without an agent."""

    def __init__(self):
        super().__init__()
        self.bin = self.path("bin")

    def deploy(self, *words, identity="user"):
        return self.herd("deploy", "-k", self.path("herd.key"), "-d", self.bin, "-p",
                         str(self.port), "--known-hosts", self.path("known_hosts"), "--identity",
                         self.path(identity), *words)

    def installed(self):
        return sorted(os.listdir(self.bin)) if os.path.exists(self.bin) else []


def content(path):
    with open(path, "rb") as file:
        return file.read()


def test_the_program_arrives_and_the_agent_is_started_anew():
    with Target() as target:
        mark = target.path("restarted")
        done = target.deploy("--restart", f"echo yes > {mark}", SHEEP)
        assert done.returncode == 0, done
        assert "sheep0 (1): has sheep 0" in done.stdout and "started anew" in done.stdout, done
        assert target.installed() == ["sheep"]
        path = os.path.join(target.bin, "sheep")
        assert content(path) == content(SHEEP) and os.stat(path).st_mode & stat.S_IXOTH
        assert content(mark) == b"yes\n"
        # Again, over the one that is there; without FILE it is the one that belongs to this herd.
        done = target.deploy("--no-restart", "--json")
        assert done.returncode == 0, done
        assert json.loads(done.stdout)["result"] == "deployed", done
        assert subprocess.run([path, "--version"], check=False).returncode == 0


def test_a_program_that_does_not_run_there_changes_nothing():
    with Target() as target:
        assert target.deploy("--no-restart", SHEEP).returncode == 0
        broken = target.path("broken")
        with open(broken, "wb") as file:
            file.write(content(SHEEP)[:2000])
        done = target.deploy("--restart", f"touch {target.path('never')}", broken)
        assert done.returncode == 1 and "failed" in done.stderr, done
        assert target.installed() == ["sheep"]
        assert content(os.path.join(target.bin, "sheep")) == content(SHEEP)
        assert not os.path.exists(target.path("never"))
        done = target.deploy(target.path("herd.yml"))
        assert done.returncode == 2 and "no program" in done.stderr, done


def test_who_is_not_let_in_changes_nothing_and_says_why():
    with Target() as target:
        done = target.deploy("--no-restart", SHEEP, identity="other")
        assert done.returncode == 1 and "not let in" in done.stderr, done
        target.know("other")
        done = target.deploy("--no-restart", SHEEP)
        assert done.returncode == 1 and "CHANGED" in done.stderr, done
        assert target.installed() == []
        done = target.deploy("-d", "/tmp/$(id)", SHEEP)
        assert done.returncode == 2 and "plain absolute path" in done.stderr, done


def test_a_node_in_use_is_left_as_it_is():
    with Target() as target, Flock(1) as flock:
        run = flock.spawn("run", flock.experiment({
            "name": "long", "duration": "60 s", "defaults": {"mode": "harvest"}}), "-o",
            flock.results, "--json")

        def is_started():
            with open(run.log, encoding="utf-8") as file:
                return '"started"' in file.read()
        harness.wait_for("it runs", is_started, 20)
        done = flock.herd("deploy", "-d", target.bin, "-p", target.port, "--no-restart",
                          "--known-hosts", target.path("known_hosts"), "--identity",
                          target.path("user"), SHEEP)
        assert done.status == 1 and "in use by herd for experiment long" in done.err, str(done)
        assert target.installed() == []
        run.terminate()
        run.wait(30)


if __name__ == "__main__":
    harness.main(globals())
