#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Puts looks at the target's pins into PRU1's program, as close to each other as fits its memory.

usage: looks.py PLAIN.elf OUT IN.s...

Reads what the compiler wrote for every source of an image, and writes one file of it for each into
the folder OUT, with `jal r13.w2, pin_look` (pru/fw/pin_look.S, 4 cycles) where the longest path
since the last look would become too long: the smallest limit for which the looks fit. A pulse
that is not shorter than that is seen. PLAIN.elf is the image without any look. tests/pru_bound.py finds the same for the linked image.

Every path is taken to be possible, in loops any number of times. A call is followed with what its
function does: how far its first look, how far behind its last one, or straight through. Functions
are done callees first; no program may call in circles.
"""
import os
import re
import struct
import sys

LIMITS = range(40, 400, 4)  # cycles between two looks: a pulse of 200 ns is never between 40
ROOM = 2048  # instructions
LOOK = "pin_look"
SAMPLE_AFTER = 1  # cycles from a call of it to its look, and from there back to the caller
LOOK_TAIL = 3
ENTRIES = (4, 12, 18, 24, 30)  # what functions that are called from several places allow before
ENDLESS = 10000
SMALL = 16  # a function that takes no longer is left alone
WINDOWS = (0, 8, 16, 24)  # cycles back to a branch, before which a look serves both its ways
# What happens when a pin has changed; nothing is looked at until that is stored.
HANDLER = {"pin_event", "tracer_store"}
# Nothing is traced yet: at the start, and when the trace of the pins begins anew.
# Or no longer, when a run ends.
UNTRACED = {"sampler_finish", "sampler_switch_off", "sampler_fail", "fail_other_core",
            "boot", "configure", "tracer_boot", "tracer_start", "sampler_boot", "adc_harvester_init",
            "curve_harvester_init", "converter_init", "store_init", "vsource_init"}
UNFOLLOWED = HANDLER | UNTRACED
# Changes what a look compares with, and looks itself; must not be disturbed.
UNDISTURBED = HANDLER | UNTRACED | {"settle"}
# Reads from other memories than the subsystem's, by function and bytes; OCMC at its best.
SLOW_READS = {("sampler_take_input", "8"): 28}
# Loops in inline assembler: how often they turn at most, and the cycles of a turn.
TURNS = {"fx_mul_shift_any": (2, 5)}
BRANCHES = re.compile(r"qb(eq|ne|lt|gt|le|ge|bs|bc|a)$|jmp$")
IEP = range(0x2E000, 0x2F000)
IEP_CONSTANT = "26"  # of the constants table
CARRY_USERS = {"adc", "suc", "rsc"}
CARRY_SETTERS = {"add", "sub", "rsb", "adc", "suc", "rsc"}


class Node:
    """An instruction, or several that stay together."""

    def __init__(self, op, words, line):
        self.op, self.words = op, words
        self.line = line  # of the file
        self.cost = 1
        self.callee = None
        self.next, self.before = [], []  # indices of nodes
        self.is_return = False
        self.is_look = False  # reads r31 at its start
        self.looks_before = False
        self.is_bound = False  # to the one before it


class Function:
    def __init__(self, name, path):
        self.name, self.path = name, path
        self.nodes = []
        self.labels = {}
        # see summarize
        self.head = self.through = self.tail = None
        self.longest = None  # way between two looks


def registers_of(text):
    return re.findall(r"\br\d+", text)


def words_of(words):
    """Words of memory that an access touches; the stack is not aligned."""
    size = int(words[-1], 0) if words[-1].isdigit() else 4
    return (size + 3 + (3 if words[1] in ("sp", "r2") else 0)) // 4


def read_cost(function, words, known):
    slow = SLOW_READS.get((function.name, words[-1]))
    if slow is not None:
        return slow
    address = known.get(words[1])
    if words[1] == IEP_CONSTANT:
        return 12
    if address is not None and words[2].isdigit() and address + int(words[2]) in IEP:
        return 12
    return 2 + words_of(words)


def cost_of(function, op, words, known):
    if op in ("lbbo", "lbco"):
        return read_cost(function, words, known)
    if op in ("sbbo", "sbco"):
        return 1 + words_of(words)
    return 2 if op == "ldi32" else 1


def follow_constants(op, words, known):
    if op in ("ldi", "ldi32") and re.fullmatch(r"-?\d+", words[1]):
        known[words[0]] = int(words[1])
    elif op not in ("sbbo", "sbco") and words:
        for register in registers_of(words[0]):
            known.pop(register, None)


def parse(path):
    """The functions of a file, and its lines."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    functions = []
    function = None
    known = {}
    in_asm = False
    for number, line in enumerate(lines):
        text = line.split(";")[0].strip()
        begin = re.match(r"\.type\s+([\w.]+), @function", text)
        if begin:
            function = Function(begin.group(1), path)
            functions.append(function)
        elif text in ("#APP", "#NO_APP"):
            in_asm = text == "#APP"
            if in_asm:
                turns, cycles = TURNS.get(function.name, (1, 0))
                function.nodes.append(Node("asm", [], number))
                function.nodes[-1].cost = (turns - 1) * cycles
            else:
                known = {}
        elif re.match(r"[\w.$]+:", text) and function is not None:
            function.labels[text.rstrip(":")] = len(function.nodes)
            known = {}
        elif text and text[0] not in ".#" and function is not None:
            words = text.replace(",", " ").split()
            op, words = words[0], words[1:]
            cost = cost_of(function, op, words, known)
            is_look = any(word.startswith("r31") for word in words[1:])
            if in_asm:
                function.nodes[-1].cost += cost
                function.nodes[-1].is_look |= is_look
                continue
            node = Node(op, words, number)
            node.cost = cost
            node.is_look = is_look
            function.nodes.append(node)
            follow_constants(op, words, known)
    return functions, lines


