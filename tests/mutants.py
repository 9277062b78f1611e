#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Applies each mutant of tests/mutants.txt to a copy of the tree and demands that the named test
fails there, after it passed without the mutant.

A line: FILE | TEXT THERE | TEXT INSTEAD | BUILD TARGET [ARGUMENTS OF THE TEST]
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def read_mutants():
    with open(os.path.join(ROOT, "tests", "mutants.txt"), encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                yield [part.strip() for part in line.rstrip("\n").split(" | ")]


def find_program(build, target):
    for folder, _, names in os.walk(build):
        path = os.path.join(folder, target)
        if target in names and os.access(path, os.X_OK):
            return path
    return None


def run_test(tree, build, words):
    """'pass', 'fail' or 'broken' (does not build)."""
    made = subprocess.run(["cmake", "--build", build, "-j", "2", "--target", words[0]],
                          capture_output=True, text=True, check=False)
    if made.returncode != 0:
        print(made.stdout[-2000:])
        return "broken"
    try:
        status = subprocess.run([find_program(build, words[0]), *words[1:]], cwd=tree,
                                capture_output=True, timeout=60, check=False).returncode
    except subprocess.TimeoutExpired:
        return "fail"
    return "pass" if status == 0 else "fail"


def main():
    mutants = list(read_mutants())
    only = sys.argv[1:] or None
    scratch = tempfile.mkdtemp(prefix="bw-mutants-")
    tree, build = os.path.join(scratch, "tree"), os.path.join(scratch, "build")
    killed = survived = 0
    try:
        files = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True,
                               text=True).stdout.split("\n")
        for name in filter(None, files):
            if os.path.exists(os.path.join(ROOT, name)):
                os.makedirs(os.path.dirname(os.path.join(tree, name)), exist_ok=True)
                shutil.copy2(os.path.join(ROOT, name), os.path.join(tree, name))
        shared = os.environ.get("BW_SHARED", os.path.join(os.path.dirname(ROOT), "shared"))
        os.environ["BW_SHARED"] = shared
        subprocess.run(["cmake", "-S", tree, "-B", build, "-G", "Ninja",
                        "-DCMAKE_BUILD_TYPE=Debug"], check=True, stdout=subprocess.DEVNULL)
        for path, old, new, target in mutants:
            if only and target not in only:
                continue
            words = target.split()
            full = os.path.join(tree, path)
            with open(full, encoding="utf-8") as file:
                text = file.read()
            begin = time.monotonic()
            verdict = "the text is not there exactly once"
            if text.count(old) == 1 and run_test(tree, build, words) == "pass":
                with open(full, "w", encoding="utf-8") as file:
                    file.write(text.replace(old, new))
                verdict = {"fail": "killed", "pass": "SURVIVED",
                           "broken": "does not build"}[run_test(tree, build, words)]
                with open(full, "w", encoding="utf-8") as file:
                    file.write(text)
            elif text.count(old) == 1:
                verdict = "the test fails without the mutant"
            print(f"{verdict}: {path}: '{old}' -> '{new}' by {target} "
                  f"({time.monotonic() - begin:.1f} s)", flush=True)
            if verdict == "killed":
                killed += 1
            else:
                survived += 1
    finally:
        shutil.rmtree(scratch)
    print(f"{killed} passed, {survived} failed, 0 skipped")
    return 1 if survived or killed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
