#!/bin/sh
# SPDX-License-Identifier: MIT
# The step of a sample alone, on one core: nanoseconds and x86 instructions for each preset, as a
# table. Instructions are counted by callgrind when valgrind is there. Needs a release build.
# Usage: tests/bench/vsource_speed.sh BITS_MAKE VSOURCE_SPEED
set -eu
make_bits=$1
speed=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$make_bits" "$work/all" "$work/names"
"$speed" "$work/all" "$work/names" 26 1000000
command -v valgrind >/dev/null || { echo "no valgrind: instructions are not counted"; exit 0; }
sets=$(wc -l <"$work/names")
size=$(($(wc -c <"$work/all") / sets))
samples=20000
for i in $(seq 1 2 25); do
    name=$(sed -n "${i}p" "$work/names")
    tail -c +$(((i - 1) * size + 1)) "$work/all" | head -c "$size" >"$work/one"
    echo "$name" >"$work/one-name"
    count=$(valgrind --tool=callgrind --toggle-collect=vsource_step \
        --callgrind-out-file=/dev/null "$speed" "$work/one" "$work/one-name" 1 $samples 2>&1 \
        | awk '/Collected/ { print $NF }')
    printf '%-34s %7d x86 instructions\n' "$name" $((count / samples))
done
