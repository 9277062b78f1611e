/* SPDX-License-Identifier: MIT */
#include "common/lzf.h"

#include <string.h>

enum {
    LITERAL_LIMIT = 32, /* below: a run of control + 1 literals */
    LONG_MATCH = 7,     /* the length goes on in a byte of its own */
    MATCH_EXTRA = 2,
};

/* A control byte of 32 and more is a match: 3 bits length, 13 bits distance - 1. */
size_t lzf_decode(const uint8_t *data, size_t size, uint8_t *out, size_t capacity)
{
    size_t in = 0;
    size_t used = 0;

    while (in < size) {
        uint8_t control = data[in++];
        size_t length = 0;
        size_t distance = 0;

        if (control < LITERAL_LIMIT) {
            length = control + 1u;
            if (length > size - in || length > capacity - used) {
                return 0;
            }
            memcpy(out + used, data + in, length);
            in += length;
            used += length;
            continue;
        }
        length = control >> 5;
        if (length == LONG_MATCH) {
            if (in == size) {
                return 0;
            }
            length += data[in++];
        }
        length += MATCH_EXTRA;
        if (in == size) {
            return 0;
        }
        distance = ((size_t)(control & 31) << 8 | data[in++]) + 1;
        if (distance > used || length > capacity - used) {
            return 0;
        }
        for (size_t i = 0; i < length; i++) {
            out[used + i] = out[used + i - distance];
        }
        used += length;
    }
    return used;
}
