/* SPDX-License-Identifier: MIT */
/* Board iss with a firmware of some thirty instructions: how it boots, follows the host's
 * clock, rings, and what it says when an image is missing or wrong. The real firmware:
 * test_firmware.c. */
#include "common/clock.h"
#include "pru/abi/pru_map.h"
#include "sheep/board_iss.h"
#include "sheep/pru_link.h"
#include "tests/support/pru_asm.h"
#include "tests/support/pru_random.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    FILE_BYTES = 64 * 1024,
    CONTROL_COMMAND = 8,
    CONTROL_SEQ = 12,
    CONTROL_STATE = 96,
    CONTROL_ACK = 108,
};

struct fixture {
    char folder[64];
    struct sim_config config;
    struct board *board;
    struct pru_link link;
    struct err err;
};

/* IDLE, then as commands say: CONFIGURE is 1 and READY 0x20, ARM is 2 and ARMED 0x21. */
static size_t make_pru0(uint32_t *words)
{
    const uint32_t program[] = {
        asm_ldi(asm_w(2, 2), 1), /* r2: shared RAM */
        asm_ldi(asm_w(3, 0), PRU_CANARY & 0xFFFFu),
        asm_ldi(asm_w(3, 2), PRU_CANARY >> 16),
        asm_sbbo(asm_b(3, 0), 2, asm_i(4), 4),
        asm_ldi(asm_r(4), 4092),
        asm_sbbo(asm_b(3, 0), 2, asm_r(4), 4),
        asm_ldi(asm_r(30), 0xF8),
        asm_ldi(asm_r(6), PRU_STATE_IDLE),
        asm_sbbo(asm_b(6, 0), 2, asm_i(CONTROL_STATE), 4),
        asm_ldi(asm_r(7), PRU_ABI_VERSION),
        asm_sbbo(asm_b(7, 0), 2, asm_i(0), 4),
        asm_lbbo(asm_b(10, 0), 2, asm_i(CONTROL_SEQ), 4), /* 11 */
        asm_branch(ASM_QBEQ, -1, asm_r(10), asm_r(8)),
        asm_mov(asm_r(8), asm_r(10)),
        asm_lbbo(asm_b(9, 0), 2, asm_i(CONTROL_COMMAND), 4), /* its number publishes it */
        asm_op(ASM_ADD, asm_r(6), asm_r(9), asm_i(0x1F)),
        asm_sbbo(asm_b(6, 0), 2, asm_i(CONTROL_STATE), 4),
        asm_sbbo(asm_b(8, 0), 2, asm_i(CONTROL_ACK), 4),
        asm_ldi(asm_b(31, 0), PRU_R31_EVENT),
        asm_jmp(asm_i(11)),
    };

    memcpy(words, program, sizeof(program));
    return COUNT(program);
}

static size_t make_pru1(uint32_t *words, bool has_counter)
{
    const uint32_t program[] = {
        asm_ldi(asm_w(2, 0), 0xE000),
        asm_ldi(asm_w(2, 2), 2),
        asm_ldi(asm_r(3), has_counter ? 0x11 : 0x10),
        asm_sbbo(asm_b(3, 0), 2, asm_i(0), 4),
        asm_op(ASM_ADD, asm_r(4), asm_r(4), asm_i(1)),
        asm_branch(ASM_QBA, -1, 0, 0),
    };

    memcpy(words, program, sizeof(program));
    return COUNT(program);
}

static void write_image(const struct fixture *f, const char *name, const uint32_t *words,
                        size_t n)
{
    static struct pru_random image;
    static uint8_t bytes[FILE_BYTES];
    char path[128];
    FILE *stream;
    size_t size;

    memset(&image, 0, sizeof(image));
    memcpy(image.words, words, n * sizeof(*words));
    image.n_words = n;
    size = pru_random_elf(&image, bytes, sizeof(bytes));
    snprintf(path, sizeof(path), "%s/%s", f->folder, name);
    stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, size, stream), size);
    assert_int_equal(fclose(stream), 0);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    uint32_t words[64] = { 0 };

    assert_non_null(f);
    snprintf(f->folder, sizeof(f->folder), "/tmp/bw-iss-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    f->config.world = world_config_default();
    f->config.cape = 24;
    snprintf(f->config.firmware, sizeof(f->config.firmware), "%s", f->folder);
    write_image(f, "pru0-harvest-24.elf", words, make_pru0(words));
    write_image(f, "pru1-24.elf", words, make_pru1(words, true));
    f->board = board_iss_create(&f->config, &f->err);
    assert_non_null(f->board);
    pru_link_init(&f->link, f->board);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const NAMES[] = { "pru0-harvest-24.elf", "pru1-24.elf" };
    struct fixture *f = *state;
    char path[128];

    f->board->ops->destroy(f->board);
    for (size_t i = 0; i < COUNT(NAMES); i++) {
        snprintf(path, sizeof(path), "%s/%s", f->folder, NAMES[i]);
        (void)unlink(path);
    }
    (void)rmdir(f->folder);
    free(f);
    return 0;
}

