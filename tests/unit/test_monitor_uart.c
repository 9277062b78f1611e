/* SPDX-License-Identifier: MIT */
/* The target's serial line: through a pseudo terminal, and with what such a one cannot show
 * (framing and parity errors, breaks, a driver's counters) put in where the kernel would. */
#include "sheep/monitor.h"

#include "sheep/uart_marks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    MAX_BYTES = 65536
};

/* What came out, by stream. */
struct heard {
    uint8_t uart[MAX_BYTES];
    size_t n_uart;
    int64_t first_utc_ns;
    unsigned n_said;
    char said[256];
};

static bool hear(void *arg, struct recorder_row *row)
{
    struct heard *heard = arg;

    if (row->stream == RLOG_STREAM_UART) {
        assert_true(heard->n_uart + row->size <= MAX_BYTES);
        if (heard->n_uart == 0) {
            heard->first_utc_ns = row->utc_ns;
        }
        memcpy(heard->uart + heard->n_uart, row->payload, row->size);
        heard->n_uart += row->size;
    } else {
        assert_int_equal(row->stream, RLOG_STREAM_SHEEP);
        assert_true(row->size < sizeof(heard->said));
        heard->n_said++;
        memset(heard->said, 0, sizeof(heard->said));
        memcpy(heard->said, row->payload, row->size);
    }
    return true;
}

