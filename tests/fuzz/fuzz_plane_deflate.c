/* SPDX-License-Identifier: MIT */
/* What plane_deflate makes of any planes, zlib turns back into them. */
#include "common/plane_deflate.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    SIZE_MAX_BYTES = 1 << 16
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first bytes choose level, planes and how often the rest is repeated. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t planes[SIZE_MAX_BYTES];
    static uint8_t packed[SIZE_MAX_BYTES + 1024];
    static uint8_t back[SIZE_MAX_BYTES];
    static struct plane_deflate *states[10];

    if (size < 4) {
        return 0;
    }
    unsigned level = 1u + data[0] % 9u;
    size_t n_planes = 1u + data[1] % 4u;
    size_t repeats = 1u + data[2] % 32u;
    size_t filled = 0;

    for (size_t i = 0; i < repeats && filled + size - 3 <= sizeof(planes); i++) {
        memcpy(planes + filled, data + 3, size - 3);
        filled += size - 3;
    }
    if (states[level] == NULL) {
        states[level] = plane_deflate_create(level, NULL);
    }
    size_t plane_size = filled / n_planes;
    size_t total = plane_size * n_planes;

    if (states[level] == NULL || total == 0) {
        return 0;
    }
    size_t length = plane_deflate(states[level], planes, plane_size, n_planes, packed,
                                  plane_deflate_bound(total));
    uLongf back_size = sizeof(back);

    if (length > plane_deflate_bound(total)
        || (length != 0
            && (uncompress(back, &back_size, packed, length) != Z_OK || back_size != total
                || memcmp(back, planes, total) != 0))) {
        abort();
    }
    return 0;
}
