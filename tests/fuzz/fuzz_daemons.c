/* SPDX-License-Identifier: MIT */
/* What comes from beside the node's own programs: answers of clock daemons, and the bytes of a
 * target on its serial line. Bytes are neither invented nor lost. */
#include "sheep/time_codec.h"
#include "sheep/uart_marks.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    N_KINDS = 4,
    SIZE_MAX_BYTES = 4096
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_ptp(const uint8_t *data, size_t size)
{
    struct ptp_status status = { 0 };

    (void)ptp_decode(&status, data, size);
}

static void try_chrony(const uint8_t *data, size_t size)
{
    struct chrony_tracking tracking = { 0 };

    (void)chrony_decode_tracking(&tracking, 7, data, size);
}

static void try_phc2sys(const uint8_t *data, size_t size)
{
    char line[SIZE_MAX_BYTES + 1];
    struct phc2sys_line parsed = { 0 };

    memcpy(line, data, size);
    line[size] = '\0';
    (void)phc2sys_parse(&parsed, line);
}

/* The same bytes in one read and in two: the cut may be inside of a mark. */
static void try_uart(const uint8_t *data, size_t size)
{
    uint8_t whole[SIZE_MAX_BYTES + UART_MARKS_PENDING];
    uint8_t parts[SIZE_MAX_BYTES + 2 * UART_MARKS_PENDING];
    struct uart_marks one = { 0 };
    struct uart_marks two = { 0 };
    size_t cut = size > 0 ? data[0] % size : 0;
    struct uart_found all = uart_marks_decode(&one, data, size, whole);
    struct uart_found head = uart_marks_decode(&two, data, cut, parts);
    struct uart_found tail = uart_marks_decode(&two, data + cut, size - cut, parts + head.size);

    if (all.size != head.size + tail.size || memcmp(whole, parts, all.size) != 0
        || all.n_errors != head.n_errors + tail.n_errors
        || all.n_breaks != head.n_breaks + tail.n_breaks || one.n_pending != two.n_pending) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const TRY[N_KINDS])(const uint8_t *, size_t) = { try_ptp, try_chrony,
                                                                   try_phc2sys, try_uart };

    if (size > 0 && size <= SIZE_MAX_BYTES) {
        TRY[data[0] % N_KINDS](data + 1, size - 1);
    }
    return 0;
}
