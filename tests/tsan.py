#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""System tests on a build with ThreadSanitizer; any report of it fails.

Usage: tsan.py BUILD [TEST[:FUNCTION,FUNCTION...] ...]; default: all tests that do not measure time.
Under ThreadSanitizer everything is some ten times slower: limits of time are longer (BW_SLOWER), and a
test that fails without a report is run once more."""
import glob
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PYTHON = "/usr/bin/python3"
LIMIT_S = 2400
SLOWER = "5"


def all_tests():
    for path in sorted(glob.glob(os.path.join(ROOT, "tests", "system", "test_*.py"))):
        with open(path, encoding="utf-8") as file:
            if not re.search(r'^BUILD = "release"', file.read(), re.M):
                yield os.path.basename(path)[len("test_"):-len(".py")]


def run(build, test, folder):
    """The test's exit status, and what ThreadSanitizer reported."""
    name, _, functions = test.partition(":")
    log = os.path.join(folder, name)
    options = (f"suppressions={os.path.join(ROOT, 'tests', 'support', 'tsan.supp')} "
               f"log_path={log} exitcode=0")
    path = os.path.join(ROOT, "tests", "system", f"test_{name}.py")
    try:
        done = subprocess.run([PYTHON, path, *functions.split(",")] if functions else [PYTHON, path],
                              timeout=LIMIT_S, capture_output=True, text=True, check=False,
                              env=dict(os.environ, BW_BUILD=build, BW_SLOWER=SLOWER,
                                       TSAN_OPTIONS=options))
        status, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired:
        status, output = 1, f"past its limit of {LIMIT_S} s"
    reports = ""
    for found in glob.glob(f"{log}.*"):
        with open(found, encoding="utf-8", errors="replace") as file:
            reports += file.read()
    return status, output, reports


def main():
    build, names = os.path.abspath(sys.argv[1]), sys.argv[2:] or list(all_tests())
    passed = failed = 0
    for name in names:
        with tempfile.TemporaryDirectory(prefix="bw-tsan-") as folder:
            status, output, reports = run(build, name, folder)
            if status != 0 and not reports:
                status, output, reports = run(build, name, folder)
        n_reports = len(re.findall(r"^WARNING: ThreadSanitizer", reports, re.M))
        print(f"figure: {name}: {n_reports} reports of ThreadSanitizer", flush=True)
        if status == 0 and n_reports == 0:
            passed += 1
            continue
        failed += 1
        print(output[-3000:] if n_reports == 0 else reports[:6000], flush=True)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
