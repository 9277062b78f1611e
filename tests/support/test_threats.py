#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Each threat of common/THREATS.md names a test that there is.

Usage: test_threats.py [PAGE]. A row's last column names, between backquotes, unit tests
(`test_x`), system tests (by path), fuzz targets (`fuzz_x`) or source files; at least one test."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def find(name):
    """The file that the name means, or None."""
    for path in (name, f"tests/unit/{name}.c", f"tests/fuzz/{name}.c", f"common/{name}"):
        if os.path.isfile(os.path.join(ROOT, path)):
            return path
    return None


def is_run(path):
    """False for a test's source that no suite builds."""
    for folder, macro, mark in (("tests/unit/", "bw_unit_test", "test_"),
                                ("tests/fuzz/", "bw_fuzz_target", "fuzz_")):
        if path.startswith(folder):
            name = os.path.basename(path)[len(mark):-len(".c")]
            with open(os.path.join(ROOT, folder, "CMakeLists.txt"), encoding="utf-8") as file:
                return re.search(rf"^{macro}\({name}\b", file.read(), re.M) is not None
    return True


def faults_of(page):
    """What is wrong with the table; and how many threats it has."""
    faults, n_threats = [], 0
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|") or len(cells) != 3 or cells[0] in ("threat", "---"):
            continue
        n_threats += 1
        paths = [(name, find(name)) for name in re.findall(r"`([\w./]+)`", cells[2])]
        faults += [f"{cells[0]}: there is no {name}" for name, path in paths if path is None]
        faults += [f"{cells[0]}: nothing builds {path}" for _, path in paths
                   if path and not is_run(path)]
        if not any(path and path.startswith("tests/") for _, path in paths):
            faults.append(f"{cells[0]}: no test is named")
    return faults, n_threats


def planted():
    """Gaps that must be noticed."""
    row = "| a threat | what stands | {} |"
    for shown in ("`test_nothing`", "libzmq", "`tests/system/test_nothing.py`", "`zap.c`", "`fuzz_nothing`"):
        assert faults_of(row.format(shown))[0], f"not noticed: {shown}"
    assert faults_of(row.format("`test_wire`: closed")) == ([], 1)


def main():
    planted()
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "common", "THREATS.md")
    with open(path, encoding="utf-8") as file:
        faults, n_threats = faults_of(file.read())
    for fault in faults:
        print(fault)
    if faults or n_threats == 0:
        return 1
    print(f"note: {n_threats} threats, each with a test that there is")
    return 0


if __name__ == "__main__":
    sys.exit(main())
