#!/bin/sh
# SPDX-License-Identifier: MIT
# Checks the start protocol's model, exhaustively: for three nodes reduced by their symmetry and by
# what nobody looks at any more, for two also without that reduction; then breaks the protocol on
# purpose and demands that each breach is found. Model and code are tied together: random runs of the
# model are replayed on the node's code and on herd's, and schedules of the simulator must be runs of
# the model. BW_TRACES: how many of the model's (200) and BW_SCHEDULES: of the simulator's (1500);
# BW_BUILD names the build folder, without which that part is left out. BW_MODEL_NODES=4 adds a node.
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
# Every step touches what all share: there is no partial order to reduce.
check "three nodes, exhaustive" "-DN=3 -DSYMMETRY" "-DCOLLAPSE -DNOREDUCE" ""
expect 0
check "two nodes, nothing reduced, exhaustive" "-DN=2" "-DCOLLAPSE -DNOREDUCE" ""
expect 0
if [ "${BW_MODEL_NODES:-3}" = 4 ]; then
    check "four nodes, exhaustive" "-DN=4 -DSYMMETRY" "-DCOLLAPSE -DNOREDUCE" ""
    expect 0
fi
for breach in OLD_TOKEN GO_WITHOUT_ARM CANCEL_LIE NO_GO_GUARD GO_CHECK JOURNAL_LATE; do
    check "broken: $breach" "-DN=3 -DSYMMETRY -DBREAK_$breach" "-DCOLLAPSE -DNOREDUCE" ""
    expect 1
done

# Runs of the model: herd with faults, and an imp that says anything at any time.
model_runs() { # first, last; in a folder of its own, where spin has its scratch files
    mkdir "from$1"
    cd "from$1"
    run=$1
    while [ "$run" -le "$2" ]; do
        if [ $((run % 2)) = 0 ]; then
            options="-DIMP -DMILD=5"
        else
            options="-DMILD=$((run / 2 % 4 + 1))"
        fi
        # shellcheck disable=SC2086
        spin -T -n"$run" -u12000 -DN=3 -DTRACE $options "$model" > run.log
        grep -E '^[[:space:]]*[HMPR] ' run.log || true
        echo "="
        run=$((run + 1))
    done
}
judge() { # status, what
    if [ "$1" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "failed: $2"
    fi
}
build=${BW_BUILD:-}
if [ -x "$build/tests/start_replay" ] && [ -x "$build/tests/start_replay_herd" ] && [ -x "$build/tests/unit/start_sim" ]; then
    traces=${BW_TRACES:-200}
    (model_runs 1 $((traces / 2))) > first.txt &
    (model_runs $((traces / 2 + 1)) "$traces") > second.txt
    wait $!
    cat first.txt second.txt > runs.txt
    status=0
    "$build/tests/start_replay" < runs.txt || status=$?
    judge $status "runs of the model on the node's code"
    status=0
    "$build/tests/start_replay_herd" < runs.txt || status=$?
    judge $status "runs of the model on herd's code"

    schedules=${BW_SCHEDULES:-1500}
    "$build/tests/unit/start_sim" -t -n "$schedules" > code.txt
    status=0
    spin -T "$(dirname "$model")/accept.pml" < code.txt > accept.log 2>&1 || status=$?
    grep -q '^ *accepted' accept.log || status=1
    [ $status = 0 ] || head -3 accept.log
    judge $status "schedules of the code in the model"
    echo "figure: $schedules schedules of the simulator, $(wc -l < code.txt) steps, are runs of the model"
    # The same with breaches of the code that the model's time can tell.
    for breach in 1 2 3 9 10 11; do
        "$build/tests/unit/start_sim" -t -n 1500 -b $breach > code.txt
        spin -T "$(dirname "$model")/accept.pml" < code.txt > accept.log 2>&1 || true
        status=0
        grep -q 'assertion violated' accept.log || status=1
        judge $status "breach $breach of the code is a run of the model"
    done
else
    echo "skipped: no build folder with start_replay, start_replay_herd and start_sim (BW_BUILD)"
fi
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
