#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The longest way of a sample through PRU0's linked images, from its trigger to its end, over every path.

usage: pru_sample_bound.py TOOLS FOLDER TABLE

TOOLS: prefix of objdump and addr2line; FOLDER has the images; TABLE: tests/bench/fw_cycles.txt. Fails where a
loop is not annotated below, and where a sample was observed to take longer than its bound.

Every path is taken to be possible, also those that exclude each other. What a loop or a wait is, the image's
debugging information says: the function that it stands in, inlined or not. Costs are those of pru/fw/looks.py;
PRU0 reads nothing but its own subsystem's memories and the IEP; what it writes to others it does not wait for.
"""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pru_bound  # noqa: E402  pylint: disable=wrong-import-position
from pru_bound import looks  # noqa: E402  pylint: disable=wrong-import-position

# How often a loop turns at most, by the function that it stands in; counted ones say so themselves.
TURNS = {
    "fx_mul_shift_any": 3,  # a shift below 128, by words
    "fx_mul_wide": 3,
    # PRU1 has the input's sample ready: how long it may take is no part of the bound
    "sampler_await_input": 1,
    # up to a tick, which COUNTER_WAIT says
    "ads8691_await": 1,
}
# The wait for a conversion: from the reading of the counter in it until so many cycles behind the trigger.
COUNTER_WAIT = "ads8691_await"
NEVER = -(1 << 30)


class Image:
    """A linked image; the time since the trigger is a pair: cycles since where one came from, and cycles
    since the trigger where a wait has set them, or NEVER."""

    def __init__(self, tools, path, ready):
        text = subprocess.run([tools + "objdump", "-d", path], check=True, capture_output=True, text=True).stdout
        self.path, self.ready = path, ready
        self.functions = pru_bound.parse(text.splitlines(), path)
        self.chains = chains(tools + "addr2line", path, self.functions.values())
        self.through = {}
        self.n_loops = 0
        for function in self.functions.values():
            if function.name != "_start":
                pru_bound.link(function, self.functions)

    def inside(self, node, *names):
        return all(name in self.chains[node.line] for name in names)

    def turns(self, function, header, last):
        """How often the loop turns that begins and ends there."""
        nodes = function.nodes
        before = nodes[header - 1]
        if (last == header + 1 and nodes[header].op == "sub" and before.op == "ldi"
                and before.words[0] == nodes[header].words[0] and nodes[header].words[2] == "1"
                and [i for i, node in enumerate(nodes) if header in node.next] == [header - 1, last]):
            return int(before.words[1])
        for name in self.chains[nodes[last].line] + [function.name.split(".")[0]]:
            if name in TURNS:
                return TURNS[name]
        sys.exit(f"{self.path}: no bound for the loop at {nodes[header].line:#x} in "
                 f"{' in '.join(self.chains[nodes[last].line])}: pru_sample_bound.py wants it in TURNS")

    def cost(self, function, i):
        """Of the instruction, and of the further turns of a loop of the hardware that begins there."""
        node = function.nodes[i]
        if node.op != "loop":
            return node.cost
        if not node.words[1].isdigit():
            sys.exit(f"{self.path}: the loop at {node.line:#x} is not counted by a constant")
        body = function.nodes[i + 1:function.labels[int(node.words[0], 16)]]
        if any(inner.callee or inner.op == "loop" for inner in body):
            sys.exit(f"{self.path}: the loop at {node.line:#x} has more in it than instructions")
        return node.cost + (int(node.words[1]) - 1) * sum(inner.cost for inner in body)

    def behind(self, function, i, since):
        """The time behind an instruction from that before it."""
        node = function.nodes[i]
        cost = self.cost(function, i)
        here, fixed = since[0] + cost, since[1] + cost
        if node.op == "lbco" and self.inside(node, COUNTER_WAIT):
            fixed = max(fixed, self.ready + node.cost)
        if node.callee is not None:
            through = self.way_through(node.callee)
            if through is None:
                return None
            here, fixed = here + through[0], max(fixed + through[0], through[1])
        return here, fixed

    def way_through(self, function):
        """None when it does not return."""
        if function.name not in self.through:
            ends = {i for i, node in enumerate(function.nodes) if node.is_return}
            self.through[function.name] = self.longest(function, 0, ends) if ends else None
        return self.through[function.name]

    def longest(self, function, start, ends):
        """From before `start` to behind one of the ends, or None."""
        order, back = sort(function, start, ends)
        extra = {}
        for last, header in back:
            self.n_loops += 1
            turns = self.turns(function, header, last)
            turn = self.ways(function, order, back, header, {}).get(last) if turns > 1 else (0, 0)
            extra[header] = extra.get(header, 0) + (turns - 1) * turn[0]
        ways = self.ways(function, order, back, start, extra)
        found = [ways[i] for i in ends if i in ways]
        return (max(way[0] for way in found), max(way[1] for way in found)) if found else None

    def ways(self, function, order, back, start, extra):
        """Time behind every node that is reached from `start`, without the ways back."""
        before, behind = {start: (0, NEVER)}, {}
        for i in order[order.index(start):]:
            if i not in before:
                continue
            more = extra.get(i, 0)
            here = self.behind(function, i, (before[i][0] + more, before[i][1] + more))
            if here is None:
                continue
            behind[i] = here
            for k in function.nodes[i].next:
                if (i, k) not in back:
                    old = before.get(k, (NEVER, NEVER))
                    before[k] = max(old[0], here[0]), max(old[1], here[1])
        return behind

    def sample(self):
        """Cycles from the chip selects' rise to the reading of the counter that ends a sample."""
        main = next(function for function in self.functions.values() if function.name == "main")
        nodes = main.nodes
        rested = max(i for i, node in enumerate(nodes) if self.inside(node, "hardware_rest", "trigger_at"))
        start = next(i for i in range(rested, len(nodes)) if nodes[i].words and nodes[i].words[0] == "r30")
        # the first that is not the wait's
        ends = {i for i, node in enumerate(nodes) if node.op == "lbco" and not self.inside(node, COUNTER_WAIT)}
        way = self.longest(main, start, ends)
        if way is None:
            sys.exit(f"{self.path}: no way from a trigger to the end of its sample")
        return max(way)


