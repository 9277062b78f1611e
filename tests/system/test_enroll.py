#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`herd enroll` against a real sshd: keys are exchanged, and what must not work changes nothing."""
import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import yaml

import harness
from harness import HERD, free_ports, wait_for

LIMIT_S = 120
SSHD = "/usr/sbin/sshd"


class Node:
    """One sshd on loopback that lets one key in, and a workstation folder beside it."""

    def __init__(self):
        if not os.path.exists(SSHD):
            raise harness.Skip("no sshd")
        self.folder = tempfile.mkdtemp(prefix="bw-enroll-")
        os.chmod(self.folder, 0o755)
        self.port = free_ports(1)
        for name, words in (("host", []), ("other", []), ("user", []),
                            ("locked", ["-N", "secret"])):
            self.keygen(name, *(words or ["-N", ""]))
        shutil.copy(self.path("user.pub"), self.path("authorized_keys"))
        with open(self.path("locked.pub"), encoding="utf-8") as file:
            locked = file.read()
        with open(self.path("authorized_keys"), "a", encoding="utf-8") as file:
            file.write(locked)
        self.write("sshd_config", f"""Port {self.port}
ListenAddress 127.0.0.1
HostKey {self.path('host')}
PidFile none
AuthorizedKeysFile {self.path('authorized_keys')}
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
""")
        os.makedirs("/run/sshd", exist_ok=True)
        with open(self.path("sshd.log"), "wb") as log:
            self.sshd = subprocess.Popen([SSHD, "-D", "-e", "-f", self.path("sshd_config")],
                                         stdout=log, stderr=log)
        wait_for("sshd answers", self.listens)
        self.know("host")
        self.write("herd.yml", yaml.safe_dump({"sheep": {"hosts": {"sheep0": {
            "ansible_host": "127.0.0.1", "ansible_user": getpass.getuser()}}}}))
        self.remote = self.path("etc")
        assert self.herd("keygen", self.path("herd")).returncode == 0

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.sshd.send_signal(signal.SIGTERM)
        self.sshd.wait(5)
        shutil.rmtree(self.folder)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def keygen(self, name, *words):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-f", self.path(name), *words],
                       check=True)

    def listens(self):
        with open(self.path("sshd.log"), encoding="utf-8") as file:
            return "listening" in file.read()

    def know(self, name):
        """known_hosts holds the host key of that name; None: nothing."""
        text = ""
        if name:
            with open(self.path(name + ".pub"), encoding="utf-8") as file:
                text = f"[127.0.0.1]:{self.port} {' '.join(file.read().split()[:2])}\n"
        self.write("known_hosts", text)

    def herd(self, *words):
        env = {name: value for name, value in os.environ.items() if name != "SSH_AUTH_SOCK"}
        return subprocess.run([HERD, *words], capture_output=True, text=True, timeout=60,
                              check=False, cwd=self.folder, env=env, stdin=subprocess.DEVNULL)

    def enroll(self, *words, identity="user"):
        return self.herd("enroll", "-d", self.remote, "-p", str(self.port), "--known-hosts",
                         self.path("known_hosts"), "--identity", self.path(identity), *words)

    def key(self, *parts):
        with open(self.path(*parts), encoding="utf-8") as file:
            return yaml.safe_load(file)

    def nothing_changed(self):
        return not os.path.exists(self.remote) and not os.path.exists(self.path("keys"))


