#!/bin/sh
# SPDX-License-Identifier: MIT
# Every variant of the device-tree overlay compiles without a warning, names each pad once, and
# gives the rings the memory that the firmware writes into.
# Usage: tests/dts.sh [ROOT]
set -eu
root=${1:-$(dirname "$0")/..}
cd "$root"
if ! command -v dtc >/dev/null; then
    echo "skipped: no dtc"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0
count=0
fail() { echo "$name: $*"; bad=1; }
constant() { sed -n "s/.*\b$1 = \(0x[0-9A-Fa-f]*\|[0-9]*\)u\{0,1\}[;,].*/\1/p" pru/abi/pru_map.h; }
base=$(constant PRU_MAP_DDR)
bytes=$(($(constant PRU_MAP_DDR_BLOCKS_BYTES) + $(constant PRU_MAP_DDR_GPIO_BYTES)))
rings=$(printf '<0x%x 0x%x>' "$base" "$bytes")
ocmc=$(printf '0x%x 0x%x' "$(constant PRU_MAP_OCMC)" "$(constant PRU_MAP_OCMC_BYTES)")

for cape in 24 25; do
    for i2c in "" -DKEEP_I2C1; do
        for uart in "" -DUART1_PINS; do
            name="cape $cape $i2c $uart"
            count=$((count + 1))
            # shellcheck disable=SC2086
            cpp -nostdinc -undef -x assembler-with-cpp -P -DCAPE=$cape $i2c $uart pru/dts/bellwether.dts \
                | dtc -@ -I dts -O dtb -o "$work/overlay" - 2>"$work/words" || fail "does not compile"
            [ ! -s "$work/words" ] || { cat "$work/words"; fail "warnings"; continue; }
            dtc -q -I dtb -O dts "$work/overlay" >"$work/back"
            # three cells a pad: offset, configuration, mode
            sed -n 's/.*pinctrl-single,pins = <\(.*\)>.*/\1/p' "$work/back" | tr ' ' '\n' \
                | awk 'NR % 3 == 1' | sort >"$work/pads"
            [ "$(wc -l <"$work/pads")" -gt 40 ] || fail "only $(wc -l <"$work/pads") pads"
            twice=$(uniq -d "$work/pads")
            [ -z "$twice" ] || fail "pads named twice: $twice"
            grep -q "reg = $rings;" "$work/back" || fail "the reserved memory is not $rings"
            grep -q "reg = <.*$ocmc ${rings#<}" "$work/back" || fail "not OCMC $ocmc and rings $rings"
        done
    done
done
[ "$bad" = 0 ] && echo "$count variants of the overlay"
exit "$bad"