def sort(function, start, ends):
    """The nodes from `start` up to the ends, each behind those that lead to it; the edges that lead back."""
    order, back, state = [], set(), {start: 1}
    stack = [(start, iter(function.nodes[start].next))]
    while stack:
        i, rest = stack[-1]
        k = next(rest, None) if i not in ends else None
        if k is None:
            state[i] = 2
            order.append(i)
            stack.pop()
        elif state.get(k) == 1:
            back.add((i, k))
        elif k not in state:
            state[k] = 1
            stack.append((k, iter(function.nodes[k].next)))
    return order[::-1], back


def chains(addr2line, image, functions):
    """Address to the functions that an instruction stands in, innermost first."""
    at = [node.line for function in functions for node in function.nodes]
    text = subprocess.run([addr2line, "-a", "-f", "-i", "-e", image], check=True, capture_output=True, text=True,
                          input="\n".join(f"{a:x}" for a in at)).stdout.splitlines()
    found = {}
    for line in text:
        if re.fullmatch(r"0x[0-9a-f]+", line):
            names = found[int(line, 16)] = []
            is_name = True
        else:
            if is_name and names[-1:] != [line]:  # assembler's appear twice
                names.append(line)
            is_name = not is_name
    return found


def observed(table, mode):
    with open(table, encoding="utf-8") as file:
        rows = [line.split("#")[0].split() for line in file if line.startswith(mode)]
    return max(int(figure) for row in rows for figure in row[3:6])


def ready_cycles():
    with open(os.path.join(os.path.dirname(looks.__file__), "converters.h"), encoding="utf-8") as file:
        return int(re.search(r"ADS8691_CONVERSION_TICKS =\s*(\d+)", file.read()).group(1))


def main():
    if len(sys.argv) != 4:
        print(__doc__)
        return 2
    tools, folder, table = sys.argv[1:]
    bad = 0
    for name in sorted(os.listdir(folder)):
        begin = re.match(r"pru0-(harvest|emulate)-\d+\.elf$", name)
        if begin:
            image = Image(tools, os.path.join(folder, name), ready_cycles())
            bound, seen = image.sample(), observed(table, begin.group(1))
            print(f"figure: {name}: a sample takes at most {bound} cycles, static bound, {image.n_loops} loops; "
                  f"{seen} were observed, {bound - seen} fewer")
            if seen > bound:
                print(f"{name}: a sample took longer than its bound: pru_sample_bound.py is wrong")
            bad += seen > bound
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
