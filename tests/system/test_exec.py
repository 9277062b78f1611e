#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`herd exec` against a real sshd: what ran where, how it ended, and who is not let in."""
import getpass
import json
import os
import signal

import yaml

import harness
from harness import wait_for
from test_enroll import Node

LIMIT_S = 120


class Nodes(Node):
    """Three names for one sshd."""

    def __init__(self):
        super().__init__()
        hosts = {f"sheep{i}": {"ansible_host": "127.0.0.1", "port": 4240 + 10 * i,
                               "ansible_user": getpass.getuser()} for i in range(3)}
        self.write("herd.yml", yaml.safe_dump({"sheep": {"hosts": hosts}}))

    def exec(self, *words, options=(), identity="user"):
        return self.herd("exec", "-p", str(self.port), "--known-hosts", self.path("known_hosts"),
                         "--identity", self.path(identity), *options, "--", *words)


def test_equal_answers_are_shown_once():
    with Nodes() as nodes:
        done = nodes.exec("echo", "one;", "echo two")
        assert done.returncode == 0, done
        assert done.stdout == "--- sheep[0-2] (3)\none\ntwo\n", done
        assert done.stderr == "", done


def test_different_answers_are_shown_apart():
    with Nodes() as nodes:
        # Each connection comes from a port of its own.
        done = nodes.exec("echo $SSH_CONNECTION | cut -d ' ' -f 2")
        assert done.returncode == 0, done
        lines = done.stdout.splitlines()
        assert lines[0::2] == [f"--- sheep{i} (1)" for i in range(3)], done
        assert len(set(lines[1::2])) == 3, done


def test_limit_chooses_and_json_tells_all():
    with Nodes() as nodes:
        done = nodes.exec("echo said; echo complained >&2; exit 3", options=["-l", "sheep[1-2]", "--json"])
        assert done.returncode == 1, done
        said = [json.loads(line) for line in done.stdout.splitlines()]
        assert said == [{"node": f"sheep{i}", "status": 3, "out": "said\n", "err": "complained\n"}
                        for i in (1, 2)], done


def test_a_failure_is_named_and_is_exit_1():
    with Nodes() as nodes:
        done = nodes.exec("exit 7")
        assert done.returncode == 1 and done.stdout == "--- sheep[0-2] (3): status 7\n", done


def test_a_command_that_is_silent_too_long_is_given_up():
    with Nodes() as nodes:
        done = nodes.exec("sleep 20", options=["-t", "1", "-l", "sheep0"])
        assert done.returncode == 1 and "in time" in done.stderr, done


def test_both_streams_may_be_large_and_what_is_too_large_is_refused():
    with Nodes() as nodes:
        done = nodes.exec("seq 100000; seq 100000 >&2", options=["-l", "sheep0", "--json"])
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        wanted = "".join(f"{i}\n" for i in range(1, 100001))
        assert said["out"] == wanted and said["err"] == wanted
        done = nodes.exec("head -c 2000000 /dev/zero | tr '\\0' x", options=["-l", "sheep0"])
        assert done.returncode == 1 and "more than" in done.stderr, done.stderr


def test_who_is_not_let_in_runs_nothing():
    with Nodes() as nodes:
        mark = nodes.path("mark")
        done = nodes.exec("touch", mark, identity="other")
        assert done.returncode == 1 and "not let in" in done.stderr, done
        nodes.know(None)
        done = nodes.exec("touch", mark)
        assert done.returncode == 1 and "not known" in done.stderr, done
        nodes.know("other")
        done = nodes.exec("touch", mark)
        assert done.returncode == 1 and "CHANGED" in done.stderr, done
        assert not os.path.exists(mark)


def test_nobody_there_is_exit_3():
    with Nodes() as nodes:
        nodes.sshd.send_signal(signal.SIGTERM)
        nodes.sshd.wait(5)
        assert nodes.exec("true").returncode == 3


def test_become_gives_sudo_the_whole_script():
    with Nodes() as nodes:
        nodes.write("sudo", "#!/bin/sh\n[ \"$1 $2\" = '-n --' ] && shift 2 && BECOME=yes exec \"$@\"\n")
        os.chmod(nodes.path("sudo"), 0o755)
        with open(nodes.path("sshd_config"), "a", encoding="utf-8") as file:
            file.write(f"SetEnv PATH={nodes.path()}:/usr/bin:/bin\n")
        nodes.sshd.send_signal(signal.SIGHUP)
        command = """echo "it's $BECOME" | tr a-z A-Z; echo $BECOME"""
        wait_for("sshd has its new path", lambda: nodes.exec(
            command, options=["-b", "-l", "sheep0"]).stdout == "--- sheep0 (1)\nIT'S YES\nyes\n")


def test_no_command_is_a_misuse():
    with Nodes() as nodes:
        done = nodes.exec()
        assert done.returncode == 2 and "no command" in done.stderr, done


if __name__ == "__main__":
    harness.main(globals())
