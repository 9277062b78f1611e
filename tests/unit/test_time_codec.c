/* SPDX-License-Identifier: MIT */
/* Clock daemons' messages byte by byte; the real daemons are asked in tests/system. */
#include "sheep/time_codec.h"

#include "sheep/time_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void test_a_get_is_as_the_standard_has_it(void **state)
{
    uint8_t message[PTP_GET_BYTES];
    static const uint8_t wanted[PTP_GET_BYTES] = {
        0x0D, 0x02, 0x00, 0x36, [30] = 0x12, 0x34, 4, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
        0xFF, 0xFF, 0xFF, 0xFF, 0,           0,    0, 0,    0,    1,    0,    2,    0x20, 0x01,
    };

    (void)state;
    ptp_encode_get(message, PTP_CURRENT_DATA_SET, 0x1234);
    assert_memory_equal(message, wanted, sizeof(message));
}

/* An answer of that data set. */
static size_t answer(uint8_t out[128], enum ptp_id id, const uint8_t *data, size_t size)
{
    ptp_encode_get(out, id, 1);
    out[46] = 2; /* RESPONSE */
    out[51] = (uint8_t)(2 + size);
    memcpy(out + 54, data, size);
    return 54 + size;
}

static void test_answers_are_taken_and_nothing_else(void **state)
{
    static const uint8_t current[18] = { 0, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xA6, 0x80,
                                         0, 0, 0,    0,    0,    7,    0xD6, 0,    0 };
    static const uint8_t properties[17] = { [10] = 9, 1, 4, 'e', 't', 'h', '0' };
    uint8_t status_data[50] = { [41] = 1 };
    struct ptp_status status = { 0 };
    uint8_t message[128];
    size_t size = answer(message, PTP_CURRENT_DATA_SET, current, sizeof(current));

    (void)state;
    assert_int_equal(ptp_decode(&status, message, size), PTP_CURRENT_DATA_SET);
    assert_int_equal(status.offset_ns, -89); /* -89.5, towards zero */
    assert_int_equal(status.path_delay_ns, 2006);
    assert_int_equal(status.steps_removed, 1);
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_equal(ptp_decode(&status, message, cut), 0);
    }
    message[46] = 0; /* a GET, not an answer */
    assert_int_equal(ptp_decode(&status, message, size), 0);
    size = answer(message, PTP_TIME_STATUS_NP, status_data, sizeof(status_data));
    assert_int_equal(ptp_decode(&status, message, size), PTP_TIME_STATUS_NP);
    assert_true(status.is_gm_present);
    size = answer(message, PTP_PORT_PROPERTIES_NP, properties, sizeof(properties));
    assert_int_equal(ptp_decode(&status, message, size), PTP_PORT_PROPERTIES_NP);
    assert_int_equal(status.port_state, PTP_PORT_SLAVE);
    assert_int_equal(status.stamps, 1);
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_equal(ptp_decode(&status, message, cut), 0);
    }
    size = answer(message, PTP_PORT_PROPERTIES_NP, properties, 11);
    assert_int_equal(ptp_decode(&status, message, size), 0);
    size = answer(message, PTP_TIME_STATUS_NP, status_data, sizeof(status_data));
    message[51] = 200; /* longer than it is */
    assert_int_equal(ptp_decode(&status, message, size), 0);
    message[51] = 1;
    assert_int_equal(ptp_decode(&status, message, size), 0);
}

static void put_float(uint8_t *at, unsigned exponent, unsigned coefficient)
{
    uint32_t bits = exponent << 25 | (coefficient & 0x1FFFFFF);

    for (unsigned i = 0; i < 4; i++) {
        at[i] = (uint8_t)(bits >> (24 - 8 * i));
    }
}

