#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds with sanitizers and runs every suite; the engine behind tests/run.sh.

Every suite has a time limit; past it the stacks of its processes are printed, they are ended by
process id, and the suite fails. The last line is `N passed, N failed, N skipped`.
"""
import argparse
import concurrent.futures
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PYTHON = "/usr/bin/python3"
ASAN = os.path.join(ROOT, "build-asan")
CLANG = os.path.join(ROOT, "build-clang")
RELEASE = os.path.join(ROOT, "build")
TSAN = os.path.join(ROOT, "build-tsan")
COVERAGE_FLOOR_PERCENT = 85.0
MARK = "BW_TEST_MARK"
# With the other suites it stays within 45 minutes.
TOOLCHAIN_LIMIT_S = 1200
# Behind everything else that wants a processor.
GENTLY = ("nice", "-n", "10")
# Many thousand repetitions: their parts run under sanitizers elsewhere, the bulk on the release.
# unit_soak is the half hour there, with its memory judged; a sanitizer's own memory grows.
# unit_selftest waits for what the firmware does in the simulator, which they slow to minutes.
BULK = ("sim_start", "support_power_cut", "unit_selftest", "unit_soak", "vsource_bits",
        "unit_vsource_balance", "unit_vsource_model")


class Outcome:
    """What one suite counted."""

    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


def marked_processes(mark):
    """Process ids whose environment carries our mark: children, however detached."""
    needle = f"{MARK}={mark}".encode()
    found = []
    for path in glob.glob("/proc/[0-9]*/environ"):
        pid = int(path.split("/")[2])
        try:
            with open(path, "rb") as file:
                if pid != os.getpid() and needle in file.read().split(b"\0"):
                    found.append(pid)
        except OSError:
            continue
    return found


def print_stacks(pids):
    for pid in pids:
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        print(f"--- stacks of {pid}: {words}", flush=True)
        try:
            subprocess.run(["gdb", "-p", str(pid), "-batch", "-nx", "-ex", "set pagination off",
                            "-ex", "thread apply all bt 12"], timeout=40,
                           stdin=subprocess.DEVNULL, check=False)
        except (OSError, subprocess.TimeoutExpired):
            print("    no stack to be had")


def end_processes(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass


def run(command, limit_s, env=None, cwd=ROOT):
    """Runs command; returns (exit status or None past the limit, output)."""
    mark = f"{os.getpid()}-{time.monotonic_ns()}"
    environment = dict(os.environ, **(env or {}))
    environment[MARK] = mark
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        status = None
        try:
            status = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            print(f"past its limit of {limit_s} s", flush=True)
            print_stacks(marked_processes(mark))
        left = marked_processes(mark)
        end_processes(left)
        process.wait()
        log.seek(0)
        output = log.read().decode(errors="replace")
    left = [pid for pid in left if pid != process.pid]
    if left and status == 0:
        output += f"\nleft {len(left)} processes behind\n"
        status = 1
    return status, output


def count(status, output):
    """Reads cmocka's closing lines, our own `N passed, ...`, or the exit status alone."""
    passed = sum(int(n) for n in re.findall(r"\[  PASSED  \] (\d+) test", output))
    failed = sum(int(n) for n in re.findall(r"\[  FAILED  \] (\d+) test", output))
    skipped = sum(int(n) for n in re.findall(r"\[  SKIPPED \] (\d+) test", output))
    lines = re.findall(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", output, re.M)
    if lines:
        passed, failed, skipped = (int(n) for n in lines[-1])
    if status == 77:
        return Outcome(skipped=1)
    if status != 0 and failed == 0:
        failed = 1
    if status == 0 and passed == failed == skipped == 0:
        passed = 1
    return Outcome(passed, failed, skipped)


class Suites:
    def __init__(self, only, verbose):
        self.only, self.verbose = only, verbose
        self.total = Outcome()
        self.failures = []
        self.seconds = []
        self.lock = threading.Lock()

    def suite(self, name, command, limit_s, env=None, cwd=ROOT):
        if self.only and not re.search(self.only, name) and not name.startswith("build"):
            return True
        begin = time.monotonic()
        status, output = run(command, limit_s, env, cwd)
        seconds = time.monotonic() - begin
        outcome = count(status, output)
        with self.lock:
            self.report(name, outcome, output, seconds)
        return outcome.failed == 0

    def report(self, name, outcome, output, seconds):
        print(f"== {name}", flush=True)
        self.total.add(outcome)
        self.seconds.append((seconds, name))
        if outcome.failed or self.verbose:
            print(output[-20000:], flush=True)
        else:
            for line in output.splitlines():
                if re.match(r"(figure|note|skipped|coverage|lines:|layers|\|)", line):
                    print(f"   {line}", flush=True)
        word = "FAILED" if outcome.failed else "ok"
        if outcome.failed:
            self.failures.append(name)
        print(f"   {word}: {outcome.passed} passed, {outcome.failed} failed, "
              f"{outcome.skipped} skipped, {seconds:.1f} s", flush=True)


def sources():
    listed = subprocess.run(["git", "ls-files", "*.c", "*.h"], cwd=ROOT, check=True,
                            capture_output=True, text=True).stdout.split()
    return [path for path in listed if os.path.exists(os.path.join(ROOT, path))]


def build(suites, name, folder, options, targets=(), prefix=()):
    configure = ["cmake", "-S", ".", "-B", folder, "-G", "Ninja", *options]
    if shutil.which("ld.gold") and folder != RELEASE:
        # A third of the time of the default linker, and there are hundreds of programs.
        configure.append("-DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=gold")
    compile_all = ["cmake", "--build", folder, "-j", "2"]
    if targets:
        compile_all += ["--target", *targets]
    words = " && ".join(" ".join(f"'{word}'" for word in command)
                        for command in (configure, compile_all))
    return suites.suite(f"build {name}", [*prefix, "sh", "-c", words], 1500)


def static_checks(suites):
    files = sources()
    suites.suite("clang-format", ["clang-format", "--dry-run", "-Werror", *files], 120)
    suites.suite("layers", ["sh", "tests/test_layers.sh"], 60)
    suites.suite("unit coverage", ["sh", "tests/test_unit_coverage.sh"], 60)
    words = ["cppcheck", "--std=c11", "--enable=warning,performance,portability", "--inline-suppr",
             "-q", "--error-exitcode=1", "-j", "2", "-I", ".",
             "--suppress=missingIncludeSystem"]
    sources_c = [path for path in files if path.endswith(".c")]
    suites.suite("cppcheck", [*words, *[path for path in sources_c
                                        if not path.startswith("pru/fw/")]], 900)
    suites.suite("cppcheck, firmware", [*words, "-DSAMPLE_IO_DIRECT", "-DCAPE=24",
                                        *[path for path in sources_c
                                          if path.startswith("pru/fw/")]], 300)


def tidy(suites):
    # The PRU's own code is nothing for a host's compiler, fuzzers are only built by clang's build.
    files = [path for path in sources() if path.endswith(".c")
             and not path.startswith(("tests/fuzz/", "pru/fw/", "tests/support/bits_pru.c"))]
    script = "printf '%s\\n' \"$@\" | xargs -P 2 -n 1 clang-tidy --quiet -p " + CLANG
    suites.suite("clang-tidy", [*GENTLY, "sh", "-c", script, "tidy", *files], 1500)


def unit_tests(suites):
    env = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0",
           "UBSAN_OPTIONS": "print_stacktrace=1", "BW_BUILD": ASAN}
    names = subprocess.run(["ctest", "--test-dir", ASAN, "-N"], cwd=ROOT, capture_output=True,
                           text=True, check=False).stdout
    # One for each core; what measures time comes later, alone.
    def one(name):
        folder = RELEASE if name in BULK else ASAN
        suites.suite(name, ["ctest", "--test-dir", folder, "-R", f"^{name}$", "-V", "--timeout",
                            "390"], 400, env)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, re.findall(r"Test +#\d+: (\S+)", names)))


