#!/bin/sh
# SPDX-License-Identifier: MIT
# Fails when an #include goes against the directions of the parts:
#   herd -> common, pru/core, pru/sim     sheep -> common, pru/abi, pru/core, pru/sim
#   common -> pru/abi    pru/fw -> pru/core -> pru/abi    pru/sim -> pru/core, pru/abi
# Usage: tests/layers.sh [ROOT]
set -eu
root=${1:-$(dirname "$0")/..}
cd "$root"

# allowed FOLDER 'PATTERN of folders it may include besides itself'
bad=0
check() {
    folder=$1
    allowed=$2
    [ -d "$folder" ] || return 0
    found=$(grep -rnE --include='*.[ch]' '^ *# *include "' "$folder" \
        | grep -vE "include \"($folder${allowed:+|$allowed})/[^\"]*\"" || true)
    if [ -n "$found" ]; then
        printf '%s\n' "$found" | sed "s|^|forbidden from $folder: |"
        bad=1
    fi
}
check herd 'common|pru/core|pru/sim'
check sheep 'common|pru/abi|pru/core|pru/sim'
check common 'pru/abi'
check pru/fw 'pru/core|pru/abi'
check pru/core 'pru/abi'
check pru/sim 'pru/core|pru/abi'
check pru/abi ''
libc=$(grep -rnE --include='*.[ch]' '^ *# *include <' pru/abi pru/core 2>/dev/null \
    | grep -vE '<(stdint|stdbool|stddef)\.h>' || true)
if [ -n "$libc" ]; then
    printf '%s\n' "$libc" | sed 's|^|forbidden from the PRU: |'
    bad=1
fi
[ "$bad" = 0 ] && echo "layers: every include points the right way"
exit "$bad"
