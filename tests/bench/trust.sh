#!/bin/sh
# SPDX-License-Identifier: MIT
# What the start protocol costs and how exact it is, on a machine that has nothing else to do: one
# herd and 1 to 1 000 nodes, 30 nodes beside ssh to as many sshd, and starts under clocks that are off.
# Usage: tests/bench/trust.sh [BUILD]    default build/, the release; nine minutes were seen beside other work
set -u
here=$(dirname "$0")
BW_BUILD=$(realpath "${1:-$here/../../build}")
export BW_BUILD
echo "load before: $(cut -d ' ' -f 1-3 /proc/loadavg)"
status=0
"$BW_BUILD/tests/unit/start_sim" -c -n 5000 | grep '^figure' || status=1
/usr/bin/python3 "$here/bench_scale.py" -r 20 1 30 || status=1
/usr/bin/python3 "$here/bench_scale.py" -r 10 300 1000 || status=1
/usr/bin/python3 "$here/bench_ssh.py" -r 4 || status=1
echo "load after: $(cut -d ' ' -f 1-3 /proc/loadavg)"
exit "$status"
