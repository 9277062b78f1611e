/* SPDX-License-Identifier: MIT */
/* All monitors in one thread, and the state of the kernel's clock in words. */
#include "sheep/monitor.h"

#include "sheep/monitor_time.h"
#include "sheep/proc_parse.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    MAX_BYTES = 65536
};

/* What came out, by stream. */
struct heard {
    uint8_t uart[MAX_BYTES];
    _Atomic size_t n_uart;
    unsigned n_time;
    int64_t values[N_SYSTEM_COLUMNS];
    _Atomic unsigned n_values;
};

static bool hear(void *arg, struct recorder_row *row)
{
    struct heard *heard = arg;

    switch (row->stream) {
    case RLOG_STREAM_UART:
        assert_true(heard->n_uart + row->size <= MAX_BYTES);
        memcpy(heard->uart + heard->n_uart, row->payload, row->size);
        heard->n_uart += row->size;
        break;
    case RLOG_STREAM_NTP:
        heard->n_time++;
        break;
    case RLOG_STREAM_SYS_UTIL:
        assert_int_equal(row->count, N_SYSTEM_COLUMNS);
        assert_int_equal(row->size, sizeof(heard->values));
        memcpy(heard->values, row->payload, row->size);
        heard->n_values++;
        break;
    default:
        break;
    }
    return true;
}

struct pty {
    int fd;
    char path[64];
};

static struct pty open_pty(void)
{
    struct pty pty = { .fd = posix_openpt(O_RDWR | O_NOCTTY) };

    assert_true(pty.fd >= 0);
    assert_int_equal(grantpt(pty.fd), 0);
    assert_int_equal(unlockpt(pty.fd), 0);
    assert_int_equal(ptsname_r(pty.fd, pty.path, sizeof(pty.path)), 0);
    return pty;
}

static void test_state_of_the_kernels_clock_is_described(void **state)
{
    struct timex clock_state = {
        .status = STA_UNSYNC, .offset = -12, .freq = 655360, .esterror = 3, .maxerror = 16000000
    };
    char text[256];

    (void)state;
    monitor_time_describe(&clock_state, text, sizeof(text));
    assert_string_equal(text, "kernel clock: not disciplined, offset -12000 ns, frequency "
                              "+10.000 ppm, estimated error 3 us, maximum error 16000000 us");
    clock_state.status = STA_NANO;
    monitor_time_describe(&clock_state, text, sizeof(text));
    assert_non_null(strstr(text, ": disciplined, offset -12 ns"));
}

static void test_monitors_run_together_and_end(void **state)
{
    struct heard *heard = calloc(1, sizeof(*heard));
    struct log_config log = {
        .system_ns = 10 * NS_PER_MS,
        .kernel = true,
        .sheep = true,
        .time = true,
        .uart = {true, 115200}
    };
    struct pty pty = open_pty();
    const struct time_sources time = { .ptp4l_socket = "",
                                       .phc2sys_log = "",
                                       .own_folder = "/tmp" };
    struct monitors_options options = { .time = &time,
                                        .log = &log,
                                        .clock = clock_system(0),
                                        .uart_path = pty.path,
                                        .post = hear,
                                        .arg = heard };
    struct err err = { 0 };
    struct monitors *monitors = monitors_create(&options, &err);

    (void)state;
    assert_non_null(monitors);
    assert_int_equal(write(pty.fd, "abc", 3), 3);
    for (int i = 0; i < 500 && (heard->n_uart < 3 || heard->n_values < 3); i++) {
        poll(NULL, 0, 10);
    }
    monitors_destroy(&monitors);
    assert_memory_equal(heard->uart, "abc", 3);
    assert_int_equal(heard->n_time, 1);
    assert_true(heard->n_values >= 3);
    assert_in_range(heard->values[SYSTEM_RAM_USED_PERCENT], 1, 100);
    log = (struct log_config){ 0 };
    assert_null(monitors_create(&options, &err));
    close(pty.fd);
    free(heard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_of_the_kernels_clock_is_described),
        cmocka_unit_test(test_monitors_run_together_and_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
