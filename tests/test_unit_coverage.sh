#!/bin/sh
# SPDX-License-Identifier: MIT
# The check for unit tests passes on the tree and fails on each planted gap.
set -eu
here=$(dirname "$0")
sh "$here/unit_coverage.sh"
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/herd" "$tree/common" "$tree/tests/unit" "$tree/tests/support"
touch "$tree/herd/a.c" "$tree/herd/a.h" "$tree/common/b.c" "$tree/common/b.h" "$tree/herd/part.c"
try() {
    printf '%s\n' "$1" > "$tree/tests/unit/test_a.c"
    sh "$here/unit_coverage.sh" "$tree" > "$tree/log"
}
both='#include "herd/a.h"
#include "common/b.h"'
try "$both" || { echo "a tree without a gap fails"; cat "$tree/log"; exit 1; }
for gap in '#include "herd/a.h"' '#include "herd/a.h"
// #include "common/b.h"' \
    '#include "herd/a.h"
#include "common/b.hpp"'; do
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
