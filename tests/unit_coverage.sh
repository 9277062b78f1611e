#!/bin/sh
# SPDX-License-Identifier: MIT
# Fails when a module (a .c file with a header of its own) is included by no unit test, or when
# an exception below has become superfluous.
# Usage: tests/unit_coverage.sh [ROOT]
set -eu
root=${1:-$(dirname "$0")/..}
cd "$root"

# One a line: HEADER, a blank, and why no unit test can say more than the tests that there are.
exceptions='common/h5_channels.h only h5_monitor calls it, and test_h5_monitor writes every kind of channel
sheep/clock_watch.h real daemons claim, go and come back in tests/system/test_time.py
sheep/time_ask.h what daemons answer is parsed in test_time_codec; real ones are asked in tests/system/test_time.py'

bad=0
count=0
is_excepted() {
    printf '%s\n' "$exceptions" | grep -q "^$1 ."
}
for source in herd/*.c sheep/*.c common/*.c pru/core/*.c pru/sim/*.c; do
    header=${source%.c}.h
    [ -f "$header" ] || continue
    count=$((count + 1))
    if grep -rq --include='*.c' "^# *include \"$header\"" tests/unit; then
        if is_excepted "$header"; then
            echo "no exception any more: $header is tested"
            bad=1
        fi
    elif ! is_excepted "$header"; then
        echo "no unit test includes $header"
        bad=1
    fi
done
[ "$bad" = 0 ] && echo "note: each of $count modules is in a unit test"
exit "$bad"
