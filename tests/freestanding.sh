#!/bin/sh
# SPDX-License-Identifier: MIT
# pru/abi and pru/core must compile free-standing for a 32-bit core without a divider (ARMv5TE
# stands in for a PRU) and pull in no symbol that they do not define themselves: no library, no
# division, no float. Prints the sizes and instruction counts that such a build has.
# Usage: tests/freestanding.sh [ROOT]      CC_FREESTANDING: another compiler with its target
set -eu
root=${1:-$(dirname "$0")/..}
cd "$root"
compiler=${CC_FREESTANDING:-clang --target=armv5te-none-eabi -mfloat-abi=soft}
budget_bytes=8192
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

for header in pru/abi/*.h pru/core/*.h; do
    if ! $compiler -std=c11 -ffreestanding -fno-builtin -Wall -Wextra -Wno-unused-const-variable \
        -Wno-unused-function -Werror -I. -x c -fsyntax-only "$header"; then
        echo "$header does not compile alone"
        bad=1
    fi
done
for source in pru/core/*.c; do
    object=$work/$(basename "$source" .c).o
    $compiler -std=c11 -ffreestanding -fno-builtin -Os -Wall -Wextra -Werror \
        -Wno-unused-const-variable -I. -c "$source" -o "$object"
done

# readelf reads the objects of any machine.
readelf -sW "$work"/*.o | awk '$7 == "UND" && $8 != "" { print $8 }' | sort -u >"$work/undefined"
readelf -sW "$work"/*.o | awk '$7 != "UND" && $5 == "GLOBAL" { print $8 }' | sort -u \
    >"$work/defined"
foreign=$(comm -23 "$work/undefined" "$work/defined")
if [ -n "$foreign" ]; then
    echo "symbols from outside pru/core: $foreign"
    bad=1
fi

# A division by a constant becomes a multiplication and shows no symbol: look at the text too,
# without comments, strings and includes.
for source in pru/abi/*.h pru/core/*.[ch]; do
    if sed -e 's|"[^"]*"||g' -e 's|/\*.*\*/||g' "$source" \
        | awk '/\/\*/ { skip = 1 } !skip && !/^#/ { print } /\*\// { skip = 0 }' \
        | grep -nE '[^/*]/[^/*]|%|\b(float|double)\b'; then
        echo "$source: divides, or calculates with floating point"
        bad=1
    fi
done

# PRU0 takes samples, in one of two images; PRU1 has commands and the harvester of an emulation.
shared="calib fx sampler sampler_state"
emulate="$shared converter efficiency store vsource"
harvest="$shared adc_harvester"
# Code and constants of an object, in bytes.
size_of() {
    readelf -SW "$1" | tr -d '[]' | awk '$2 ~ /^\.(text|rodata)/ { print $6 }' \
        | while read -r hex; do echo $((0x$hex)); done | awk '{ sum += $1 } END { print sum + 0 }'
}
report() {
    bytes=0
    for module in $2; do
        n=$(size_of "$work/$module.o")
        bytes=$((bytes + n))
    done
    echo "$1: $bytes bytes, $((bytes / 4)) instructions of 32 bits; room for a PRU: $budget_bytes"
}
for object in "$work"/*.o; do
    printf '  %6d %s\n' "$(size_of "$object")" "$(basename "$object")"
done
report "harvest image" "$harvest"
report "emulate image" "$emulate"
report "PRU1 image" "calib curve_harvester fx pair_harvester sampler_control sampler_state timebase tracer utilisation"
exit $bad
