#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Every command and option is the same in the code, in --help and in the manual page.

Usage: test_manual.py HERD SHEEP
"""
import glob
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERD, SHEEP = sys.argv[1], sys.argv[2]
OPTION = re.compile(r"^  (?:-(\w), |    )(--[a-z-]+)(?=\s|$)", re.M)


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def manual(*path):
    """The page without its fonts."""
    text = re.sub(r"\\f[BIRP]", "", read(*path))
    text = re.sub(r"^\.[BI]R? ", "", text, flags=re.M)
    return re.sub(r'\\-', "-", text.replace("\\ ", "").replace('"', ""))


def said(program, *words):
    return subprocess.run([program, *words], check=True, capture_output=True, text=True).stdout


def options(text):
    """{--long: letter or ""} of a --help."""
    return {long: letter for letter, long in OPTION.findall(text)}


def commands():
    part = said(HERD, "--help").split("Commands:")[1].split("\nOptions")[0]
    return re.findall(r"^  (\w+) +\S", part, re.M)


def macros(text):
    """Options that tables take from a header."""
    return read("herd", "one_liner.h").replace("\\", "") if "ONE_LINER_OPTIONS" in text else ""


def accepted(path):
    """The same as options(), from a file's table."""
    found = {}
    for text in (read(path), macros(read(path))):
        for key, long in re.findall(r'\{\s*([\w\']+),\s*"([a-z-]+)",\s*(?:true|false)\s*\}', text):
            letter = {"SSH_OPTION_TIMEOUT": "'t'", "SSH_OPTION_PORT": "'p'"}.get(key, key)
            found["--" + long] = letter.strip("'") if letter.startswith("'") else ""
    return found


def files_of_commands():
    """{file: its commands}."""
    found = {}
    for path in sorted(glob.glob(os.path.join(ROOT, "herd", "cmd_*.c"))):
        names = re.findall(r'^ +\.name = "(\w+)"', read(path), re.M)
        assert names, path
        found[path] = names
    return found


def test_what_help_says_is_what_is_accepted():
    for path, names in files_of_commands().items():
        table = accepted(path)
        helped = {}
        for name in names:
            helped.update(options(said(HERD, name, "--help")))
        assert set(helped) == set(table), f"{path}: {sorted(set(helped) ^ set(table))}"
        for long, letter in helped.items():
            # A second word for a letter is told without it.
            assert letter in ("", table[long]), f"{path}: {long}"
        assert set(helped.values()) >= set(table.values()) - {""}, f"{path}: a letter is not told"


def test_no_letter_is_taken_by_the_global_options():
    taken = {"i", "l", "k", "v", "q", "h", "V"}
    for path in files_of_commands():
        assert not taken & set(accepted(path).values()), path


def test_the_manual_of_herd_has_every_command_and_option():
    page = manual("herd", "herd.1")
    part = page.split(".SH COMMANDS")[1].split(".SH OPTIONS")[0]
    entries = {}
    for entry in part.split(".TP\n")[1:]:
        entries[entry.split()[0]] = set(re.findall(r"(?<![\w-])--[a-z-]+",
                                                   entry.partition("Options:")[2]))
    assert sorted(entries) == sorted(commands()), sorted(entries)
    for name, found in entries.items():
        wanted = set(options(said(HERD, name, "--help")))
        assert found == wanted, f"{name}: {sorted(found ^ wanted)}"
    for long in ("inventory", "limit", "key", "json", "verbose", "quiet", "help", "version"):
        assert "--" + long in page.split(".SH OPTIONS")[1], long


def test_the_manual_of_sheep_has_every_command_and_option():
    page = manual("sheep", "sheep.8")
    helped = said(SHEEP, "--help")
    names = re.findall(r"^  ([a-z-]+) ", helped.split("options:")[0], re.M)
    assert names, helped
    for word in [*names, *options(helped)]:
        assert re.search(r"(?<![\w-])" + word + r"(?![\w-])", page), word
    found = set(re.findall(r"(?<![\w-])--[a-z-]+", page.split(".SH CONFIGURATION")[0]))
    assert found == set(options(helped)), sorted(found ^ set(options(helped)))


def main():
    tests = [value for name, value in globals().items() if name.startswith("test_")]
    failed = 0
    for test in tests:
        try:
            test()
        except AssertionError as error:
            failed += 1
            print(f"{test.__name__}: {error}")
    print(f"{len(tests) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
