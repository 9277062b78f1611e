#!/bin/sh
# SPDX-License-Identifier: MIT
# What takes too long for every change: the full numbers behind tests that CI runs in part.
# Usage: tests/nightly.sh    needs the builds in build/ and build-clang/ (tests/run.sh makes them)
set -u
cd "$(dirname "$0")/.."
unit=build/tests/unit
export BW_BUILD="$PWD/build"
passed=0
failed=0
part() { # name, command
    name=$1
    shift
    begin=$(date +%s)
    if "$@" > build/nightly.log 2>&1; then
        passed=$((passed + 1))
        grep '^figure' build/nightly.log || true
        echo "ok: $name ($(($(date +%s) - begin)) s)"
    else
        failed=$((failed + 1))
        tail -n 40 build/nightly.log
        echo "FAILED: $name ($(($(date +%s) - begin)) s)"
    fi
}
part "10 000 random and all extreme sets of parameters" \
    env BW_PROPERTY_SETS=10000 "$unit/test_vsource_property"
part "the same under clang's integer sanitizer" \
    env BW_PROPERTY_SETS=10000 build-clang/tests/unit/test_vsource_property_int
part "300 000 samples beside the double model" env BW_SAMPLES=300000 "$unit/test_vsource_model"
part "a whole day of harvesting at its true speed" \
    env BW_DAY_STEP_S=60 BW_DAY_PIECE_S=60 "$unit/test_loop"
part "60 s stalls of the disk and of the input, three times each in ten minutes" \
    env BW_STALL_S=60 "$unit/test_recording_disk"
part "100 000 sets of planes through the compressor" env BW_PLANES=100000 "$unit/test_plane_deflate"
part "a day through the recorder" env BW_SOAK_S=86400 "$unit/test_soak"
# The input of 10 h and what becomes of it need 40 GB below TMPDIR.
part "a day of data through herd and two nodes, emulation from 10 h of lzf" \
    env BW_SOAK="36000 36000 14400" /usr/bin/python3 tests/system/test_soak.py
part "1 000 killed writers" env BW_KILLS=1000 "$unit/test_rlog_kill"
part "3 000 flipped bits" env BW_FLIPS=3000 "$unit/test_h5_build"
part "500 000 schedules of the start protocol" \
    "$unit/start_sim" -n 500000 -s 1000000
part "60 s simulated, every case" /usr/bin/python3 tests/bench/simulate.py
part "four nodes in the model; 10 000 runs of it on the code, 10 000 of the code in it" \
    env BW_MODEL_NODES=4 BW_TRACES=10000 BW_SCHEDULES=10000 sh tests/model/run.sh
tsan() {
    cmake -S . -B build-tsan -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DBW_SANITIZE=thread &&
        cmake --build build-tsan --target herd sheep make_log fetch_log many_nodes phcshim &&
        /usr/bin/python3 tests/tsan.py build-tsan
}
part "system tests with ThreadSanitizer" tsan
part "stage x fault, 30 nodes behind a bad network" \
    env BW_FAULT_NODES=30 BW_FAULT_LANES=1 BW_FAULT_LONGEST_S=15 \
    /usr/bin/python3 tests/system/test_faults.py
part "results two seconds after the last sample: 8 and 30 nodes, 10 on 100 Mbit/s, 1 h of data" \
    env BW_DELIVERY="8:60 30:60 10:60:100 1:3600:100:8" /usr/bin/python3 tests/system/test_delivery.py
part "100 cuts and 20 kills in a recording of 40 MB" \
    env BW_CUT_MB=40 /usr/bin/python3 tests/system/test_cut.py
fuzz=build-fuzz
part "fuzz targets" sh -c "cmake -S . -B $fuzz -G Ninja -DCMAKE_C_COMPILER=clang -DBW_FUZZ=ON \
    -DCMAKE_BUILD_TYPE=RelWithDebInfo -DBW_SANITIZE=address,undefined \
    && cmake --build $fuzz --target fuzz_targets"
# Again and again until ten minutes are over: fuzz_h5_input ends with what libhdf5 does not survive.
fuzz_for_ten_minutes() { # name, corpus
    end=$(($(date +%s) + 600))
    leaks=1
    [ "$1" != fuzz_h5_input ] || leaks=0 # libhdf5 forgets memory over files that are broken
    while left=$((end - $(date +%s))) && [ "$left" -gt 0 ]; do
        # libFuzzer's option ends its own looks for leaks, the sanitizer's the one at the exit.
        ASAN_OPTIONS=detect_leaks=$leaks "$fuzz/tests/fuzz/$1" -max_total_time="$left" \
            -max_len=65536 -timeout=20 -detect_leaks=$leaks -print_final_stats=1 \
            -dict=tests/fuzz/proto.dict -artifact_prefix="$fuzz/" "$2" || return 1
    done
}
for path in tests/fuzz/fuzz_*.c; do
    name=$(basename "$path" .c)
    corpus=$fuzz/corpus/${name#fuzz_}
    mkdir -p "$corpus"
    case $name in
    fuzz_rlog) printf '\003\003\001\0\0\001\0\0\0' > "$corpus/record" ;; # odd: right checksums
    fuzz_h5_input) printf 'S\0\0\0\0\0\0\0\0' > "$corpus/sound" ;; # the sound file, changed
    fuzz_yaml) cp inventory/*.yml inventory/experiments/*.yaml "$corpus" ;;
    esac
    part "ten minutes of $name" fuzz_for_ten_minutes "$name" "$corpus"
done
part "5 s of the firmware on two nodes, harvest and emulation" \
    env BW_ISS_SECONDS=5 /usr/bin/python3 tests/system/test_iss.py
part "mistakes in the firmware, named by the converters' models" \
    python3 tests/firmware_mutants.py build
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
