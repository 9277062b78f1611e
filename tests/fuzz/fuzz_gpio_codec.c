/* SPDX-License-Identifier: MIT */
/* Coded edges: what decodes, encodes to something that decodes to the same. */
#include "common/gpio_codec.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct gpio_edge *edges, size_t count)
{
    size_t capacity = gpio_codec_bound(count);
    uint8_t *out = malloc(capacity);
    struct gpio_edge *back = calloc(count, sizeof(*back));
    size_t size = out == NULL ? 0 : gpio_codec_encode(edges, count, out, capacity);

    if (back != NULL && size > 0) {
        if (gpio_codec_decode(out, size, back, count, NULL) < 0) {
            abort();
        }
        for (size_t i = 0; i < count; i++) {
            if (back[i].time_ns != edges[i].time_ns || back[i].value != edges[i].value) {
                abort();
            }
        }
    }
    free(back);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t count = size > 0 ? data[0] : 0;
    struct gpio_edge *edges = calloc(count + 1, sizeof(*edges));

    if (edges != NULL && size > 0
        && gpio_codec_decode(data + 1, size - 1, edges, count, NULL) == 0) {
        check_round_trip(edges, count);
    }
    free(edges);
    return 0;
}