def integer_checks(suites):
    """pru/core by clang, where an unsigned sum that wraps is an error too."""
    program = os.path.join(CLANG, "tests", "unit", "test_vsource_property_int")
    suites.suite("unit_vsource_property, clang's integer sanitizer", [program], 300)


def vectors(suites):
    folder = os.environ.get("BW_SHARED", os.path.join(os.path.dirname(ROOT), "shared"))
    runner = os.path.join(ASAN, "tests", "vsource_vectors")
    cases = os.path.join(folder, "vectors")
    if not os.path.isdir(cases):
        print("skipped: no folder with reference vectors", flush=True)
        suites.total.add(Outcome(skipped=1))
    else:
        suites.suite("vectors", [runner, cases], 600)


def system_tests(suites, alone):
    """Those that want the machine alone, as they measure time, or all others."""
    for path in sorted(glob.glob(os.path.join(ROOT, "tests", "system", "test_*.py"))):
        name = "system/" + os.path.basename(path)[len("test_"):-len(".py")]
        with open(path, encoding="utf-8") as file:
            text = file.read()
        limit = re.search(r"^LIMIT_S = (\d+)", text, re.M)
        # What measures time runs on the build that users get; the rest on the sanitized one.
        is_release = re.search(r'^BUILD = "release"', text, re.M) is not None
        if (is_release and not re.search(r"^PATIENT = True", text, re.M)) != alone:
            continue
        folder = RELEASE if is_release else ASAN
        suites.suite(name, [PYTHON, path], int(limit.group(1)) if limit else 300,
                     {"BW_BUILD": folder, "UBSAN_OPTIONS": "print_stacktrace=1",
                      "ASAN_OPTIONS": "detect_leaks=0"})