static struct monitor_out out_to(struct heard *heard)
{
    return (struct monitor_out){ clock_system(0), hear, heard };
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

static void read_all(struct monitor_uart *uart)
{
    struct pollfd pfd = { monitor_uart_fd(uart), POLLIN, 0 };

    while (pfd.fd >= 0 && poll(&pfd, 1, 100) > 0) {
        monitor_uart_ready(uart);
        pfd.fd = monitor_uart_fd(uart);
    }
}

static void test_uart_changes_no_byte(void **state)
{
    struct heard *heard = calloc(1, sizeof(*heard));
    struct monitor_out out = out_to(heard);
    struct err err = { 0 };
    uint8_t all[512];
    struct pty pty = open_pty();
    struct monitor_uart *uart = monitor_uart_create(pty.path, 115200, &out, &err);

    (void)state;
    assert_non_null(uart);
    for (size_t i = 0; i < sizeof(all); i++) {
        all[i] = (uint8_t)(i < 256 ? i : 0xFF - i % 3);
    }
    int64_t before_ns = clock_utc_ns();

    assert_int_equal(write(pty.fd, all, sizeof(all)), sizeof(all));
    read_all(uart);
    assert_int_equal(heard->n_uart, sizeof(all));
    assert_memory_equal(heard->uart, all, sizeof(all));
    assert_in_range(heard->first_utc_ns - before_ns, 0, 50 * NS_PER_MS);
    assert_int_equal(heard->n_said, 0);
    monitor_uart_destroy(&uart);
    close(pty.fd);
    free(heard);
}

static void test_uart_says_when_the_device_goes_and_comes_back(void **state)
{
    struct heard *heard = calloc(1, sizeof(*heard));
    struct monitor_out out = out_to(heard);
    struct err err = { 0 };
    char link[] = "/tmp/bw_uart_XXXXXX";
    struct pty pty = open_pty();

    (void)state;
    assert_non_null(mkdtemp(link));
    char path[64];

    snprintf(path, sizeof(path), "%s/tty", link);
    assert_int_equal(symlink(pty.path, path), 0);
    struct monitor_uart *uart = monitor_uart_create(path, 9600, &out, &err);

    assert_non_null(uart);
    close(pty.fd);
    read_all(uart);
    assert_int_equal(monitor_uart_fd(uart), -1);
    assert_int_equal(heard->n_said, 1);
    monitor_uart_tick(uart); /* still away */
    assert_int_equal(heard->n_said, 1);
    unlink(path);
    pty = open_pty();
    assert_int_equal(symlink(pty.path, path), 0);
    monitor_uart_tick(uart);
    assert_int_equal(heard->n_said, 2);
    assert_int_equal(write(pty.fd, "hello", 5), 5);
    read_all(uart);
    assert_memory_equal(heard->uart, "hello", 5);
    monitor_uart_destroy(&uart);
    unlink(path);
    rmdir(link);
    close(pty.fd);
    free(heard);
}

static void test_uart_refuses_what_is_not_there(void **state)
{
    struct heard heard = { .n_said = 0 };
    struct monitor_out out = out_to(&heard);
    struct err err = { 0 };

    (void)state;
    assert_null(monitor_uart_create("/dev/does-not-exist", 9600, &out, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_null(monitor_uart_create("/dev/null", 1234567, &out, &err));
    assert_int_equal(err.code, ERR_INPUT);
}

/* ---- marks ---- */

static void test_marks_come_out_however_reads_cut_them(void **state)
{
    static const uint8_t RAW[] = { 'a',  0xFF, 0x00, 'b',  0xFF, 0x00, 0x00, 0xFF, 0xFF, 0x00,
                                   0xFF, 0x00, 0xFF, 0xFF, 0x41, 0xFF, 0xFF, 0xFF, 0x00, 0x80 };
    /* b, FF and 80 came with an error; FF 41 is no mark at all */
    static const uint8_t CLEAN[] = { 'a', 'b', 0xFF, 0x00, 0xFF, 0xFF, 0x41, 0xFF, 0x80 };

    (void)state;
    for (size_t step = 1; step <= sizeof(RAW); step++) {
        struct uart_marks marks = { 0 };
        struct uart_found sum = { 0 };
        uint8_t clean[sizeof(RAW) + UART_MARKS_PENDING];

        for (size_t at = 0; at < sizeof(RAW); at += step) {
            size_t size = sizeof(RAW) - at < step ? sizeof(RAW) - at : step;
            struct uart_found found =
                uart_marks_decode(&marks, RAW + at, size, clean + sum.size);

            assert_true(found.size <= size + UART_MARKS_PENDING);
            sum.size += found.size;
            sum.n_errors += found.n_errors;
            sum.n_breaks += found.n_breaks;
        }
        assert_int_equal(sum.size, sizeof(CLEAN));
        assert_memory_equal(clean, CLEAN, sizeof(CLEAN));
        assert_int_equal(sum.n_errors, 3);
        assert_int_equal(sum.n_breaks, 1);
        assert_int_equal(marks.n_pending, 0);
    }
}

/* What the kernel makes of any bytes (FF doubled) comes back as they were. */
static void test_doubled_bytes_are_undone(void **state)
{
    uint32_t random = 1;

    (void)state;
    for (int round = 0; round < 1000; round++) {
        struct uart_marks marks = { 0 };
        uint8_t bytes[64];
        uint8_t raw[2 * sizeof(bytes)];
        uint8_t clean[sizeof(raw) + UART_MARKS_PENDING];
        size_t n_raw = 0;

        for (size_t i = 0; i < sizeof(bytes); i++) {
            random = random * 1664525 + 1013904223;
            bytes[i] = (uint8_t)((random >> 30) == 0 ? 0xFF : random >> 24);
            raw[n_raw++] = bytes[i];
            if (bytes[i] == 0xFF) {
                raw[n_raw++] = 0xFF;
            }
        }
        struct uart_found found = uart_marks_decode(&marks, raw, n_raw, clean);

        assert_int_equal(found.size, sizeof(bytes));
        assert_memory_equal(clean, bytes, sizeof(bytes));
        assert_int_equal(found.n_errors + found.n_breaks, 0);
    }
}

static void test_errors_are_put_into_words(void **state)
{
    struct uart_counters before = { .frame = UINT32_MAX, .parity = 5, .breaks = 7 };
    struct uart_counters now = { 1, 6, 7, 2, 1 };
    struct uart_counters most = { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX };
    struct uart_counters none = { 0 };
    struct uart_found found = { .size = 9, .n_errors = 1, .n_breaks = 2 };
    char text[UART_TEXT_SIZE];

    (void)state;
    assert_true(uart_describe_counters(&before, &now, text));
    assert_string_equal(text, "uart: 2 framing errors, 1 parity error, 2 hardware overruns, "
                              "1 kernel overrun");
    assert_false(uart_describe_counters(&now, &now, text));
    assert_true(uart_describe_counters(&none, &most, text)); /* fits */
    assert_non_null(strstr(text, "kernel overruns"));
    assert_true(uart_describe_marks(&found, text));
    assert_string_equal(text, "uart: 1 framing or parity error, 2 breaks");
    found.n_errors = found.n_breaks = 0;
    assert_false(uart_describe_marks(&found, text));
}

/* ---- a driver with errors, played ---- */

static const uint8_t *read_instead; /* what the next read of a terminal gives */
static size_t n_read_instead;
static struct serial_icounter_struct counts;
static bool has_counts;

ssize_t __real_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size)
{
    size_t n_bytes = n_read_instead;

    if (n_bytes == 0 || !isatty(fd)) {
        return __real_read(fd, buffer, size);
    }
    assert_true(n_bytes <= size);
    memcpy(buffer, read_instead, n_bytes);
    n_read_instead = 0;
    return (ssize_t)n_bytes;
}

int __real_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
    if (request != TIOCGICOUNT || !has_counts) {
        return __real_ioctl(fd, request, arg);
    }
    memcpy(arg, &counts, sizeof(counts));
    return 0;
}

static void receive(struct monitor_uart *uart, const char *bytes, size_t size)
{
    read_instead = (const uint8_t *)bytes;
    n_read_instead = size;
    monitor_uart_ready(uart);
}

static void test_errors_are_told_at_once_and_then_once_a_tick(void **state)
{
    struct heard *heard = calloc(1, sizeof(*heard));
    struct monitor_out out = out_to(heard);
    struct err err = { 0 };
    struct pty pty = open_pty();
    struct monitor_uart *uart = monitor_uart_create(pty.path, 9600, &out, &err);

    (void)state;
    assert_non_null(uart);
    receive(uart, "a\xFF\0b\xFF", 5);
    assert_string_equal(heard->said, "uart: 1 framing or parity error");
    receive(uart, "\0\0", 2); /* a break, cut in two */
    receive(uart, "\xFF\0\x80", 3);
    assert_int_equal(heard->n_said, 1);
    monitor_uart_tick(uart);
    assert_string_equal(heard->said, "uart: 1 framing or parity error, 1 break");
    monitor_uart_tick(uart);
    assert_int_equal(heard->n_said, 2);
    assert_int_equal(heard->n_uart, 3);
    assert_memory_equal(heard->uart, "ab\x80", 3);
    monitor_uart_destroy(&uart);
    close(pty.fd);
    free(heard);
}

static void test_a_drivers_counters_tell_more_than_marks(void **state)
{
    struct heard *heard = calloc(1, sizeof(*heard));
    struct monitor_out out = out_to(heard);
    struct err err = { 0 };
    struct pty pty = open_pty();
    struct monitor_uart *uart = NULL;

    (void)state;
    has_counts = true;
    counts.frame = 100; /* of earlier */
    uart = monitor_uart_create(pty.path, 9600, &out, &err);
    assert_non_null(uart);
    counts.frame++;
    counts.parity++;
    receive(uart, "\xFF\0a\xFF\0b", 6);
    assert_string_equal(heard->said, "uart: 1 framing error, 1 parity error");
    monitor_uart_tick(uart);
    assert_int_equal(heard->n_said, 1);
    counts.overrun = 3; /* leaves no mark */
    monitor_uart_tick(uart);
    assert_string_equal(heard->said, "uart: 3 hardware overruns");
    receive(uart, "\xFF\0a", 3); /* was counted before it was read */
    monitor_uart_tick(uart);
    assert_int_equal(heard->n_said, 2);
    has_counts = false;
    monitor_uart_destroy(&uart);
    close(pty.fd);
    free(heard);
}

/* A driver that has the call and counts nothing. */
static void test_counters_that_stand_still_are_not_believed(void **state)
{
    struct heard *heard = calloc(1, sizeof(*heard));
    struct monitor_out out = out_to(heard);
    struct err err = { 0 };
    struct pty pty = open_pty();
    struct monitor_uart *uart = NULL;

    (void)state;
    has_counts = true;
    uart = monitor_uart_create(pty.path, 9600, &out, &err);
    assert_non_null(uart);
    receive(uart, "\xFF\0\0", 3);
    assert_string_equal(heard->said, "uart: 1 break");
    has_counts = false;
    monitor_uart_destroy(&uart);
    close(pty.fd);
    free(heard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uart_changes_no_byte),
        cmocka_unit_test(test_uart_says_when_the_device_goes_and_comes_back),
        cmocka_unit_test(test_uart_refuses_what_is_not_there),
        cmocka_unit_test(test_marks_come_out_however_reads_cut_them),
        cmocka_unit_test(test_doubled_bytes_are_undone),
        cmocka_unit_test(test_errors_are_put_into_words),
        cmocka_unit_test(test_errors_are_told_at_once_and_then_once_a_tick),
        cmocka_unit_test(test_a_drivers_counters_tell_more_than_marks),
        cmocka_unit_test(test_counters_that_stand_still_are_not_believed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
