/* SPDX-License-Identifier: MIT */
#include "sheep/monitor.h"

#include "sheep/uart_marks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum {
    READ_BYTES = 4096,
};

struct monitor_uart {
    char path[PATH_SIZE];
    speed_t speed;
    struct monitor_out out;
    int fd;
    struct uart_marks marks;
    struct uart_found found; /* errors not told yet */
    struct uart_counters counters;
    bool is_counting; /* the driver's counters have moved: they tell more than marks */
    bool is_quiet;    /* errors were told since the last tick */
};

struct speed_entry {
    uint32_t baudrate;
    speed_t speed;
};

static bool find_speed(uint32_t baudrate, speed_t *speed)
{
    static const struct speed_entry speeds[] = {
        {50,       B50     },
        { 75,      B75     },
        { 110,     B110    },
        { 134,     B134    },
        { 150,     B150    },
        { 200,     B200    },
        { 300,     B300    },
        { 600,     B600    },
        { 1200,    B1200   },
        { 1800,    B1800   },
        { 2400,    B2400   },
        { 4800,    B4800   },
        { 9600,    B9600   },
        { 19200,   B19200  },
        { 38400,   B38400  },
        { 57600,   B57600  },
        { 115200,  B115200 },
        { 230400,  B230400 },
        { 460800,  B460800 },
        { 500000,  B500000 },
        { 576000,  B576000 },
        { 921600,  B921600 },
        { 1000000, B1000000},
        { 1152000, B1152000},
        { 1500000, B1500000},
        { 2000000, B2000000},
        { 2500000, B2500000},
        { 3000000, B3000000},
        { 3500000, B3500000},
        { 4000000, B4000000},
    };

    for (size_t i = 0; i < ARRAY_LEN(speeds); i++) {
        if (speeds[i].baudrate == baudrate) {
            *speed = speeds[i].speed;
            return true;
        }
    }
    return false;
}

static bool read_counters(const struct monitor_uart *uart, struct uart_counters *counters)
{
    struct serial_icounter_struct counts;

    if (ioctl(uart->fd, TIOCGICOUNT, &counts) < 0) {
        return false;
    }
    *counters = (struct uart_counters){ .frame = (uint32_t)counts.frame,
                                        .parity = (uint32_t)counts.parity,
                                        .breaks = (uint32_t)counts.brk,
                                        .overrun = (uint32_t)counts.overrun,
                                        .buf_overrun = (uint32_t)counts.buf_overrun };
    return true;
}

static int open_device(struct monitor_uart *uart, struct err *err)
{
    struct termios settings;
    int fd = open(uart->path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0) {
        return err_set_errno(err, "uart %s", uart->path);
    }
    if (tcgetattr(fd, &settings) < 0) {
        err_set_errno(err, "uart %s", uart->path);
        close(fd);
        return -1;
    }
    cfmakeraw(&settings);
    settings.c_iflag |= INPCK | PARMRK;
    settings.c_cflag |= CLOCAL | CREAD;
    if (cfsetspeed(&settings, uart->speed) < 0 || tcsetattr(fd, TCSANOW, &settings) < 0) {
        err_set_errno(err, "uart %s", uart->path);
        close(fd);
        return -1;
    }
    uart->fd = fd;
    uart->marks = (struct uart_marks){ 0 };
    uart->found = (struct uart_found){ 0 };
    uart->is_counting = false;
    if (!read_counters(uart, &uart->counters)) {
        uart->counters = (struct uart_counters){ 0 };
    }
    return 0;
}

struct monitor_uart *monitor_uart_create(const char *path, uint32_t baudrate,
                                         const struct monitor_out *out, struct err *err)
{
    struct monitor_uart *uart = calloc(1, sizeof(*uart));

    if (uart == NULL) {
        err_set(err, ERR_MEMORY, "uart");
        return NULL;
    }
    uart->fd = -1;
    uart->out = *out;
    snprintf(uart->path, sizeof(uart->path), "%s", path);
    if (!find_speed(baudrate, &uart->speed)) {
        err_set(err, ERR_INPUT, "uart: termios has no %u baud", baudrate);
        goto fail;
    }
    if (open_device(uart, err) < 0) {
        goto fail;
    }
    return uart;
fail:
    monitor_uart_destroy(&uart);
    return NULL;
}

void monitor_uart_destroy(struct monitor_uart **uart_p)
{
    struct monitor_uart *uart = *uart_p;

    if (uart == NULL) {
        return;
    }
    if (uart->fd >= 0) {
        close(uart->fd);
    }
    free(uart);
    *uart_p = NULL;
}

int monitor_uart_fd(const struct monitor_uart *uart)
{
    return uart->fd;
}

static void say(const struct monitor_uart *uart, uint32_t level, int64_t utc_ns,
                const char *text)
{
    monitor_text(&uart->out, RLOG_STREAM_SHEEP, level, utc_ns, text, strlen(text));
}

static void lose_device(struct monitor_uart *uart, int64_t utc_ns)
{
    close(uart->fd);
    uart->fd = -1;
    say(uart, MONITOR_WARNING, utc_ns, "uart: the device is gone");
}

static void say_errors(struct monitor_uart *uart, int64_t utc_ns)
{
    struct uart_counters now = uart->counters;
    char text[UART_TEXT_SIZE];

    if (read_counters(uart, &now) && uart_describe_counters(&uart->counters, &now, text)) {
        uart->is_counting = true;
        uart->is_quiet = true;
        say(uart, MONITOR_WARNING, utc_ns, text);
    } else if (!uart->is_counting && uart_describe_marks(&uart->found, text)) {
        uart->is_quiet = true;
        say(uart, MONITOR_WARNING, utc_ns, text);
    }
    uart->counters = now;
    uart->found = (struct uart_found){ 0 };
}

void monitor_uart_ready(struct monitor_uart *uart)
{
    uint8_t raw[READ_BYTES];
    uint8_t clean[READ_BYTES + UART_MARKS_PENDING];
    ssize_t size = read(uart->fd, raw, sizeof(raw));
    int64_t utc_ns = clock_utc(&uart->out.clock);
    struct uart_found found;

    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (size <= 0) {
        lose_device(uart, utc_ns);
        return;
    }
    found = uart_marks_decode(&uart->marks, raw, (size_t)size, clean);
    monitor_text(&uart->out, RLOG_STREAM_UART, 0, utc_ns, clean, found.size);
    uart->found.n_errors += found.n_errors;
    uart->found.n_breaks += found.n_breaks;
    if (!uart->is_quiet && found.n_errors + found.n_breaks != 0) {
        say_errors(uart, utc_ns);
    }
}

void monitor_uart_tick(struct monitor_uart *uart)
{
    int64_t utc_ns = clock_utc(&uart->out.clock);
    struct err ignored;

    uart->is_quiet = false;
    if (uart->fd >= 0) {
        say_errors(uart, utc_ns); /* an overrun leaves no mark */
    } else if (open_device(uart, &ignored) == 0) {
        say(uart, MONITOR_INFO, utc_ns, "uart: the device is back");
    }
}
