/* SPDX-License-Identifier: MIT */
#include "common/crc32c.h"

#include <pthread.h>
#include <string.h>

#if defined(__x86_64__)
#    include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t crc_sse42(uint32_t state,
                                                            const unsigned char *at,
                                                            size_t size)
{
    uint64_t wide = state;

    while (size >= 8) {
        uint64_t word = 0;

        memcpy(&word, at, 8);
        wide = _mm_crc32_u64(wide, word);
        at += 8;
        size -= 8;
    }
    state = (uint32_t)wide;
    while (size > 0) {
        state = _mm_crc32_u8(state, *at++);
        size--;
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
    (void)at;
    (void)size;
    return state;
}

static int has_instruction(void)
{
    return 0;
}
#endif

/* Slicing by 8 (Kounavis and Berry 2005): table[k][b] is the CRC of byte b and k zero bytes. */
static uint32_t table[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

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

static uint32_t crc_table(uint32_t state, const unsigned char *at, size_t size)
{
    pthread_once(&once, fill_table);
    while (size >= 8) {
        uint32_t low = state
                       ^ ((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16
                          | (uint32_t)at[3] << 24);

        state = table[7][low & 255] ^ table[6][low >> 8 & 255] ^ table[5][low >> 16 & 255]
                ^ table[4][low >> 24] ^ table[3][at[4]] ^ table[2][at[5]] ^ table[1][at[6]]
                ^ table[0][at[7]];
        at += 8;
        size -= 8;
    }
    while (size > 0) {
        state = state >> 8 ^ table[0][(state ^ *at++) & 255];
        size--;
    }
    return state;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
    const unsigned char *at = data;

    if (has_instruction()) {
        return ~crc_sse42(~crc, at, size);
    }
    return ~crc_table(~crc, at, size);
}
