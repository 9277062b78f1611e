/* SPDX-License-Identifier: MIT */
/* The simulated PRU against GNU's: the same programs, the same trace of registers, memory and
 * carry. Skipped with a word where GNU's simulator is not built (pru/toolchain.sh). */
#include "pru/sim/pru_soc.h"
#include "tests/support/pru_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    FILE_BYTES = 512 * 1024,
    PATH_BYTES = 512,
    MIX_PROGRAMS = 36,
    CASE_ROUNDS = 2,
    ENOUGH = 1000000,
};

static char simulator[PATH_BYTES];
static struct pru_random program;
static uint8_t file[FILE_BYTES];
static uint8_t theirs[PRU_RANDOM_TRACE_BYTES];
static size_t n_tested;

/* As pru/toolchain.sh looks for it. */
static bool find_simulator(void)
{
    const char *folder = getenv("BELLWETHER_TOOLCHAIN");
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");

    if (folder != NULL) {
        (void)snprintf(simulator, sizeof(simulator), "%s/bin/pru-elf-run", folder);
    } else if (cache != NULL) {
        (void)snprintf(simulator, sizeof(simulator),
                       "%s/bellwether/pru-toolchain/bin/pru-elf-run", cache);
    } else if (home != NULL) {
        (void)snprintf(simulator, sizeof(simulator),
                       "%s/.cache/bellwether/pru-toolchain/bin/pru-elf-run", home);
    }
    return access(simulator, X_OK) == 0;
}

static void write_file(const char *path, size_t n)
{
    FILE *stream = fopen(path, "wb");

    assert_non_null(stream);
    assert_int_equal(fwrite(file, 1, n, stream), n);
    assert_int_equal(fclose(stream), 0);
}

static size_t read_all(int fd)
{
    size_t n = 0;
    ssize_t got;

    do {
        got = read(fd, theirs + n, sizeof(theirs) - n);
        n += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    return n;
}

/* Their trace; how long it is. */
static size_t run_theirs(const char *path)
{
    int ends[2];
    int status = 0;
    size_t n;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)close(ends[0]);
        (void)close(ends[1]);
        execl(simulator, simulator, path, (char *)NULL);
        _exit(127);
    }
    (void)close(ends[1]);
    n = read_all(ends[0]);
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    return n;
}

static struct pru_soc *run_ours(size_t n)
{
    struct pru_soc_config config = { .program_words = PRU_RANDOM_WORDS,
                                     .ddr_base = PRU_RANDOM_TRACE,
                                     .ddr_bytes = PRU_RANDOM_TRACE_BYTES };
    struct pru_soc *soc = pru_soc_create(&config);
    char why[200] = "";

    assert_non_null(soc);
    pru_soc_write(soc, PRU_MAP_CFG + PRU_CFG_SYSCFG, 0);
    if (pru_soc_load(soc, 0, file, n, why, sizeof(why)) < 0) {
        fail_msg("%s", why);
    }
    pru_soc_start(soc, 0);
    if (pru_soc_run(soc, 100000000, 0) != PRU_STOP_IDLE) {
        pru_soc_explain(soc, why, sizeof(why));
        fail_msg("%s", why);
    }
    return soc;
}

static void compare(uint64_t seed)
{
    char path[] = "/tmp/bw-pru-XXXXXX";
    int fd = mkstemp(path);
    size_t n = pru_random_elf(&program, file, sizeof(file));
    struct pru_soc *soc;
    const uint8_t *ours;
    size_t size = 0;

    assert_true(fd >= 0);
    (void)close(fd);
    assert_true(n > 0);
    write_file(path, n);
    soc = run_ours(n);
    ours = pru_soc_memory(soc, PRU_MEMORY_DDR, &size);
    assert_int_equal(run_theirs(path), program.n_trace);
    for (size_t i = 0; i < program.n_trace; i++) {
        if (ours[i] != theirs[i]) {
            fail_msg("seed %llu: byte %zu of %zu of the trace is %02x, GNU's %02x; the program "
                     "is kept in %s",
                     (unsigned long long)seed, i, program.n_trace, ours[i], theirs[i], path);
        }
    }
    (void)unlink(path);
    n_tested += program.n_tested;
    pru_soc_destroy(&soc);
}

/* Each opcode, each field of each operand, immediates, both carries. */
static void test_every_case_of_arithmetic_is_gnus(void **state)
{
    (void)state;
    if (!find_simulator()) {
        print_message("no GNU simulator at %s: pru/toolchain.sh builds it\n", simulator);
        skip();
    }
    for (uint64_t round = 0; round < CASE_ROUNDS; round++) {
        size_t next = 0;

        while (next < pru_random_n_cases()) {
            size_t before = next;

            next = pru_random_cases(&program, round * 1000 + next, next);
            assert_true(next > before);
            compare(round * 1000 + before);
        }
    }
    assert_int_equal(n_tested, CASE_ROUNDS * pru_random_n_cases());
}

static void test_a_million_instructions_are_gnus(void **state)
{
    (void)state;
    if (!find_simulator()) {
        print_message("no GNU simulator at %s: pru/toolchain.sh builds it\n", simulator);
        skip();
    }
    for (uint64_t seed = 1; seed <= MIX_PROGRAMS; seed++) {
        pru_random_mix(&program, seed);
        compare(seed);
    }
    print_message("%zu generated instructions, equal\n", n_tested);
    assert_true(n_tested >= ENOUGH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_case_of_arithmetic_is_gnus),
        cmocka_unit_test(test_a_million_instructions_are_gnus),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
