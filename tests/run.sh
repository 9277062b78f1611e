#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what the tests need, builds with sanitizers, runs every test.
# Usage: tests/run.sh [--only PATTERN] [--list]    see tests/runner.py --help
set -eu
cd "$(dirname "$0")/.."
sh tests/install.sh test
exec /usr/bin/python3 tests/runner.py "$@"
