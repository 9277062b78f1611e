#!/bin/sh
# SPDX-License-Identifier: MIT
# The step of a sample alone, on one core: nanoseconds and x86 instructions for each preset, as a
# table. Needs a release build. Fails when a step is slower than a hundredth of real time, or takes
# more than a tenth more instructions (callgrind counts them, so load does not matter) than
# tests/bench/vsource_instructions.txt says, which belongs to gcc 12 on x86-64.
# CI runs it and keeps the table in its log (tests/system/test_speed.py).
# Usage: tests/bench/vsource_speed.sh BITS_MAKE VSOURCE_SPEED [--write]    --write: renew the file
set -eu
make_bits=$1
speed=$2
known=$(dirname "$0")/vsource_instructions.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The sources come first, each before single samples and before curves.
sources=26
samples=5000
bad=0
"$make_bits" "$work/all" "$work/names"
"$speed" "$work/all" "$work/names" $sources >"$work/times" || bad=1
if [ "$(uname -m)" != x86_64 ] || ! command -v valgrind >/dev/null; then
    cat "$work/times"
    echo "skipped: no valgrind on an x86-64, instructions are not counted"
    exit $bad
fi
# Each source begins with vsource_init: its count is in the dump that the next one's begins.
valgrind --tool=callgrind --toggle-collect=vsource_step --dump-before=vsource_init \
    --callgrind-out-file="$work/count" "$speed" "$work/all" "$work/names" $sources $samples 1 \
    >"$work/log" 2>&1 || grep -q '^figure' "$work/log" # slow under valgrind, of course
mv "$work/count" "$work/count.$((sources + 1))"
for i in $(seq 2 $((sources + 1))); do
    awk -v n=$samples '/^totals:/ { printf "%d\n", $2 / n }' "$work/count.$i"
done >"$work/instructions"
paste -d ' ' "$work/times" "$work/instructions" | awk '$1 != "figure:" && NF == 9 {
    printf "| %-24s | %-7s | %5.1f ns | %4d instructions | %4d x real time |\n", $1, $2, $3, $9, $5
    if ($9 > most) most = $9
} END { printf "figure: heaviest step %d x86 instructions\n", most }' | tee "$work/table"
grep '^figure' "$work/times"
awk '/ instructions / { print $2, $4, $9 }' "$work/table" >"$work/now"
[ "$(wc -l <"$work/now")" = $sources ] || { echo "counted $(wc -l <"$work/now") of $sources"; exit 1; }
if [ "${3:-}" = --write ]; then
    cp "$work/now" "$known"
elif gcc -dumpversion | grep -q '^12'; then
    paste -d ' ' "$known" "$work/now" | awk '
        $1 != $4 || $2 != $5 { print "not the presets of vsource_instructions.txt:", $0; bad = 1 }
        $6 > 1.1 * $3 { print $1, $2 ": " $6 " instructions, " $3 " were known"; bad = 1 }
        $6 < 0.9 * $3 { print "note: " $1 " " $2 " takes " $6 " instructions, no more " $3 }
        END { exit bad }' || bad=1
fi
exit $bad