static void succeed(const struct fixture *f, int result)
{
    if (result < 0) {
        fail_msg("%s", f->err.text);
    }
}

static void expect_no_boot(struct fixture *f, const char *reason)
{
    assert_int_equal(pru_link_boot(&f->link, PRU_MODE_HARVEST, &f->err), -1);
    if (strstr(f->err.text, reason) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", reason, f->err.text);
    }
}

static void test_boots_and_obeys(void **state)
{
    struct fixture *f = *state;
    struct vsource_params params;
    struct pru_link_setup setup = { .mode = PRU_MODE_HARVEST, .params = &params };
    struct pollfd pfd = { .fd = f->board->event_fd, .events = POLLIN };

    memset(&params, 0, sizeof(params));
    assert_string_equal(f->board->ops->name, "iss");
    assert_true(f->board->is_virtual_time);
    succeed(f, pru_link_boot(&f->link, PRU_MODE_HARVEST, &f->err));
    succeed(f, pru_link_configure(&f->link, &setup, &f->err));
    assert_int_equal(poll(&pfd, 1, 0), 1); /* it rang */
    succeed(f, pru_link_arm(&f->link, UINT64_MAX / 2, 1, PRU_PERIOD_NOMINAL_Q20, &f->err));
    f->board->ops->halt(f->board);
    assert_int_equal(pru_link_state(&f->link), PRU_STATE_UNKNOWN);
    succeed(f, pru_link_boot(&f->link, PRU_MODE_HARVEST, &f->err));
    assert_int_equal(pru_link_state(&f->link), PRU_STATE_IDLE);
}

/* The counter that the host reads is the firmware's, which time skipped keeps up with. */
static void test_counter_follows_the_hosts_clock(void **state)
{
    struct fixture *f = *state;
    uint64_t before;
    uint64_t after;
    int64_t begin_ns;
    int64_t end_ns;

    succeed(f, pru_link_boot(&f->link, PRU_MODE_HARVEST, &f->err));
    begin_ns = clock_mono_ns();
    before = f->board->ops->counter(f->board);
    assert_true(before < 2000000000u / PRU_TICK_NS); /* it began with the boot */
    poll(NULL, 0, 50);
    after = f->board->ops->counter(f->board);
    end_ns = clock_mono_ns();
    assert_true((int64_t)(after - before) * PRU_TICK_NS <= end_ns - begin_ns + 1000);
    assert_true((int64_t)(after - before) * PRU_TICK_NS >= 49900000);
}

static void test_missing_image_is_named(void **state)
{
    struct fixture *f = *state;
    char path[128];

    snprintf(path, sizeof(path), "%s/pru1-24.elf", f->folder);
    assert_int_equal(unlink(path), 0);
    expect_no_boot(f, "pru1-24.elf");
}

static void test_wrong_image_is_named(void **state)
{
    struct fixture *f = *state;
    char path[128];

    snprintf(path, sizeof(path), "%s/pru0-harvest-24.elf", f->folder);
    assert_int_equal(truncate(path, 100), 0);
    expect_no_boot(f, "cut off within");
}

static void test_firmware_that_dies_is_named(void **state)
{
    struct fixture *f = *state;
    const uint32_t words[] = { asm_nop(), 0x2C000000u };

    write_image(f, "pru0-harvest-24.elf", words, COUNT(words));
    expect_no_boot(f, "illegal instruction 0x2c000000, program address 0x0004");
}

static void test_firmware_without_a_counter_is_named(void **state)
{
    struct fixture *f = *state;
    uint32_t words[64] = { 0 };

    write_image(f, "pru1-24.elf", words, make_pru1(words, false));
    expect_no_boot(f, "does not start its counter");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_boots_and_obeys),
        TEST(test_counter_follows_the_hosts_clock),
        TEST(test_missing_image_is_named),
        TEST(test_wrong_image_is_named),
        TEST(test_firmware_that_dies_is_named),
        TEST(test_firmware_without_a_counter_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