def computing(suites):
    """What keeps processors busy and measures no time."""
    tidy(suites)
    suites.suite("model", [*GENTLY, "sh", "tests/model/run.sh"], 900, {"BW_BUILD": RELEASE})
    suites.suite("mutants", [*GENTLY, PYTHON, "tests/mutants.py"], 1200)
    thread_sanitizer(suites)


def thread_sanitizer(suites):
    """A run, one that is detached and attached again, and a node's door: a short form; tests/nightly.sh
    runs all system tests so."""
    if build(suites, "thread sanitizer", TSAN, ["-DCMAKE_BUILD_TYPE=RelWithDebInfo",
                                                "-DBW_SANITIZE=thread"], ("herd", "sheep"), GENTLY):
        suites.suite("thread sanitizer", [
            PYTHON, "tests/tsan.py", TSAN, "run:test_json_and_exit_status_are_for_machines",
            "control:test_detached_by_a_second_interrupt_and_attached_by_name", "wire"], 300)


def firmware(suites):
    """Behind everything else: the PRU's compiler takes minutes of both cores where there is none."""
    is_there = subprocess.run(["sh", "pru/toolchain.sh", "--find"], cwd=ROOT, check=False,
                              capture_output=True).returncode == 0
    if not is_there and os.environ.get("BW_PRU_TOOLCHAIN") != "0":
        suites.suite("firmware, compiler", ["sh", "pru/toolchain.sh"], TOOLCHAIN_LIMIT_S)
    suites.suite("firmware", ["sh", "tests/firmware.sh", RELEASE], 900)
    if not is_there:  # the system tests came too early for it
        for name in ("iss", "board_faults"):
            suites.suite(f"firmware, {name}", [PYTHON, f"tests/system/test_{name}.py"], 600,
                         {"BW_BUILD": RELEASE})


def coverage(suites):
    filters = [word for part in ("common/", "herd/", "sheep/", "pru/")
               for word in ("--filter", part)]
    # fx built for halves has functions on other lines, which gcovr cannot merge.
    suites.suite("coverage", ["gcovr", "--root", ROOT, *filters, ASAN, "--print-summary",
                              "--exclude-directories", ".*test_fx_halves.*",
                              "--gcov-ignore-parse-errors", "--fail-under-line",
                              str(COVERAGE_FLOOR_PERCENT)], 600)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="regular expression of the suites to run")
    parser.add_argument("--verbose", action="store_true", help="print what every suite prints")
    arguments = parser.parse_args()
    suites = Suites(arguments.only, arguments.verbose)
    begin = time.monotonic()

    static_checks(suites)
    asan = ["-DCMAKE_BUILD_TYPE=Debug", "-DBW_WERROR=ON", "-DBW_SANITIZE=address,undefined",
            "-DBW_COVERAGE=ON", "-DCMAKE_C_FLAGS=-O1"]
    for stale in glob.glob(os.path.join(ASAN, "**", "*.gcda"), recursive=True):
        os.unlink(stale)
    built = build(suites, "gcc with sanitizers", ASAN, asan)
    built = build(suites, "clang", CLANG, ["-DCMAKE_C_COMPILER=clang", "-DCMAKE_BUILD_TYPE=Debug",
                                           "-DBW_WERROR=ON"]) and built
    built = build(suites, "release", RELEASE, ["-DCMAKE_BUILD_TYPE=RelWithDebInfo"]) and built
    if built:
        unit_tests(suites)
        integer_checks(suites)
        vectors(suites)
        # System tests wait most of their time: what computes does so in their pauses.
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            beside = pool.submit(computing, suites)
            system_tests(suites, alone=False)
            beside.result()
        system_tests(suites, alone=True)
        coverage(suites)
        firmware(suites)

    print("== the slowest suites")
    for seconds, name in sorted(suites.seconds, reverse=True)[:12]:
        print(f"   {seconds:7.1f} s  {name}")
    if suites.failures:
        print("failed: " + ", ".join(suites.failures))
    print(f"all suites: {time.monotonic() - begin:.0f} s")
    total = suites.total
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped", flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
