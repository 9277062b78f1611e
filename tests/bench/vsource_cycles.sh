#!/bin/sh
# SPDX-License-Identifier: MIT
# An estimate, where no compiler for the PRU is at hand: instructions that one sample of an emulation
# takes on a 32-bit core without a divider (ARMv5TE under qemu-user, every instruction counted): mean
# and worst of each preset, as a table. Of the step only what PRU0 does, vsource_convert; the harvester
# is the other core's. A PRU's instructions are as wide and take one cycle each, its products of 32 bits
# four to five; so each multiplication is counted as five. Built for size, as the image is. Fails above
# 1500 of the 2000 cycles. What a PRU's own compiler makes of it takes more than twice as many: those
# are the cycles that count, and tests/firmware.sh prints them.
# Usage: tests/bench/vsource_cycles.sh BITS_MAKE [ROOT]
set -eu
make_bits=$1
root=${2:-$(dirname "$0")/../..}
cd "$root"
compiler=arm-linux-gnueabihf-gcc
if ! command -v $compiler >/dev/null || ! command -v qemu-arm >/dev/null; then
    echo "skipped: needs $compiler and qemu-arm"
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$make_bits" "$work/all" "$work/all-names"
# The sources come first, each before single samples and before curves.
sources=26
size=$(($(wc -c <"$work/all") / $(wc -l <"$work/all-names")))
head -c $((sources * size)) "$work/all" >"$work/params"
head -n $sources "$work/all-names" >"$work/names"
cat >"$work/start.S" <<EOF
.syntax unified
.arm
.global _start
_start: bl bench_main
        mov r0, #0
        mov r7, #1
        svc #0
.section .rodata
.balign 8
.global bench_params
bench_params: .incbin "$work/params"
.global bench_params_end
bench_params_end:
.section .note.GNU-stack,"",%progbits
EOF
flags="-march=armv5te -marm -mfloat-abi=soft -std=c11 -ffreestanding -fno-builtin -Os -I."
$compiler $flags -nostdlib -static -o "$work/bench" "$work/start.S" tests/bench/vsource_cycles.c \
    $(ls pru/core/*.c | grep -v -e sampler -e tracer -e utilisation)
entry=$(arm-linux-gnueabihf-nm "$work/bench" | awk '$3 == "vsource_convert" { print $1 }')
back=$(arm-linux-gnueabihf-nm "$work/bench" | awk '$3 == "bench_main" { print $1 }')
arm-linux-gnueabihf-objdump -d "$work/bench" \
    | awk '/[us]mull|[us]mlal|\tmul|\tmla/ { sub(":", "", $1); print $1 }' >"$work/products"
qemu-arm -singlestep -d exec,nochain -D /dev/stdout "$work/bench" | python3 -c '
import sys, re
entry, back = int(sys.argv[1], 16), int(sys.argv[2], 16)
products = {int(line, 16) for line in open(sys.argv[3])}
names = open(sys.argv[4]).read().split("\n")
ends = {}
counts, now, inside, ret, previous = [], 0, False, None, None
main = range(back, back + 4096)
for line in sys.stdin:
    match = re.search(r"\[[0-9a-f]+/([0-9a-f]+)/", line)
    if not match:
        continue
    pc = int(match.group(1), 16)
    if pc == entry:
        inside, now, ret = True, 0, previous + 4
    if inside and pc == ret:
        counts.append(now)
        inside = False
    if inside:
        now += 5 if pc in products else 1
    previous = pc
per = 100
worst = 0
for i in range(0, len(counts), per):
    part = counts[i:i + per]
    name = names[i // per]
    worst = max(worst, max(part))
    print(f"{name:<34} mean {sum(part) / len(part):7.0f}  worst {max(part):5d}")
print(f"figure: worst case of a sample {worst} of 1500 cycles")
sys.exit(len(counts) == 0 or worst >= 1500)
' "$entry" "$back" "$work/products" "$work/names"
