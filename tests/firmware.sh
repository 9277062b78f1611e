#!/bin/sh
# SPDX-License-Identifier: MIT
# The firmware: builds the images and what tests them in a release build, and runs it. Exit 77 and
# a word when there is no compiler for the PRU.
# Usage: tests/firmware.sh BUILD
set -eu
build=$1
cd "$(dirname "$0")/.."
if ! tools=$(sh pru/toolchain.sh --find 2>/dev/null); then
    echo "skipped: no compiler for the PRU, so the firmware is neither built nor run"
    exit 77
fi
cmake -S . -B "$build" >/dev/null
cmake --build "$build" -j 2 --target all >"$build/firmware.log" 2>&1 \
    || { tail -n 40 "$build/firmware.log"; exit 1; }
passed=0
failed=0
part() { # name, command
    name=$1
    shift
    if "$@" >"$build/firmware.log" 2>&1; then
        passed=$((passed + 1))
        grep -E '^(figure|note|PRU)' "$build/firmware.log" || true
    else
        failed=$((failed + 1))
        cat "$build/firmware.log"
        echo "FAILED: $name"
    fi
}
part "images in the simulator" "$build/tests/unit/test_fw"
part "pins of the target" "$build/tests/unit/test_fw_pins"
objdump=${tools}objdump
part "looks of cape 2.4, bound" python3 tests/pru_bound.py "$objdump" "$build/pru/fw/pru1-24.elf" 40
part "looks of cape 2.5, bound" python3 tests/pru_bound.py "$objdump" "$build/pru/fw/pru1-25.elf" 60
part "longest way of a sample, bound" python3 tests/pru_sample_bound.py "$tools" "$build/pru/fw" tests/bench/fw_cycles.txt
# one that took longer than the bound must fail
echo 'emulate planted samples 9999 9999 9999 0 0 0
harvest planted - 9999 9999 9999 0 0 0' >"$build/planted.txt"
part "a bound that does not hold is seen" sh -c \
    '! python3 tests/pru_sample_bound.py "$@" >"$3.out" && grep -q "longer than its bound" "$3.out"' - \
    "$tools" "$build/pru/fw" "$build/planted.txt"
part "digest on the PRU" sh tests/pru_bits.sh "$build/tests/bits_make"
part "cycles and sizes" python3 tests/bench/fw_cycles.py "$build"
part "board iss" "$build/tests/unit/test_board_iss"
part "firmware on board iss" "$build/tests/unit/test_firmware"
part "faults around the firmware" "$build/tests/unit/test_firmware_faults"
part "self-test of a cape" "$build/tests/unit/test_selftest"
part "images where a node looks for them" sh tests/installed.sh "$build"
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
