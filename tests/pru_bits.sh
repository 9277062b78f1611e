#!/bin/sh
# SPDX-License-Identifier: MIT
# pru/core on a PRU, executed by GNU's simulator, must calculate what the host calculates: built
# with -Os, -O1 and -O2, over every preset of sources and harvesters.
# Usage: tests/pru_bits.sh BITS_MAKE [ROOT]     BITS_SAMPLES: of each preset, 200 without it
set -eu
make_bits=$1
root=${2:-$(dirname "$0")/..}
cd "$root"
samples=${BITS_SAMPLES:-200}
if ! tools=$(sh pru/toolchain.sh --find 2>/dev/null); then
    echo "skipped: no compiler for the PRU ('sh pru/toolchain.sh' builds one)"
    exit 77
fi
run=$(sh pru/toolchain.sh --sim)
if [ -z "$run" ]; then
    echo "skipped: no simulator beside the PRU's compiler"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$make_bits" "$work/params"
# as pru/fw/pru.ld, but for a simulator that has more memory than a PRU
sed -e 's/ORIGIN = 0x20000000, LENGTH = 8K/ORIGIN = 0x20000000, LENGTH = 128K/' \
    -e 's/ORIGIN = 0, LENGTH = 8K/ORIGIN = 0, LENGTH = 8M/' \
    -e 's/fw_stack_top = 0x2000/fw_stack_top = 0xFFF0/' -e '/ASSERT/d' pru/fw/pru.ld >"$work/pru.ld"
cat >"$work/params.S" <<END
    .section .params, "a"
    .global bits_params, bits_params_end
bits_params:
    .incbin "$work/params"
bits_params_end:
END
gcc -O2 -std=c11 -I. -o "$work/host" tests/support/bits_run.c pru/core/*.c
gcc -O2 -std=c11 -I. -o "$work/fx" tests/support/fx_bits.c pru/core/fx.c
"$work/fx" >"$work/fx.host"
expected=$("$work/host" "$work/params" "$samples")
echo "host: $expected"
bad=0
for level in -Os -O1 -O2; do
    "${tools}gcc" -std=c11 $level -ffreestanding -fno-builtin -I. -nostdlib -T "$work/pru.ld" -o "$work/fx.elf" \
        pru/fw/start.S tests/support/fx_bits.c pru/core/fx*.c -lgcc
    "$run" "$work/fx.elf" >"$work/fx.pru"
    diff "$work/fx.host" "$work/fx.pru" || { echo "PRU $level, fx: differs"; bad=1; }
    # shellcheck disable=SC2046
    "${tools}gcc" -std=c11 $level -ffreestanding -fno-builtin -DSAMPLE_IO_DIRECT -DBITS_SAMPLES="$samples" \
        -I. -nostdlib -T "$work/pru.ld" -Wl,--section-start=.params=0x10000 -o "$work/pru.elf" pru/fw/start.S "$work/params.S" \
        tests/support/bits_pru.c $(ls pru/core/*.c | grep -v -e /sampler -e /tracer -e /timebase -e /utilisation) -lgcc
    digest=$("$run" "$work/pru.elf")
    echo "PRU $level: $digest"
    [ "$digest" = "${expected% *}" ] || { echo "PRU $level differs"; bad=1; }
done
exit "$bad"
