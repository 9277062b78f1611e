#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Cycles and sizes of the firmware against the table that is kept beside this script.

usage: fw_cycles.py BUILD [--write]

Fails when a figure has grown by more than 2 % (a loop of PRU1: 25 %), when one is above its limit,
and when the table lacks a preset. --write replaces the table by what is measured.
"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TABLE = os.path.join(HERE, "fw_cycles.txt")
GROWTH = 1.02
LOOP_GROWTH = 1.25  # which duties fall into one loop is chance
SHOWN = 12
SAMPLE_LIMIT = 1500  # of 2000 cycles that a period has
BYTES_LIMIT = 8192
SIZES = ("program", "data")
COLUMNS = ("sample best", "sample worst", "sample random",
           "PRU1's loop best", "PRU1's loop worst", "PRU1's loop random")
HEAD = f"""\
# Written by tests/bench/fw_cycles.py BUILD --write, which explains it.
# Cycles of 2000 of the longest sample from its trigger to its end, limit {SAMPLE_LIMIT}, and PRU1's longest loop;
# DDR and OCMC at their best, every access at its worst, and stalling at random.
# Bytes of program and data of each image, limit {BYTES_LIMIT}; data without the stack's 512.
#                                          sample                 loop
# mode    preset                   input    best  worst random    best  worst random
"""


def measure_sizes(build):
    tools = subprocess.run(["sh", os.path.join(HERE, "../../pru/toolchain.sh"), "--find"],
                           check=True, capture_output=True, text=True).stdout.strip()
    folder = os.path.join(build, "pru/fw")
    sizes = {}
    for name in sorted(name for name in os.listdir(folder) if name.endswith(".elf")):
        text = subprocess.run([tools + "size", "-A", os.path.join(folder, name)], check=True,
                              capture_output=True, text=True).stdout
        parts = {line.split()[0]: int(line.split()[1]) for line in text.splitlines()
                 if line.startswith(".")}
        sizes[f"size {name}"] = [parts[".text"], parts.get(".data", 0) + parts.get(".bss", 0)]
    return sizes


def parse(lines):
    """Key (the words) to figures (the numbers)."""
    table = {}
    for line in lines:
        words = line.split("#")[0].split()
        if words:
            figures = [int(word) for word in words if word.isdigit()]
            table[" ".join(words[:len(words) - len(figures)])] = figures
    return table


def render(table):
    lines = []
    for key, figures in table.items():
        words = key.split()
        if words[0] == "size":
            lines.append(f"size      {words[1]:<33} {figures[0]:5} {figures[1]:6}")
        else:
            lines.append(f"{words[0]:<9} {words[1]:<24} {words[2]:<8} "
                         + " ".join(f"{figure:5} " for figure in figures[:3]) + " "
                         + " ".join(f"{figure:5} " for figure in figures[3:]).rstrip())
    return HEAD + "\n".join(lines) + "\n"


def limit_of(key, column):
    """What the figure should keep, and by how much it may grow."""
    if key.startswith("size"):
        return BYTES_LIMIT, GROWTH
    return (SAMPLE_LIMIT, GROWTH) if column < 3 else (None, LOOP_GROWTH)


def compare(kept, measured):
    """Complaints, and how many figures have become smaller by more than is noise."""
    complaints = [f"{key}: not in the table" for key in measured if key not in kept]
    complaints += [f"{key}: in the table, but not measured" for key in kept if key not in measured]
    n_smaller = 0
    for key, figures in measured.items():
        for column, (now, before) in enumerate(zip(figures, kept.get(key, []))):
            what = f"{key}: {(SIZES if key.startswith('size') else COLUMNS)[column]}"
            limit, growth = limit_of(key, column)
            if now > before * growth:
                complaints.append(f"{what} has grown from {before} to {now}")
            elif limit is not None and now > limit:
                complaints.append(f"{what} is {now}, above its limit of {limit}")
            n_smaller += now * growth < before
    return complaints, n_smaller


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["--write"]):
        print(__doc__)
        return 2
    build = sys.argv[1]
    run = subprocess.run([os.path.join(build, "tests/fw_cycles"), os.path.join(build, "pru/fw")],
                         capture_output=True, text=True, check=False)
    if run.returncode != 0:
        print(run.stdout + run.stderr, end="")
        return run.returncode
    measured = parse(run.stdout.splitlines())
    measured.update(measure_sizes(build))
    if sys.argv[2:] == ["--write"]:
        with open(TABLE, "w", encoding="utf-8") as file:
            file.write(render(measured))
        return 0
    with open(TABLE, encoding="utf-8") as file:
        complaints, n_smaller = compare(parse(file), measured)
    for mode in ("harvest", "emulate"):
        rows = [figures for key, figures in measured.items() if key.startswith(mode)]
        print(f"figure: longest sample of {mode} {max(max(row[:3]) for row in rows)} of 2000 cycles, "
              f"{sum(max(row[:3]) > SAMPLE_LIMIT for row in rows)} of {len(rows)} presets above "
              f"{SAMPLE_LIMIT}; PRU1's longest loop {max(max(row[3:]) for row in rows)}")
    for key, figures in measured.items():
        if key.startswith("size"):
            print(f"figure: {key[5:]}: {figures[0]} bytes of program, {figures[1]} of data, "
                  f"of {BYTES_LIMIT} each")
    if n_smaller:
        print(f"note: {n_smaller} figures are smaller than in the table; --write keeps them")
    for complaint in complaints[:SHOWN]:
        print(f"tests/bench/fw_cycles.txt: {complaint}")
    if complaints[SHOWN:]:
        print(f"tests/bench/fw_cycles.txt: {len(complaints) - SHOWN} more such figures")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
