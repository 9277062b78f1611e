#!/bin/sh
# SPDX-License-Identifier: MIT
# From a fresh Debian 12 to verified recordings: installs the packages, builds, starts four
# simulated sheep, records a harvest under a changing sky, and replays it to a simulated target.
# Repeatable; the second time it only builds what changed.
set -eu
cd "$(dirname "$0")/.."
sh tests/install.sh build

echo "== building"
mkdir -p build
cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo > build/configure.log 2>&1 || {
    cat build/configure.log
    exit 1
}
cmake --build build -j "$(nproc)" --target herd sheep > build/compile.log 2>&1 || {
    tail -n 50 build/compile.log
    exit 1
}
herd=build/herd/herd
place=build/quickstart
flock=$place/flock
results=$place/results

stop_sheep() {
    "$herd" sim --stop -d "$flock" > /dev/null 2>&1 || true
}
trap stop_sheep EXIT
trap 'exit 130' INT TERM
stop_sheep
rm -rf "$place"
mkdir -p "$results"

echo "== starting four simulated sheep"
"$herd" sim -n 4 -d "$flock" --base-port "${BW_BASE_PORT:-14240}" --seed 1 \
    --environment inventory/environments/changing_sky.csv --detach

echo "== harvesting"
"$herd" run -i "$flock/herd.yml" -o "$results" inventory/experiments/quickstart-harvest.yaml

# The emulation replays to each node what that node has just recorded.
first=$(find "$results" -maxdepth 1 -name 'hrv_*_sheep0.h5' | sort | tail -n 1)
input=$(cd "$(dirname "$first")" && pwd)/$(basename "$first" sheep0.h5)'{node}.h5'
sed "s|^  input: .*|  input: \"$input\"|" inventory/experiments/quickstart-emulate.yaml \
    > "$place/emulate.yaml"
echo "== emulating"
"$herd" run -i "$flock/herd.yml" -o "$results" "$place/emulate.yaml"

echo "== what was recorded"
for file in "$results"/*.h5; do
    "$herd" verify "$file"
done
echo "The results are in $results; look at one with: $herd info FILE"
