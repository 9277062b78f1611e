#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds the firmware with each mistake of tests/firmware_mutants.txt, runs it in the PRU simulator
and demands that the models of the converters name the rule that it breaks.

Usage: firmware_mutants.py BUILD      the build folder with test_firmware; exit 0 all named, 1 not,
                                      "0 passed, 0 failed, 1 skipped" without a PRU compiler
A line: FILE | TEXT THERE | TEXT INSTEAD | RULE; "\\n" in the texts is a line break in the file,
a backslash is written as two.
"""
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def read_mutants():
    with open(os.path.join(ROOT, "tests", "firmware_mutants.txt"), encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                path, old, new, rule = (part.strip() for part in line.split(" | "))
                yield path, unescape(old), unescape(new), rule


def unescape(text):
    return text.replace("\\\\", "\0").replace("\\n", "\n").replace("\0", "\\")


def copy_tree(tree):
    for name in ("CMakeLists.txt", "pru"):
        source, target = os.path.join(ROOT, name), os.path.join(tree, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.isdir(source):
            shutil.copytree(source, target)
        elif os.path.exists(source):
            shutil.copy2(source, target)
    with open(os.path.join(tree, "CMakeLists.txt"), "w", encoding="utf-8") as file:
        file.write("cmake_minimum_required(VERSION 3.25)\nproject(mutants LANGUAGES C)\n"
                   "add_library(project_flags INTERFACE)\n"
                   "target_include_directories(project_flags INTERFACE ${CMAKE_SOURCE_DIR})\n"
                   "add_subdirectory(pru)\n")


def run(program, folder):
    done = subprocess.run([program], capture_output=True, text=True, timeout=300, check=False,
                          env=dict(os.environ, BW_FIRMWARE_DIR=folder))
    return done.returncode, done.stdout + done.stderr


def build_images(build):
    return subprocess.run(["ninja", "-C", build, "pru_fw"], capture_output=True, text=True,
                          check=False)


def judge(path, old, new, rule, tree, build, program):
    full = os.path.join(tree, path)
    with open(full, encoding="utf-8") as file:
        text = file.read()
    if text.count(old) != 1:
        return f"the text is there {text.count(old)} times"
    with open(full, "w", encoding="utf-8") as file:
        file.write(text.replace(old, new))
    made = build_images(build)
    status, output = run(program, os.path.join(build, "pru", "fw")) if made.returncode == 0 \
        else (0, "")
    with open(full, "w", encoding="utf-8") as file:
        file.write(text)
    if made.returncode != 0:
        return "does not build: " + made.stdout[-600:]
    if status == 0:
        return "SURVIVED"
    return "named" if rule in output else "not named: " + output[-600:]


def main():
    program = os.path.join(os.path.abspath(sys.argv[1]), "tests", "unit", "test_firmware")
    if subprocess.run(["sh", "pru/toolchain.sh", "--find"], cwd=ROOT, check=False,
                      capture_output=True).returncode != 0:
        print("no PRU compiler: pru/toolchain.sh builds one\n0 passed, 0 failed, 1 skipped")
        return 0
    named = missed = 0
    scratch = tempfile.mkdtemp(prefix="bw-fw-mutants-")
    tree, build = os.path.join(scratch, "tree"), os.path.join(scratch, "build")
    try:
        copy_tree(tree)
        subprocess.run(["cmake", "-S", tree, "-B", build, "-G", "Ninja"], check=True,
                       stdout=subprocess.DEVNULL)
        if build_images(build).returncode != 0 \
                or run(program, os.path.join(build, "pru", "fw"))[0] != 0:
            print("the firmware fails without a mutant\n0 passed, 1 failed, 0 skipped")
            return 1
        for path, old, new, rule in read_mutants():
            verdict = judge(path, old, new, rule, tree, build, program)
            print(f"{verdict}: {path}: {old!r} -> {new!r}: {rule}", flush=True)
            named, missed = named + (verdict == "named"), missed + (verdict != "named")
    finally:
        shutil.rmtree(scratch)
    print(f"{named} passed, {missed} failed, 0 skipped")
    return 1 if missed or named == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
