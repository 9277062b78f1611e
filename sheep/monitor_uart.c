/* SPDX-License-Identifier: MIT */
#include "sheep/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum {
    READ_BYTES = 4096,
    LEVEL_INFO = 20,
    LEVEL_WARNING = 30
};

/* With PARMRK the kernel writes FF 00 x for a byte x with an error (FF 00 00 for a break) and
 * FF FF for a byte FF, see termios(3); the state spans reads. */
enum mark_state {
    MARK_NONE,
    MARK_FF,
    MARK_FF_00
};

struct monitor_uart {
    char path[PATH_SIZE];
    speed_t speed;
    struct monitor_out out;
    int fd;
    enum mark_state mark;
    uint8_t clean[READ_BYTES];
    size_t n_clean;
    unsigned n_errors; /* of this read */
    unsigned n_breaks;
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
    uart->mark = MARK_NONE;
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

static void keep(struct monitor_uart *uart, uint8_t byte)
{
    uart->clean[uart->n_clean++] = byte;
}

static void take_byte(struct monitor_uart *uart, uint8_t byte)
{
    switch (uart->mark) {
    case MARK_NONE:
        if (byte == 0xFF) {
            uart->mark = MARK_FF;
        } else {
            keep(uart, byte);
        }
        return;
    case MARK_FF:
        if (byte == 0) {
            uart->mark = MARK_FF_00;
            return;
        }
        keep(uart, byte); /* FF FF is the byte FF */
        uart->mark = MARK_NONE;
        return;
    case MARK_FF_00:
        if (byte == 0) {
            uart->n_breaks++;
        } else {
            uart->n_errors++;
            keep(uart, byte); /* as it came */
        }
        uart->mark = MARK_NONE;
        return;
    }
}

static void lose_device(struct monitor_uart *uart, int64_t utc_ns)
{
    close(uart->fd);
    uart->fd = -1;
    say(uart, LEVEL_WARNING, utc_ns, "uart: the device is gone");
}

void monitor_uart_ready(struct monitor_uart *uart)
{
    uint8_t raw[READ_BYTES];
    ssize_t size = read(uart->fd, raw, sizeof(raw));
    int64_t utc_ns = clock_utc(&uart->out.clock);
    char text[80];

    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (size <= 0) {
        lose_device(uart, utc_ns);
        return;
    }
    uart->n_clean = 0;
    uart->n_errors = 0;
    uart->n_breaks = 0;
    for (ssize_t i = 0; i < size; i++) {
        take_byte(uart, raw[i]);
    }
    monitor_text(&uart->out, RLOG_STREAM_UART, 0, utc_ns, uart->clean, uart->n_clean);
    if (uart->n_errors != 0 || uart->n_breaks != 0) {
        snprintf(text, sizeof(text), "uart: %u bytes with framing or parity errors, %u breaks",
                 uart->n_errors, uart->n_breaks);
        say(uart, LEVEL_WARNING, utc_ns, text);
    }
}

void monitor_uart_tick(struct monitor_uart *uart)
{
    struct err ignored;

    if (uart->fd < 0 && open_device(uart, &ignored) == 0) {
        say(uart, LEVEL_INFO, clock_utc(&uart->out.clock), "uart: the device is back");
    }
}
