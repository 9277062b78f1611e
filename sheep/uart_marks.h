/* SPDX-License-Identifier: MIT */
/* What a serial line tells beside its bytes. Pure.
 *
 * With PARMRK and INPCK the kernel writes (termios(3), drivers/tty/n_tty.c)
 *     FF 00 x    for a byte x with a framing or parity error,
 *     FF 00 00   for a break, and for a byte 00 with an error, which marks cannot tell apart,
 *     FF FF      for a byte FF.
 * The counters of a driver that has them (TIOCGICOUNT) tell framing, parity, break and overrun
 * apart; a pseudo terminal has neither errors nor counters. */
#ifndef SHEEP_UART_MARKS_H
#define SHEEP_UART_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* {0} at the start; a mark may be cut in two by the end of a read. */
struct uart_marks {
    uint8_t n_pending; /* bytes of a mark so far: 1 after FF, 2 after FF 00 */
};

struct uart_found {
    size_t size;       /* bytes in clean */
    unsigned n_errors; /* of them, with a framing or parity error */
    unsigned n_breaks;
};

enum {
    UART_MARKS_PENDING = 2 /* bytes of an earlier read that may come out with the next */
};

/* Takes the marks out. clean has room for size + UART_MARKS_PENDING bytes. A mark that the
 * kernel never writes comes out as it is: nothing received is lost. */
struct uart_found uart_marks_decode(struct uart_marks *marks, const uint8_t *raw, size_t size,
                                    uint8_t *clean);

/* A driver's counters, since it was loaded; they wrap. */
struct uart_counters {
    uint32_t frame;
    uint32_t parity;
    uint32_t breaks;
    uint32_t overrun;     /* of the hardware */
    uint32_t buf_overrun; /* of the kernel's buffer */
};

enum {
    UART_TEXT_SIZE = 160
};

/* "uart: 3 framing errors, 1 break"; false when nothing changed. */
bool uart_describe_counters(const struct uart_counters *before, const struct uart_counters *now,
                            char text[UART_TEXT_SIZE]);

/* The same from marks alone. */
bool uart_describe_marks(const struct uart_found *found, char text[UART_TEXT_SIZE]);

#endif
