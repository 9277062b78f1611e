#!/bin/sh
# SPDX-License-Identifier: MIT
# Checks the start protocol's model: exhaustively for two nodes, and with hashed states for three;
# then breaks the protocol on purpose and demands that each breach is found.
set -eu
model=$(cd "$(dirname "$0")" && pwd)/start.pml
command -v spin > /dev/null || {
    echo "skipped: no spin"
    exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

check() { # name, spin's options, gcc's options, pan's options
    rm -f pan pan.*
    # shellcheck disable=SC2086
    spin -a $2 "$model" > spin.log 2>&1 || { cat spin.log; exit 1; }
    # shellcheck disable=SC2086
    gcc -w -O2 -DSAFETY -DVECTORSZ=2048 -DMEMLIM=4000 $3 -o pan pan.c
    # shellcheck disable=SC2086
    ./pan -E -m100000 $4 > pan.log 2>&1
    errors=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' pan.log)
    states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.log)
    grep -q "max search depth too small" pan.log && { echo "$1: cut short"; exit 1; }
    [ -n "$errors" ] || { cat pan.log; exit 1; }
    echo "figure: $1: $errors errors in $states states"
}
passed=0
failed=0
expect() {
    if [ "$errors" = "$1" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "expected $1 errors"
    fi
}
check "two nodes, one message each way, exhaustive" "-DN=2 -DNET=1 -DZOMBIE" "-DCOLLAPSE" ""
expect 0
check "three nodes, hashed states, one minute" "-DN=3 -DNET=2 -DZOMBIE" "-DBITSTATE" "-w28 -k3 -Q1"
expect 0
check "broken: OLD_TOKEN" "-DN=2 -DNET=2 -DZOMBIE -DBREAK_OLD_TOKEN" "-DBITSTATE" "-w28 -k3"
expect 1
for breach in GO_WITHOUT_ARM CANCEL_LIE NO_GO_GUARD GO_CHECK JOURNAL_LATE; do
    check "broken: $breach" "-DN=2 -DNET=2 -DBREAK_$breach" "-DBITSTATE" "-w28 -k3"
    expect 1
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
