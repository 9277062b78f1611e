/* SPDX-License-Identifier: MIT */
/* The LZF decoder: whatever comes, within its bounds. */
#include "common/lzf.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t capacity = size > 0 ? (size_t)data[0] * 16 : 1;
    uint8_t *out = malloc(capacity + 1);

    if (out != NULL && lzf_decode(data, size, out, capacity) > capacity) {
        abort();
    }
    free(out);
    return 0;
}