def link(function, names):
    """Where each node goes on. names: of this file, then of all."""
    for i, node in enumerate(function.nodes):
        target = re.sub(r"%label\((.*)\)", r"\1", node.words[0]) if node.words else ""
        if node.op == "ret":
            node.is_return = True
        elif node.op in ("call", "jmp") and target not in function.labels:
            node.callee = names(target)
            node.is_return = node.op == "jmp"
            node.next = [] if node.is_return else [i + 1]
        elif BRANCHES.match(node.op):
            if target not in function.labels:
                sys.exit(f"looks.py: {function.path}:{node.line + 1}: where does this go?")
            node.next = [function.labels[target]]
            if node.op not in ("jmp", "qba"):
                node.next.append(i + 1)
        elif i + 1 < len(function.nodes):
            node.next = [i + 1]
    for i, node in enumerate(function.nodes):
        for k in node.next:
            function.nodes[k].before.append(i)


def keep_carry(function):
    """Nothing may come between what sets the carry and what uses it."""
    setter = None
    for i, node in enumerate(function.nodes):
        if node.op in CARRY_USERS:
            for between in function.nodes[setter + 1:i + 1]:
                between.is_bound = True
        if node.op in CARRY_SETTERS:
            setter = i


def later(a, b):
    return b if a is None else a if b is None else max(a, b)


def step(node, distance):
    """From a distance before the node: that of the longest way to a look in it, and that behind
    it; each None where there is none. The second begins at a look if the node has one."""
    if distance is None:
        return None, None
    look = None
    if node.looks_before:
        look, distance = distance + SAMPLE_AFTER, LOOK_TAIL
    distance += node.cost
    callee = node.callee
    if callee is None or callee.name in UNFOLLOWED:
        return later(look, distance - node.cost if node.is_look else None), distance
    if callee.head is not None:
        look = later(look, distance + callee.head)
    return look, None if callee.through is None else distance + callee.through


def follow(node, before):
    """before: (longest way from the function's begin without a look, longest since a look).
    The same behind the node, and the longest way from the begin to a look in it."""
    fresh, since = before
    head, fresh = step(node, fresh)
    _, since = step(node, since)
    has_look = node.looks_before or node.is_look
    if has_look:
        fresh, since = None, later(fresh, since)
        if node.is_look:
            since = node.cost
    callee = node.callee
    if callee is not None and callee.name not in UNFOLLOWED:
        since = later(since, callee.tail)
    return (fresh, since), head


def flaw(node, distance, limit):
    """Whether a look must come before the node, `distance` behind the last one."""
    look, behind = step(node, distance)
    return (look is not None and look > limit) or (
        not node.is_look and behind is not None and behind + SAMPLE_AFTER > limit)


def analyse(function, entry, limit):
    """Works out the function's summary; the first node that wants a look before it, or None."""
    ways = [(None, None)] * len(function.nodes)
    ways[0] = (0, None)
    function.head = function.through = function.tail = function.longest = None
    todo = {0}
    while todo:
        i = min(todo)
        todo.remove(i)
        node = function.nodes[i]
        fresh, since = ways[i]
        distance = later(None if fresh is None else fresh + entry, since)
        if not node.looks_before and not node.is_bound and flaw(node, distance, limit):
            if function.name not in UNDISTURBED:
                return i
        if distance > ENDLESS:
            sys.exit(f"looks.py: {function.name} has a loop that nothing ends")
        function.longest = later(function.longest, step(node, since)[0])
        (fresh, since), head = follow(node, ways[i])
        function.head = later(function.head, head)
        if node.is_return:
            function.through = later(function.through, fresh)
            function.tail = later(function.tail, since)
        for k in node.next:
            more = (later(ways[k][0], fresh), later(ways[k][1], since))
            if more != ways[k]:
                ways[k] = more
                todo.add(k)
    return None


