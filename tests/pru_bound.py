#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The longest way between two looks at the pins in PRU1's linked image, over every path.

usage: pru_bound.py OBJDUMP IMAGE.elf [LIMIT]

Takes the program from the disassembler, what an instruction costs and which functions count from
pru/fw/looks.py. Fails above LIMIT cycles.
"""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../pru/fw"))
import looks  # noqa: E402  pylint: disable=wrong-import-position

FOREVER = 1 << 30


def target_of(words):
    """Address that an instruction names, or None."""
    for word in words:
        if re.fullmatch(r"[0-9a-f]{8}", word):
            return int(word, 16)
    return None


def follow_constants(op, words, known):
    """Registers that hold constants, which the linker makes of halves."""
    if op == "ldi" and re.fullmatch(r"r\d+(\.w[02])?", words[0]):
        register, _, half = words[0].partition(".")
        value = int(words[1])
        before = known.get(register, 0)
        known[register] = {"": value, "w0": before & ~0xFFFF | value,
                           "w2": before & 0xFFFF | value << 16}[half]
    elif op not in ("sbbo", "sbco") and words:
        for register in looks.registers_of(words[0]):
            known.pop(register, None)


def parse(text, path):
    """Functions by address; `at` of each node is its address."""
    functions = {}
    function, known = None, {}
    targets = {target_of(line.split("\t")[3].replace(",", " ").split())
               for line in text if len(line.split("\t")) > 3}
    for line in text:
        begin = re.match(r"([0-9a-f]{8}) <(.+)>:", line)
        parts = line.split("\t")
        if begin:
            function = functions[int(begin.group(1), 16)] = looks.Function(begin.group(2), path)
            known = {}
        elif len(parts) > 2 and function is not None:
            at = int(parts[0].strip(" :"), 16)
            words = re.sub(r"<.*?>", "", parts[3] if len(parts) > 3 else "").replace(",", " ").split()
            op = parts[2].strip()
            if at in targets:
                known = {}
            node = looks.Node(op, words, at)
            node.cost = looks.cost_of(function, op, words, known)
            node.is_look = op != "jal" and any(word.startswith("r31") for word in words[1:])
            function.labels[at] = len(function.nodes)
            function.nodes.append(node)
            follow_constants(op, words, known)
    return functions


def link(function, functions):
    """Where each node goes on: a branch's target comes first."""
    for i, node in enumerate(function.nodes):
        target = target_of(node.words)
        node.next = [i + 1] if i + 1 < len(function.nodes) else []
        if node.op == "ret":
            node.is_return, node.next = True, []
        elif node.op in ("call", "jmp") and target not in function.labels:
            node.callee = functions[target]
            node.is_return = node.op == "jmp"
            node.next = [] if node.is_return else node.next
        elif looks.BRANCHES.match(node.op):
            straight = [] if node.op in ("jmp", "qba") else node.next
            node.next = [function.labels[target]] + straight


def count_looks(function, functions):
    """Looks are none of the program's own cycles; loops whose turns are known are run through."""
    for i, node in enumerate(function.nodes):
        if node.op == "jal" and functions[target_of(node.words)].name == looks.LOOK:
            node.looks_before, node.cost = True, 0
        elif function.name in looks.TURNS and looks.BRANCHES.match(node.op) and node.next[0] <= i:
            turns, cycles = looks.TURNS[function.name]
            node.next, node.cost = node.next[1:], node.cost + (turns - 1) * cycles


def main():
    objdump, image = sys.argv[1:3]
    text = subprocess.run([objdump, "-d", image], check=True, capture_output=True,
                          text=True).stdout.splitlines()
    functions = parse(text, image)
    for function in functions.values():
        if function.name not in (looks.LOOK, "_start"):
            link(function, functions)
            count_looks(function, functions)
    root = [function for function in functions.values() if function.name == "main"]
    counted = [function for function in looks.callees_first(root)
               if function.name not in looks.UNFOLLOWED]
    for function in counted:
        looks.analyse(function, 0, FOREVER)
    longest, name = max((function.longest or 0, function.name) for function in counted)
    n_looks = sum(node.looks_before for function in counted for node in function.nodes)
    print(f"figure: {os.path.basename(image)}: {n_looks} looks at the pins, at most {longest} cycles "
          f"from one to the next ({name}), static bound")
    return 1 if n_looks == 0 or longest > (int(sys.argv[3]) if len(sys.argv) > 3 else FOREVER) else 0


if __name__ == "__main__":
    sys.exit(main())
