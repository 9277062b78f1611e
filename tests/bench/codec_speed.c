/* SPDX-License-Identifier: MIT */
/* codec_speed: how fast one core codes edges and deflates samples, as `figure:` lines. */
#include "common/clock.h"
#include "common/crc32c.h"
#include "common/gpio_codec.h"
#include "common/rlog.h"
#include "common/time_pack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    N_EDGES = 8192,
    N_CHUNKS = 64
};

static const double RUN_S = 0.5;

static double seconds_since(int64_t begin_ns)
{
    return (double)(clock_mono_ns() - begin_ns) * 1e-9;
}

/* Edges as a busy target makes them: mean distance of a microsecond, nine pins. */
static void bench_edges(void)
{
    static struct gpio_edge edges[N_EDGES];
    static uint8_t packed[10 + 13 * N_EDGES];
    uint64_t random = 1;
    size_t size = 0;
    uint64_t n = 0;
    int64_t begin_ns = 0;

    for (size_t i = 1; i < N_EDGES; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        edges[i].time_ns = edges[i - 1].time_ns + (int64_t)(random >> 33) % 2000;
        edges[i].value = edges[i - 1].value ^ (uint16_t)(1u << (random >> 60) % 9);
    }
    begin_ns = clock_mono_ns();
    while (seconds_since(begin_ns) < RUN_S) {
        size = gpio_codec_encode(edges, N_EDGES, packed, sizeof(packed));
        n += N_EDGES;
    }
    printf("figure: edges coded: %.1f M/s, %.2f bytes each (reach 1 M/s, 4)\n",
           (double)n / seconds_since(begin_ns) * 1e-6, (double)size / N_EDGES);
}

/* zlib on what the last call left shuffled: nanoseconds a chunk, and its size. */
static double time_zlib(unsigned level, const uint32_t *shuffled, size_t *size)
{
    static uint8_t packed[RLOG_CHUNK_SAMPLES * 5];
    int64_t begin_ns = clock_mono_ns();
    unsigned n = 0;

    while (seconds_since(begin_ns) < RUN_S) {
        uLongf got = sizeof(packed);

        (void)!compress2(packed, &got, (const Bytef *)shuffled,
                         RLOG_CHUNK_SAMPLES * sizeof(*shuffled), (int)level);
        *size = got;
        n++;
    }
    return (double)(clock_mono_ns() - begin_ns) / n;
}

static void bench_deflate(unsigned level, unsigned noise_bits)
{
    static uint32_t samples[RLOG_CHUNK_SAMPLES];
    static uint32_t scratch[RLOG_CHUNK_SAMPLES];
    static uint8_t packed[RLOG_CHUNK_SAMPLES * 5];
    struct rlog_deflate *state = rlog_deflate_create(level, NULL);
    uint64_t random = 1;
    size_t size = 0;
    size_t zlib_size = 0;
    uint64_t n = 0;
    int64_t begin_ns = clock_mono_ns();

    if (state == NULL) {
        return;
    }
    for (uint32_t i = 0; i < RLOG_CHUNK_SAMPLES; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        samples[i] = 100000 + i / 100 + (uint32_t)(random >> (64 - noise_bits));
    }
    while (seconds_since(begin_ns) < RUN_S) {
        size = rlog_deflate_u32(state, samples, RLOG_CHUNK_SAMPLES, scratch, packed,
                                sizeof(packed));
        n += RLOG_CHUNK_SAMPLES;
    }
    double ours_ns = seconds_since(begin_ns) * 1e9 / (double)n * RLOG_CHUNK_SAMPLES;
    double zlib_ns = time_zlib(level, scratch, &zlib_size);

    printf(
        "figure: shuffle and deflate, level %u, %u bits of noise: %.0f us a chunk to %zu bytes, "
        "zlib's deflate alone %.0f us to %zu\n",
        level, noise_bits, ours_ns / 1e3, size, zlib_ns / 1e3, zlib_size);
    rlog_deflate_destroy(&state);
}

static void bench_time(void)
{
    static uint8_t packed[TIME_PACK_BYTES];
    uint64_t n = 0;
    size_t size = 0;
    int64_t begin_ns = clock_mono_ns();

    while (seconds_since(begin_ns) < RUN_S) {
        size = time_pack(1795852800000000000u + n * 100000000, packed);
        n++;
    }
    printf("figure: time stamps packed: %.0f MB/s, a chunk of 80 000 to %zu bytes\n",
           (double)n * 0.08 / seconds_since(begin_ns), size);
}

static void bench_crc(void)
{
    static uint8_t data[1 << 20];
    uint64_t n = 0;
    uint32_t crc = 0;
    int64_t begin_ns = clock_mono_ns();

    while (seconds_since(begin_ns) < RUN_S) {
        crc = crc32c(crc, data, sizeof(data));
        n += sizeof(data);
    }
    printf("figure: CRC-32C: %.1f GB/s (%08x)\n", (double)n / seconds_since(begin_ns) * 1e-9,
           crc);
}

int main(void)
{
    bench_edges();
    for (unsigned level = 1; level <= 6; level += 5) {
        bench_deflate(level, 3);
        bench_deflate(level, 9);
    }
    bench_time();
    bench_crc();
    return 0;
}