def find_branch(function, i, window):
    """Back along the only way to node i: the furthest branch that is not further than `window`."""
    found, cycles = i, 0
    while len(function.nodes[i].before) == 1:
        i = function.nodes[i].before[0]
        node = function.nodes[i]
        cycles += node.cost
        if cycles > window or node.looks_before or node.callee is not None:
            break
        if len(node.next) > 1:
            found = i
    return found


def place_with(function, entry, limit, window):
    """Looks so that none is missing: their nodes, or None where that is not possible."""
    for node in function.nodes:
        node.looks_before = False
    while True:
        i = analyse(function, entry, limit)
        if i is None:
            break
        i = find_branch(function, i, window)
        while function.nodes[i].is_bound:
            i -= 1
        if function.nodes[i].looks_before:
            return None
        function.nodes[i].looks_before = True
    looks = [node for node in function.nodes if node.looks_before]
    for node in looks:
        node.looks_before = False
        node.looks_before = analyse(function, entry, limit) is not None
    return [node for node in looks if node.looks_before]


def place(function, entry, limit):
    """Puts looks into the function, as few as is found. entry: how far behind a look it may be
    called."""
    best = None
    for window in WINDOWS:
        looks = place_with(function, entry, limit, window)
        if looks is not None and (best is None or len(looks) < len(best)):
            best = looks
    if best is None:
        sys.exit(f"looks.py: {function.name}: no place for a look")
    for node in function.nodes:
        node.looks_before = node in best
    analyse(function, entry, limit)


def callees_first(functions):
    done, order = set(), []

    def visit(function, path):
        if function in path:
            sys.exit(f"looks.py: {function.name} calls itself")
        if function not in done:
            for node in function.nodes:
                if node.callee is not None:
                    visit(node.callee, path + [function])
            done.add(function)
            order.append(function)

    for function in functions:
        visit(function, [])
    return order


def write(path, lines, functions):
    wanted = {}
    for function in functions:
        for node in function.nodes:
            if node.looks_before:
                wanted[node.line] = wanted.get(node.line, 0) + 1
    with open(path, "w", encoding="utf-8") as file:
        for number, line in enumerate(lines):
            if number in wanted:
                file.write(f"\tjal\tr13.w2, %label({LOOK})\n")
            file.write(line + "\n")


def read(paths):
    """path: (functions, lines) of each, linked."""
    files = {path: parse(path) for path in paths}
    shared = {function.name: function for functions, _ in files.values() for function in functions}
    for functions, _ in files.values():
        own = {function.name: function for function in functions}
        for function in functions:
            link(function, lambda name, own=own: own.get(name) or shared.get(name)
                 or sys.exit(f"looks.py: no function {name}"))
            keep_carry(function)
    return files, [shared["main"], shared["pin_event"]]


def place_all(functions, limit, entry):
    """How many looks that takes; entry: one of ENTRIES."""
    n_calls = {}
    for function in functions:
        for node in function.nodes:
            node.looks_before = False
            n_calls[node.callee] = n_calls.get(node.callee, 0) + 1
    for function in functions:
        if function.name in UNFOLLOWED:
            continue
        is_small = analyse(function, limit - SMALL, limit) is None and function.through is not None
        if not is_small:
            place(function, entry if n_calls.get(function, 0) > 1 else ENTRIES[0], limit)
    return sum(node.looks_before for function in functions for node in function.nodes)


def program_size(path):
    """Instructions of an image: its section .text."""
    with open(path, "rb") as file:
        elf = file.read()
    table, = struct.unpack_from("<I", elf, 32)
    size, count, names = struct.unpack_from("<3H", elf, 46)
    sections = [struct.unpack_from("<10I", elf, table + i * size) for i in range(count)]
    for section in sections:
        name = sections[names][4] + section[0]
        if elf[name:].startswith(b".text\0"):
            return section[5] // 4
    sys.exit(f"looks.py: {path} has no program")


def main():
    plain, out, paths = sys.argv[1], sys.argv[2], sys.argv[3:]
    files, roots = read(paths)
    functions = callees_first(roots)
    size = program_size(plain)
    for limit in LIMITS:
        n_looks, entry = min((place_all(functions, limit, entry), entry) for entry in ENTRIES)
        if size + n_looks <= ROOM:
            break
    place_all(functions, limit, entry)
    print(f"PRU1: {n_looks} looks at the pins, no further from each other than {limit} cycles, "
          f"{size + n_looks} instructions of {ROOM}")
    os.makedirs(out, exist_ok=True)
    for path, (_, lines) in files.items():
        write(os.path.join(out, os.path.basename(path)), lines,
              [function for function in functions if function.path == path])


if __name__ == "__main__":
    main()
