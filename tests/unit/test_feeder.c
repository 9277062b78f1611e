/* SPDX-License-Identifier: MIT */
/* The input on its way into the PRU's ring, with the test at its other end. */
#include "sheep/feeder.h"

#include "common/rlog.h"
#include "tests/support/board_memory.h"
#include "tests/support/disk_fault.h"
#include "tests/support/temp_folder.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    MEMORY_BYTES = 1 << 20,
    WAIT_MS = 10000
};

struct fixture {
    char folder[TEMP_FOLDER_SIZE];
    char path[TEMP_PATH_SIZE];
    struct board_memory *memory;
    struct pru_control *control;
    struct pru_link link;
    struct feeder *feeder;
    uint64_t n_consumed;
    uint64_t n_wrong;
    struct err err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    disk_fault_reset();
    temp_folder_make(f->folder);
    temp_folder_path(f->folder, "input", f->path);
    f->memory = board_memory_create();
    f->control = f->memory->board.shm.control;
    pru_link_init(&f->link, &f->memory->board);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    disk_fault_reset();
    feeder_destroy(&f->feeder);
    assert_null(f->feeder);
    board_memory_destroy(&f->memory);
    temp_folder_remove(f->folder);
    free(f);
    return 0;
}

static struct pru_input value(uint64_t i)
{
    return (struct pru_input){ (uint32_t)(i * 3), (uint32_t)(i ^ 0x5555) };
}

static void make_input(struct fixture *f, uint64_t count)
{
    enum {
        PIECE = 1000
    };
    struct rlog_input_writer *writer = rlog_input_create(f->path, &f->err);
    char digest[DIGEST_TEXT_SIZE];
    uint64_t n_samples = 0;

    assert_non_null(writer);
    for (uint64_t i = 0; i < count;) {
        uint32_t voltage[PIECE];
        uint32_t current[PIECE];
        size_t n = 0;

        for (; n < PIECE && i < count; n++, i++) {
            voltage[n] = value(i).voltage_uV;
            current[n] = value(i).current_nA;
        }
        assert_int_equal(rlog_input_append(writer, voltage, current, n, &f->err), 0);
    }
    assert_int_equal(rlog_input_finish(&writer, digest, &n_samples, &f->err), 0);
    assert_int_equal(n_samples, count);
}

static void begin(struct fixture *f)
{
    f->feeder = feeder_create(&f->link, f->path, MEMORY_BYTES, true, &f->err);
    if (f->feeder == NULL) {
        fail_msg("%s", f->err.text);
    }
}

/* The PRU's part: takes what is there and compares it. */
static uint32_t consume(struct fixture *f)
{
    const struct pru_input *ring = f->memory->board.shm.input;
    uint32_t read_idx = f->control->input_read_idx;
    uint32_t count = shm_load_u32(&f->control->input_write_idx) - read_idx;

    assert_true(count <= PRU_INPUT_SAMPLES);
    for (uint32_t i = 0; i < count; i++, f->n_consumed++) {
        struct pru_input wanted = value(f->n_consumed);

        f->n_wrong +=
            memcmp(&ring[(read_idx + i) % PRU_INPUT_SAMPLES], &wanted, sizeof(wanted)) != 0;
    }
    shm_store_u32(&f->control->input_read_idx, read_idx + count);
    return count;
}

static bool is_at_end(const struct fixture *f)
{
    return shm_load_u32(&f->control->input_end) != 0;
}

static void test_the_ring_is_full_before_anything_is_taken(void **state)
{
    struct fixture *f = *state;
    struct feeder_status status;

    make_input(f, 100000);
    begin(f);
    assert_int_equal(feeder_samples(f->feeder), 100000);
    assert_int_equal(pru_link_input_room(&f->link), 0);
    assert_false(is_at_end(f));
    feeder_status(f->feeder, &status);
    assert_int_equal(status.n_fed, PRU_INPUT_SAMPLES);
    assert_true(status.n_read >= status.n_fed);
    assert_false(status.is_failed);
}

static void test_every_sample_comes_once_and_then_the_end(void **state)
{
    enum {
        COUNT = 400003 /* more than the ring and the memory hold */
    };
    struct fixture *f = *state;
    struct feeder_status status;

    make_input(f, COUNT);
    begin(f);
    for (int ms = 0; !is_at_end(f) && ms < WAIT_MS; ms++) {
        if (consume(f) == 0) {
            poll(NULL, 0, 1);
        }
    }
    consume(f);
    assert_true(is_at_end(f));
    assert_int_equal(f->n_consumed, COUNT);
    assert_int_equal(f->n_wrong, 0);
    feeder_status(f->feeder, &status);
    assert_int_equal(status.n_fed, COUNT);
    assert_int_equal(status.n_read, COUNT);
}

