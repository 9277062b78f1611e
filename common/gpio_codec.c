/* SPDX-License-Identifier: MIT */
#include "common/gpio_codec.h"

#include <stdbool.h>

enum {
    HEAD_BYTES = 10,
    EDGE_BYTES = 13, /* worst: escape, a step of 64 bits in LEB128, the mask */
    PIN_MASK = 15,
    ESCAPE = 16, /* alone: a step and a mask follow; with more: two pins */
    STEP_SHIFT = 5,
    SECOND_PIN_SHIFT = 5,
    PAIR_STEP_SHIFT = 9,
};

size_t gpio_codec_bound(size_t count)
{
    return HEAD_BYTES + count * EDGE_BYTES;
}

static uint8_t *put_leb(uint8_t *at, uint64_t value)
{
    while (value >= 128) {
        *at++ = (uint8_t)(value | 128);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

static uint8_t *put_u16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
    return at + 2;
}

static uint64_t zigzag(uint64_t step)
{
    return step << 1 ^ (step >> 63 ? UINT64_MAX : 0);
}

static uint64_t unzigzag(uint64_t code)
{
    return code >> 1 ^ (code & 1 ? UINT64_MAX : 0);
}

static uint8_t *put_edge(uint8_t *at, const struct gpio_edge *before,
                         const struct gpio_edge *edge)
{
    uint32_t toggled = before->value ^ edge->value;
    uint32_t others = toggled & (toggled - 1); /* without the lowest one */
    uint64_t step = (uint64_t)edge->time_ns - (uint64_t)before->time_ns;
    uint64_t low = 0;

    if (toggled != 0) {
        low = (uint64_t)__builtin_ctz(toggled);
    }
    if (toggled != 0 && others == 0 && step <= UINT64_MAX >> STEP_SHIFT) {
        return put_leb(at, step << STEP_SHIFT | low);
    }
    if (others != 0 && (others & (others - 1)) == 0 && step <= UINT64_MAX >> PAIR_STEP_SHIFT) {
        return put_leb(at, step << PAIR_STEP_SHIFT
                               | (uint64_t)__builtin_ctz(others) << SECOND_PIN_SHIFT | ESCAPE
                               | low);
    }
    *at++ = ESCAPE;
    at = put_leb(at, zigzag(step));
    return put_u16(at, (uint16_t)toggled);
}

size_t gpio_codec_encode(const struct gpio_edge *edges, size_t count, uint8_t *out,
                         size_t capacity)
{
    uint8_t *at = out;

    if (count == 0 || capacity < gpio_codec_bound(count)) {
        return 0;
    }
    for (int i = 0; i < 8; i++) {
        *at++ = (uint8_t)((uint64_t)edges[0].time_ns >> 8 * i);
    }
    at = put_u16(at, edges[0].value);
    for (size_t i = 1; i < count; i++) {
        at = put_edge(at, &edges[i - 1], &edges[i]);
    }
    return (size_t)(at - out);
}

struct input {
    const uint8_t *at;
    const uint8_t *end;
};

static bool get_leb(struct input *input, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && input->at < input->end; shift += 7) {
        uint64_t byte = *input->at++;

        *value |= (byte & 127) << shift;
        if (byte < 128) {
            return shift < 63 || byte <= 1; /* the tenth byte has room for one bit */
        }
    }
    return false;
}

static bool get_u16(struct input *input, uint16_t *value)
{
    if (input->end - input->at < 2) {
        return false;
    }
    *value = (uint16_t)(input->at[0] | input->at[1] << 8);
    input->at += 2;
    return true;
}

static bool get_edge(struct input *input, const struct gpio_edge *before,
                     struct gpio_edge *edge)
{
    uint64_t code = 0;
    uint64_t step = 0;
    uint16_t toggled = 0;

    if (!get_leb(input, &code)) {
        return false;
    }
    if (code == ESCAPE) {
        if (!get_leb(input, &step) || !get_u16(input, &toggled)) {
            return false;
        }
        step = unzigzag(step);
    } else if (code & ESCAPE) {
        unsigned low = code & PIN_MASK;
        unsigned high = code >> SECOND_PIN_SHIFT & PIN_MASK;

        if (high <= low) {
            return false; /* one edge has one code */
        }
        step = code >> PAIR_STEP_SHIFT;
        toggled = (uint16_t)(1u << low | 1u << high);
    } else {
        step = code >> STEP_SHIFT;
        toggled = (uint16_t)(1u << (code & PIN_MASK));
    }
    edge->time_ns = (int64_t)((uint64_t)before->time_ns + step);
    edge->value = before->value ^ toggled;
    return true;
}

int gpio_codec_decode(const uint8_t *payload, size_t size, struct gpio_edge *edges,
                      size_t count, struct err *err)
{
    struct input input = { payload, payload + size };
    uint64_t time_ns = 0;

    if (count == 0 || size < HEAD_BYTES) {
        return err_set(err, ERR_CORRUPT, "%zu bytes are not %zu edges", size, count);
    }
    for (int i = 0; i < 8; i++) {
        time_ns |= (uint64_t)*input.at++ << 8 * i;
    }
    edges[0].time_ns = (int64_t)time_ns;
    if (!get_u16(&input, &edges[0].value)) {
        return err_set(err, ERR_CORRUPT, "edges without a beginning");
    }
    for (size_t i = 1; i < count; i++) {
        if (!get_edge(&input, &edges[i - 1], &edges[i])) {
            return err_set(err, ERR_CORRUPT, "edge %zu of %zu is malformed", i, count);
        }
    }
    if (input.at != input.end) {
        return err_set(err, ERR_CORRUPT, "%zu bytes are left behind %zu edges",
                       (size_t)(input.end - input.at), count);
    }
    return 0;
}
