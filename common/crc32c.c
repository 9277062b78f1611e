/* SPDX-License-Identifier: MIT */
#include "common/crc32c.h"

#include <pthread.h>
#include <string.h>

enum {
    LANE_BYTES = 1024 /* a multiple of 8 */
};

/* Slicing by 8 (Kounavis and Berry 2005): table[k][b] is the CRC of byte b and k zero bytes. */
static uint32_t table[8][256];
/* What a lane of zero bytes makes of byte k of a state. */
static uint32_t lane[4][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static uint32_t step_8(uint32_t state, const unsigned char *at)
{
    uint32_t low = state
                   ^ ((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16
                      | (uint32_t)at[3] << 24);

    return table[7][low & 255] ^ table[6][low >> 8 & 255] ^ table[5][low >> 16 & 255]
           ^ table[4][low >> 24] ^ table[3][at[4]] ^ table[2][at[5]] ^ table[1][at[6]]
           ^ table[0][at[7]];
}

static void fill_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;

        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
        }
        table[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; i++) {
        for (int k = 1; k < 8; k++) {
            table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 255];
        }
    }
}

/* A CRC is linear: that of a byte is the sum of those of its bits. */
static void fill_lane(void)
{
    static const unsigned char zeros[8];

    for (unsigned k = 0; k < 4; k++) {
        for (uint32_t i = 1; i < 256; i++) {
            uint32_t bit = i & -i;
            uint32_t state = bit << 8 * k;

            for (int n = 0; bit == i && n < LANE_BYTES / 8; n++) {
                state = step_8(state, zeros);
            }
            lane[k][i] = bit == i ? state : lane[k][bit] ^ lane[k][i ^ bit];
        }
    }
}

static void fill(void)
{
    fill_table();
    fill_lane();
}

static uint32_t crc_table(uint32_t state, const unsigned char *at, size_t size)
{
    for (; size >= 8; size -= 8) {
        state = step_8(state, at);
        at += 8;
    }
    for (; size > 0; size--) {
        state = state >> 8 ^ table[0][(state ^ *at++) & 255];
    }
    return state;
}

#if defined(__x86_64__)
#    include <nmmintrin.h>

/* The instruction takes three cycles, and one can begin in each. */
static const size_t LANES_BYTES = (size_t)3 * LANE_BYTES;

static uint32_t skip_lane(uint64_t state)
{
    return lane[0][state & 255] ^ lane[1][state >> 8 & 255] ^ lane[2][state >> 16 & 255]
           ^ lane[3][state >> 24];
}

__attribute__((target("sse4.2"))) static uint64_t step_word(uint64_t state,
                                                            const unsigned char *at)
{
    uint64_t word = 0;

    memcpy(&word, at, sizeof(word));
    return _mm_crc32_u64(state, word);
}

/* Three lanes at once, each as if the others were zeros. */
__attribute__((target("sse4.2"))) static uint32_t crc_lanes(uint32_t state,
                                                            const unsigned char *at)
{
    uint64_t first = state;
    uint64_t second = 0;
    uint64_t third = 0;

    for (size_t i = 0; i < LANE_BYTES; i += 8) {
        first = step_word(first, at + i);
        second = step_word(second, at + LANE_BYTES + i);
        third = step_word(third, at + LANES_BYTES - LANE_BYTES + i);
    }
    return skip_lane(skip_lane(first) ^ second) ^ (uint32_t)third;
}

__attribute__((target("sse4.2"))) static uint32_t crc_sse42(uint32_t state,
                                                            const unsigned char *at,
                                                            size_t size)
{
    uint64_t wide = 0;

    for (; size >= LANES_BYTES; size -= LANES_BYTES) {
        state = crc_lanes(state, at);
        at += LANES_BYTES;
    }
    wide = state;
    for (; size >= 8; size -= 8) {
        wide = step_word(wide, at);
        at += 8;
    }
    state = (uint32_t)wide;
    for (; size > 0; size--) {
        state = _mm_crc32_u8(state, *at++);
    }
    return state;
}

static int has_instruction(void)
{
    return __builtin_cpu_supports("sse4.2");
}
#else
static uint32_t crc_sse42(uint32_t state, const unsigned char *at, size_t size)
{
    return crc_table(state, at, size);
}

static int has_instruction(void)
{
    return 0;
}
#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
    pthread_once(&once, fill);
    return has_instruction() ? ~crc_sse42(~crc, data, size) : ~crc_table(~crc, data, size);
}

uint32_t crc32c_portable(uint32_t crc, const void *data, size_t size)
{
    pthread_once(&once, fill);
    return ~crc_table(~crc, data, size);
}
