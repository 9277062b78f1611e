#!/bin/sh
# SPDX-License-Identifier: MIT
# The check for unit tests passes on the tree and fails on each planted gap.
set -eu
here=$(dirname "$0")
sh "$here/unit_coverage.sh"
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
for folder in herd sheep common pru/core pru/sim tests/unit tests/support; do
    mkdir -p "$tree/$folder"
done
touch "$tree/herd/a.c" "$tree/herd/a.h" "$tree/pru/sim/b.c" "$tree/pru/sim/b.h" "$tree/herd/part.c"
try() {
    printf '%s\n' "$1" > "$tree/tests/unit/test_a.c"
    sh "$here/unit_coverage.sh" "$tree" > "$tree/log"
}
both='#include "herd/a.h"
#include "pru/sim/b.h"'
try "$both" || { echo "a tree without a gap fails"; cat "$tree/log"; exit 1; }
for gap in '#include "herd/a.h"' '#include "herd/a.h"
// #include "pru/sim/b.h"' \
    '#include "herd/a.h"
#include "pru/sim/b.hpp"'; do
    if try "$gap"; then
        echo "not noticed: $gap"
        exit 1
    fi
done
# a test's helper is no test
printf '%s\n' "$both" > "$tree/tests/support/a.c"
if try ''; then
    echo "not noticed: only helpers include it"
    exit 1
fi
echo "note: four planted gaps noticed"