static void test_an_input_shorter_than_the_ring_is_there_at_once(void **state)
{
    struct fixture *f = *state;

    make_input(f, 1);
    begin(f);
    assert_int_equal(consume(f), 1);
    for (int ms = 0; !is_at_end(f) && ms < WAIT_MS; ms++) {
        poll(NULL, 0, 1);
    }
    assert_true(is_at_end(f));
    assert_int_equal(f->n_wrong, 0);
}

static void expect_refusal(struct fixture *f, enum err_code code, const char *text)
{
    assert_null(feeder_create(&f->link, f->path, MEMORY_BYTES, true, &f->err));
    assert_int_equal(f->err.code, code);
    assert_non_null(strstr(f->err.text, f->path));
    if (strstr(f->err.text, text) == NULL) {
        fail_msg("'%s' lacks '%s'", f->err.text, text);
    }
}

static void test_what_is_no_input_is_refused_by_name(void **state)
{
    struct fixture *f = *state;

    expect_refusal(f, ERR_NOT_FOUND, "input ");
    temp_folder_write(f->folder, "input", "");
    expect_refusal(f, ERR_CORRUPT, "input ");
    temp_folder_write(f->folder, "input", "this is no input, but long enough to look like one");
    expect_refusal(f, ERR_CORRUPT, "input ");
}

static void test_an_input_that_breaks_while_it_is_read_does_not_end(void **state)
{
    struct fixture *f = *state;
    struct feeder_status status = { 0 };

    make_input(f, 400000);
    begin(f);
    disk_fault_fail_read();
    for (int ms = 0; !status.is_failed && ms < WAIT_MS; ms++) {
        consume(f);
        poll(NULL, 0, 1);
        feeder_status(f->feeder, &status);
    }
    assert_true(status.is_failed);
    assert_int_not_equal(status.err.code, ERR_NONE);
    assert_string_not_equal(status.err.text, "");
    for (int ms = 0; status.n_fed != status.n_read && ms < WAIT_MS; ms++) {
        consume(f);
        poll(NULL, 0, 1);
        feeder_status(f->feeder, &status);
    }
    consume(f);
    assert_int_equal(f->n_consumed, status.n_read); /* what was read still comes */
    assert_true(f->n_consumed < 400000);
    assert_int_equal(f->n_wrong, 0);
    poll(NULL, 0, 20);
    assert_false(is_at_end(f)); /* the PRU counts what is missing */
}

static void test_a_stalled_read_costs_nothing_while_the_memory_lasts(void **state)
{
    enum {
        COUNT = 200000
    };
    struct fixture *f = *state;
    struct feeder_status status = { 0 };

    make_input(f, COUNT);
    begin(f);
    for (int ms = 0; status.n_read < 100000 && ms < WAIT_MS; ms++) {
        poll(NULL, 0, 1); /* the memory holds 131072 */
        feeder_status(f->feeder, &status);
    }
    disk_fault_stall_read(300);
    for (int i = 0; f->n_consumed < 100000 && i < 5000; i++) {
        consume(f);
        poll(NULL, 0, 1);
    }
    feeder_status(f->feeder, &status);
    assert_true(f->n_consumed >= 100000);
    assert_true(status.n_read < COUNT);
    assert_int_equal(f->n_wrong, 0);
}

static void test_it_ends_in_the_middle_when_it_is_told_to(void **state)
{
    struct fixture *f = *state;

    make_input(f, 100000);
    begin(f);
    feeder_destroy(&f->feeder);
    assert_null(f->feeder);
    consume(f);
    assert_int_equal(f->n_consumed, PRU_INPUT_SAMPLES);
    assert_false(is_at_end(f));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_the_ring_is_full_before_anything_is_taken),
        TEST(test_every_sample_comes_once_and_then_the_end),
        TEST(test_an_input_shorter_than_the_ring_is_there_at_once),
        TEST(test_what_is_no_input_is_refused_by_name),
        TEST(test_an_input_that_breaks_while_it_is_read_does_not_end),
        TEST(test_a_stalled_read_costs_nothing_while_the_memory_lasts),
        TEST(test_it_ends_in_the_middle_when_it_is_told_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
