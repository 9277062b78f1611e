#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what the tests need, builds with sanitizers, runs every test.
# Usage: tests/run.sh [--only PATTERN] [--list]    see tests/runner.py --help
# Where there is no compiler for the PRU it is built behind the other tests, once, which takes some ten
# minutes. BW_PRU_TOOLCHAIN=0 leaves that out; without one the firmware is skipped with a word.
set -eu
cd "$(dirname "$0")/.."
sh tests/install.sh test
if [ "${BW_PRU_TOOLCHAIN:-1}" != 0 ] && ! sh pru/toolchain.sh --find > /dev/null 2>&1; then
    sh tests/install.sh firmware || echo "note: the packages for the PRU's compiler cannot be installed"
fi
exec /usr/bin/python3 tests/runner.py "$@"
