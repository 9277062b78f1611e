/* SPDX-License-Identifier: MIT */
#include "sheep/uart_marks.h"

#include "common/attrs.h"

#include <stdio.h>

enum {
    MARK = 0xFF
};

/* The byte that ends a mark FF 00. */
static void end_mark(uint8_t byte, uint8_t *clean, struct uart_found *found)
{
    if (byte == 0) {
        found->n_breaks++;
        return;
    }
    found->n_errors++;
    clean[found->size++] = byte; /* as it came */
}

struct uart_found uart_marks_decode(struct uart_marks *marks, const uint8_t *raw, size_t size,
                                    uint8_t *clean)
{
    struct uart_found found = { 0 };

    for (size_t i = 0; i < size; i++) {
        if (marks->n_pending == 2) {
            end_mark(raw[i], clean, &found);
            marks->n_pending = 0;
        } else if (marks->n_pending == 1) {
            marks->n_pending = raw[i] == 0 ? 2 : 0;
            if (raw[i] != 0 && raw[i] != MARK) {
                clean[found.size++] = MARK; /* no mark: two bytes */
            }
            if (raw[i] != 0) {
                clean[found.size++] = raw[i];
            }
        } else if (raw[i] == MARK) {
            marks->n_pending = 1;
        } else {
            clean[found.size++] = raw[i];
        }
    }
    return found;
}

struct part {
    uint32_t count;
    const char *name;
};

/* "uart: 2 breaks, 1 framing error" of the parts that are not 0. */
static bool describe(const struct part *parts, size_t n_parts, char text[UART_TEXT_SIZE])
{
    size_t length = 0;

    for (size_t i = 0; i < n_parts; i++) {
        if (parts[i].count != 0 && length < UART_TEXT_SIZE) {
            length += (size_t)snprintf(text + length, UART_TEXT_SIZE - length, "%s%u %s%s",
                                       length == 0 ? "uart: " : ", ", parts[i].count,
                                       parts[i].name, parts[i].count == 1 ? "" : "s");
        }
    }
    return length > 0;
}

bool uart_describe_counters(const struct uart_counters *before, const struct uart_counters *now,
                            char text[UART_TEXT_SIZE])
{
    const struct part parts[] = {
        {now->frame - before->frame,              "framing error"   },
        { now->parity - before->parity,           "parity error"    },
        { now->breaks - before->breaks,           "break"           },
        { now->overrun - before->overrun,         "hardware overrun"},
        { now->buf_overrun - before->buf_overrun, "kernel overrun"  },
    };

    return describe(parts, ARRAY_LEN(parts), text);
}

bool uart_describe_marks(const struct uart_found *found, char text[UART_TEXT_SIZE])
{
    const struct part parts[] = {
        {found->n_errors,  "framing or parity error"},
        { found->n_breaks, "break"                  },
    };

    return describe(parts, ARRAY_LEN(parts), text);
}
