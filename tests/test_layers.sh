#!/bin/sh
# SPDX-License-Identifier: MIT
# The layering check passes on the tree and fails on each planted breach.
set -eu
here=$(dirname "$0")
sh "$here/layers.sh"
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
plant() {
    rm -rf "$tree"
    mkdir -p "$tree/herd" "$tree/sheep" "$tree/common" "$tree/pru/abi" "$tree/pru/core" \
        "$tree/pru/sim" "$tree/pru/fw"
    echo "$2" > "$tree/$1"
    if sh "$here/layers.sh" "$tree" > "$tree/log"; then
        echo "not noticed: $2 in $1"
        exit 1
    fi
}
plant herd/a.c '#include "sheep/agent.h"'
plant sheep/a.c '#include "herd/flock.h"'
plant common/a.c '#include "pru/core/fx.h"'
plant common/a.h '#include "herd/cmd.h"'
plant pru/core/a.c '#include "pru/sim/world.h"'
plant pru/core/a.c '#include <string.h>'
plant pru/abi/a.h '#include "pru/core/fx.h"'
plant pru/sim/a.c '#include "common/err.h"'
echo "layers: eight planted breaches noticed"