static void test_tracking_of_chrony(void **state)
{
    uint8_t request[CHRONY_REQUEST_BYTES];
    uint8_t reply[CHRONY_REQUEST_BYTES] = { 6, 2, [5] = 33, [7] = 5, [16] = 0xAB };
    struct chrony_tracking tracking;

    (void)state;
    chrony_encode_tracking(request, 0xAB000000);
    assert_memory_equal(request, "\6\1\0\0\0\41\0\0\253\0\0\0", 12);
    reply[53] = 3;
    put_float(reply + 68, 1, 0x1000000); /* correction: 2^1 * -0.5 = -1 s, so it is ahead */
    put_float(reply + 76, 128 - 9, 0x800000); /* 2^-9 * 0.25 */
    put_float(reply + 80, 3, 0x1800000);      /* 2^3 * -0.25 = -2 ppm */
    assert_true(chrony_decode_tracking(&tracking, 0xAB000000, reply, sizeof(reply)));
    assert_int_equal(tracking.stratum, 3);
    assert_true(tracking.offset_s == 1.0);
    assert_true(tracking.rms_s == 1.0 / 2048);
    assert_true(tracking.frequency_ppm == -2.0);
    assert_false(chrony_decode_tracking(&tracking, 1, reply, sizeof(reply)));
    assert_false(chrony_decode_tracking(&tracking, 0xAB000000, reply, sizeof(reply) - 1));
    reply[9] = 2; /* a status: not allowed */
    assert_false(chrony_decode_tracking(&tracking, 0xAB000000, reply, sizeof(reply)));
}

static void test_lines_of_phc2sys(void **state)
{
    static const char *const bad[] = { "", "phc2sys[1.0]: failed to adjust the clock",
                                       "phc2sys: offset x s2 freq +1", " offset 5 s2 freq",
                                       " offset 99999999999999999999 s2 freq 1" };
    struct phc2sys_line line;

    (void)state;
    assert_true(phc2sys_parse(
        &line,
        "phc2sys[21455.944]: CLOCK_REALTIME phc offset     -5005 s2 freq   -4955 delay    150"));
    assert_int_equal(line.offset_ns, -5005);
    assert_int_equal(line.frequency_ppb, -4955);
    assert_int_equal(line.delay_ns, 150);
    assert_true(phc2sys_parse(&line, "phc2sys[1.0]: /dev/pps0 offset 7 s0 freq +8"));
    assert_int_equal(line.delay_ns, 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(phc2sys_parse(&line, bad[i]));
    }
}

static void count_line(void *arg, const char *line)
{
    unsigned *sum = arg;

    *sum += (unsigned)strtoul(line, NULL, 10);
}

static void write_file(const char *path, const char *mode, const char *text)
{
    FILE *file = fopen(path, mode);

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void test_a_log_is_followed_through_its_rotation(void **state)
{
    char folder[] = "/tmp/bw_log_XXXXXX";
    char path[64];
    char old[72];
    unsigned sum = 0;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/log", folder);
    snprintf(old, sizeof(old), "%s.1", path);
    write_file(path, "w", "1000000\n"); /* of before */
    struct time_log *log = time_log_create(path, count_line, &sum);

    assert_non_null(log);
    write_file(path, "a", "1\n2");
    time_log_tick(log);
    assert_int_equal(sum, 1);
    write_file(path, "a", "0\n");
    time_log_tick(log);
    assert_int_equal(sum, 21);
    write_file(path, "a", "100\n");
    assert_int_equal(rename(path, old), 0);
    write_file(path, "w", "300\n");
    time_log_tick(log); /* the rest of the old one */
    time_log_tick(log);
    assert_int_equal(sum, 421);
    time_log_destroy(&log);
    unlink(path);
    unlink(old);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_get_is_as_the_standard_has_it),
        cmocka_unit_test(test_answers_are_taken_and_nothing_else),
        cmocka_unit_test(test_tracking_of_chrony),
        cmocka_unit_test(test_lines_of_phc2sys),
        cmocka_unit_test(test_a_log_is_followed_through_its_rotation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
