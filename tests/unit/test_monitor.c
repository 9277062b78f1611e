/* SPDX-License-Identifier: MIT */
/* Monitors: a serial line through a pty, lines of kmsg, the tables of /proc. */
#include "sheep/monitor.h"

#include "sheep/monitor_time.h"

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
    size_t n_uart;
    int64_t first_utc_ns;
    unsigned n_said;
    unsigned n_time;
    char said[256];
    int64_t values[N_SYSTEM_COLUMNS];
    unsigned n_values;
};

static bool hear(void *arg, struct recorder_row *row)
{
    struct heard *heard = arg;

    switch (row->stream) {
    case RLOG_STREAM_UART:
        assert_true(heard->n_uart + row->size <= MAX_BYTES);
        if (heard->n_uart == 0) {
            heard->first_utc_ns = row->utc_ns;
        }
        memcpy(heard->uart + heard->n_uart, row->payload, row->size);
        heard->n_uart += row->size;
        break;
    case RLOG_STREAM_SHEEP:
        heard->n_said++;
        memcpy(heard->said, row->payload, row->size < 255 ? row->size : 255);
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

static void test_kmsg_lines_are_parsed(void **state)
{
    static const char good[] = "30,1234,98765432,-;usb 1-1: new device\n SUBSYSTEM=usb\n";
    static const char flags[] = "6,7,8,-,caller=T1;hi";
    static const char *const bad[] = {
        "", "x", "1,2", "1,2,3", ";", "a,1,2;t", "1;2,3,4", "99999999999999999999999,1,2,-;x"
    };
    struct kmsg_line line;

    (void)state;
    assert_true(kmsg_parse(good, sizeof(good) - 1, &line));
    assert_int_equal(line.level, 6);
    assert_int_equal(line.sequence, 1234);
    assert_int_equal(line.since_boot_us, 98765432);
    assert_int_equal(line.size, strlen("usb 1-1: new device"));
    assert_memory_equal(line.text, "usb 1-1: new device", line.size);
    assert_true(kmsg_parse(flags, sizeof(flags) - 1, &line));
    assert_int_equal(line.size, 2);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(kmsg_parse(bad[i], strlen(bad[i]), &line));
    }
}

static void test_proc_tables_are_parsed(void **state)
{
    struct monitor_system system = { 0 };
    int64_t values[N_SYSTEM_COLUMNS] = { 0 };

    (void)state;
    system_parse_cpu(&system, "cpu  100 0 100 800 0 0 0 0 0 0\n", values);
    assert_int_equal(values[SYSTEM_CPU_PERCENT], 0);
    system_parse_cpu(&system, "cpu  130 0 120 850 0 0 0 0 0 0\n", values);
    assert_int_equal(values[SYSTEM_CPU_PERCENT], 50);
    system_parse_memory("MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  250 kB\n", values);
    assert_int_equal(values[SYSTEM_RAM_AVAILABLE_PERCENT], 25);
    assert_int_equal(values[SYSTEM_RAM_USED_PERCENT], 75);
    system_parse_disks("   8  0 sda 10 1 20 3 40 5 60 7 0 8 9\n"
                       "   8  1 sda1 10 1 20 3 40 5 60 7 0 8 9\n"
                       " 179  0 mmcblk0 1 0 2 0 3 0 4 0 0 0 0\n",
                       values);
    assert_int_equal(values[SYSTEM_DISK_READS], 11);
    assert_int_equal(values[SYSTEM_DISK_WRITTEN_BYTES], 64 * 512);
    system_parse_network("Inter-| Receive\n face |bytes\n    lo: 9 0 0 0 0 0 0 0 9 0\n"
                         "  eth0: 123 1 0 0 0 0 0 0 456 1 0 0 0 0 0 0\n",
                         values);
    assert_int_equal(values[SYSTEM_NET_RECEIVED_BYTES], 123);
    assert_int_equal(values[SYSTEM_NET_SENT_BYTES], 456);
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
    poll(NULL, 0, 100);
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
        cmocka_unit_test(test_uart_changes_no_byte),
        cmocka_unit_test(test_uart_says_when_the_device_goes_and_comes_back),
        cmocka_unit_test(test_uart_refuses_what_is_not_there),
        cmocka_unit_test(test_kmsg_lines_are_parsed),
        cmocka_unit_test(test_proc_tables_are_parsed),
        cmocka_unit_test(test_state_of_the_kernels_clock_is_described),
        cmocka_unit_test(test_monitors_run_together_and_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
