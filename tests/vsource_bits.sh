#!/bin/sh
# SPDX-License-Identifier: MIT
# pru/core must calculate the same bits with gcc, clang, -O0, -O3, as 32-bit code and as armhf code
# under qemu-user, each as far as this machine can build and run it: over every preset, and over the
# cases of the reference vectors where they are.
# Usage: tests/vsource_bits.sh BITS_MAKE CASES_MAKE [ROOT]
set -eu
make_bits=$1
make_cases=$2
root=${3:-$(dirname "$0")/..}
cd "$root"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$make_bits" "$work/params"
vectors=${BW_SHARED:-../shared}/vectors
if [ -d "$vectors" ]; then
    "$make_cases" "$vectors" "$work/cases"
else
    echo "skipped: no folder with reference vectors"
fi
first=
bad=0
count=0
# name, command that runs the result, compiler and options
try() {
    name=$1
    runner=$2
    shift 2
    if ! "$@" -x c - -o "$work/probe" 2>/dev/null <<EOF
#include <stdio.h>
int main(void) { puts("x"); return 0; }
EOF
    then
        echo "skipped: $name cannot be built here"
        return
    fi
    if ! $runner "$work/probe" >/dev/null 2>&1; then
        echo "skipped: $name cannot be run here"
        return
    fi
    "$@" -std=c11 -I. -o "$work/bits" tests/support/bits_run.c pru/core/*.c
    digest=$($runner "$work/bits" "$work/params")
    if [ -e "$work/cases" ]; then
        "$@" -std=c11 -I. -o "$work/run" tests/support/cases_run.c $(ls pru/core/*.c | grep -v sampler)
        digest="$digest presets, $($runner "$work/run" "$work/cases") cases"
    fi
    echo "$name: $digest"
    count=$((count + 1))
    first=${first:-$digest}
    [ "$digest" = "$first" ] || { echo "$name differs"; bad=1; }
}
try "gcc -O0" "" gcc -O0
try "gcc -O3" "" gcc -O3
try "gcc -O2 in halves" "" gcc -O2 -DFX_HALVES
try "clang -O0" "" clang -O0
try "clang -O3" "" clang -O3
try "gcc -O2 -m32" "" gcc -O2 -m32
try "armhf -O2 under qemu" "qemu-arm -L /usr/arm-linux-gnueabihf" arm-linux-gnueabihf-gcc -O2
try "armhf -O0 under qemu" "qemu-arm -L /usr/arm-linux-gnueabihf" arm-linux-gnueabihf-gcc -O0
# Unsigned sums that wrap, and conversions that lose bits, would stop this one.
for way in FX_NATIVE FX_HALVES; do
    try "clang, integer sanitizer, $way" "" clang -O1 -D$way \
        -fsanitize=undefined,unsigned-integer-overflow,implicit-conversion -fno-sanitize-recover=all \
        -fsanitize-ignorelist=tests/support/bits.ignore
done
[ "$count" -ge 2 ] || { echo "fewer than two builds to compare"; bad=1; }
[ $bad != 0 ] || echo "figure: $count builds of pru/core, one digest: $first"
exit $bad