def test_a_node_without_a_key_gets_one_and_knows_us():
    with Node() as node:
        done = node.enroll("--json")
        assert done.returncode == 0, done
        assert json.loads(done.stdout) == {"node": "sheep0", "result": "enrolled"}
        secret = node.key("etc", "sheep.key")
        assert os.stat(node.path("etc", "sheep.key")).st_mode & 0o777 == 0o600
        assert secret["role"] == "sheep" and secret["name"] == "sheep0"
        assert node.key("etc", "sheep.pub")["public_key"] == secret["public_key"]
        assert node.key("keys", "sheep0.pub")["public_key"] == secret["public_key"]
        mine = node.key("herd.pub")
        assert node.key("etc", "authorized", mine["name"] + ".pub") == mine
        assert os.listdir(node.path("etc", "authorized")) == [mine["name"] + ".pub"]
        # Again changes nothing; revoking takes our key away and nothing else.
        assert node.enroll().returncode == 0
        assert node.key("etc", "sheep.key") == secret
        assert node.enroll("--revoke").returncode == 0
        assert os.listdir(node.path("etc", "authorized")) == []
        assert node.key("etc", "sheep.key") == secret


def test_a_node_whose_key_changed_is_refused_until_told():
    with Node() as node:
        assert node.enroll().returncode == 0
        pinned = node.key("keys", "sheep0.pub")
        shutil.rmtree(node.remote)
        assert node.herd("keygen", "-r", "sheep", "-n", "sheep0",
                         node.path("etc", "sheep")).returncode == 0
        done = node.enroll()
        assert done.returncode == 1 and "not the one that is known" in done.stderr, done
        assert node.key("keys", "sheep0.pub") == pinned
        assert not os.path.exists(node.path("etc", "authorized"))
        assert node.enroll("--replace").returncode == 0
        assert node.key("keys", "sheep0.pub") == node.key("etc", "sheep.pub")


def test_an_unknown_host_is_refused():
    with Node() as node:
        node.know(None)
        done = node.enroll()
        assert done.returncode == 1 and "not known" in done.stderr and "SHA256:" in done.stderr, done
        assert node.nothing_changed()


def test_a_changed_host_key_is_refused():
    with Node() as node:
        node.know("other")
        done = node.enroll()
        assert done.returncode == 1 and "CHANGED" in done.stderr, done
        assert node.nothing_changed()


def test_a_key_that_is_not_let_in_is_refused():
    with Node() as node:
        done = node.enroll(identity="other")
        assert done.returncode == 1 and "not let in" in done.stderr, done
        assert node.nothing_changed()


def test_a_locked_key_without_agent_asks_nobody():
    with Node() as node:
        done = node.enroll(identity="locked")
        assert done.returncode == 1 and "ssh-add" in done.stderr, done
        assert node.nothing_changed()


def test_a_wrong_user_is_refused():
    with Node() as node:
        node.write("herd.yml", yaml.safe_dump({"sheep": {"hosts": {"sheep0": {
            "ansible_host": "127.0.0.1", "ansible_user": "nobody-of-that-name"}}}}))
        done = node.enroll()
        assert done.returncode == 1 and "nobody-of-that-name" in done.stderr, done
        assert node.nothing_changed()


def test_nobody_there_is_exit_3():
    with Node() as node:
        node.sshd.send_signal(signal.SIGTERM)
        node.sshd.wait(5)
        done = node.enroll()
        assert done.returncode == 3, done
        assert node.nothing_changed()


def test_silent_nodes_delay_each_other_no_more_than_one_does():
    with Node() as node, socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        node.write("herd.yml", yaml.safe_dump({"sheep": {"hosts": {
            f"sheep{i}": {"ansible_host": "127.0.0.1", "port": 5000 + 10 * i} for i in range(12)}}}))
        begin = time.monotonic()
        done = node.herd("enroll", "-t", "2", "-p", str(silent.getsockname()[1]))
        assert done.returncode == 3 and done.stderr.count("herd enroll: sheep") == 12, done
        assert time.monotonic() - begin < 12, "one after the other would take 24 s"


def test_a_path_that_a_shell_would_read_is_refused():
    with Node() as node:
        done = node.herd("enroll", "-d", "/etc/$(id)")
        assert done.returncode == 2 and "plain absolute path" in done.stderr, done


if __name__ == "__main__":
    harness.main(globals())
