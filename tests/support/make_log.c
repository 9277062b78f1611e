/* SPDX-License-Identifier: MIT */
/* Writes a recording log whose every value is known, for tests of what reads logs:
 *
 *   make_log FOLDER [key=value ...]
 *
 * mode=harvest|emulate datatype=ivsample|ivcurve|isc_voc samples=N compression=0..9 level of
 * the records, gap=FIRST:COUNT (declared), hole=FIRST:COUNT (not declared), voltage=0|1
 * current=0|1 storage=0|1 edges=N texts=N remark=TEXT noise=BITS T=NS cut=1 (no END)
 * sync=N (after N samples each) code=N (every sample of voltage and current is that)
 * rate=10|100|1000|100000
 *
 * Voltage of sample n is (n * 7919 + noise) mod 2^18, current (n * 104729 + noise) mod 2^18. */
#include "common/decimate.h"
#include "common/gpio_codec.h"
#include "common/overview.h"
#include "common/product.h"
#include "common/rlog.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CODES = 1 << 18,
    MAX_EDGES = 100000
};

struct plan {
    uint64_t n_samples;
    unsigned compression;
    struct rlog_gap gap;
    struct rlog_gap hole;
    unsigned n_edges;
    unsigned n_texts;
    unsigned noise_bits;
    int64_t T_ns;
    const char *remark;
    bool is_cut;
    uint64_t sync_samples;
    uint32_t code; /* 0: changes with the sample */
};

/* Rows of a stream below 100 kHz. */
struct slow {
    struct maker *maker;
    enum rlog_stream stream;
    struct decimator decimator;
};

struct maker {
    struct plan plan;
    struct rlog_manifest manifest;
    struct rlog_writer *writer;
    struct rlog_deflate *deflate;
    struct overview overview[2];
    struct slow slow[2]; /* of voltage and current; maker NULL: stored as they are */
    uint64_t random;
    uint64_t n_gap_samples;
    uint32_t samples[RLOG_STREAM_STORAGE_CURRENT + 1][RLOG_CHUNK_SAMPLES];
};

static void die(const struct err *err)
{
    fprintf(stderr, "make_log: %s\n", err->text);
    exit(1); // NOLINT(concurrency-mt-unsafe): one thread
}

static void put(struct maker *maker, struct rlog_record_header header, const void *payload,
                size_t size)
{
    struct err err = { 0 };

    if (rlog_writer_append(maker->writer, header, payload, size, &err) < 0) {
        die(&err);
    }
}

static void put_overview(void *arg, const struct rlog_record_header *header,
                         const struct rlog_overview *entries)
{
    put(arg, *header, entries, header->count * sizeof(*entries));
}

static uint32_t noise(struct maker *maker)
{
    maker->random = maker->random * 6364136223846793005u + 1442695040888963407u;
    return maker->plan.noise_bits == 0
               ? 0
               : (uint32_t)(maker->random >> (64 - maker->plan.noise_bits));
}

static void make_samples(struct maker *maker, enum rlog_stream stream, uint64_t first,
                         uint32_t count)
{
    uint64_t factor = stream % 2 == 1 ? 7919 : 104729;

    for (uint32_t i = 0; i < count; i++) {
        maker->samples[stream][i] =
            maker->plan.code != 0 ? maker->plan.code
                                  : (uint32_t)(((first + i) * factor + noise(maker)) % CODES);
    }
}

static void put_rows(void *arg, uint64_t first_row, const uint32_t *rows, uint32_t count)
{
    const struct slow *slow = arg;
    struct rlog_record_header header = { .type = RLOG_SAMPLES,
                                         .stream = (uint8_t)slow->stream,
                                         .count = count,
                                         .first = first_row };

    header.flags |= count == RLOG_CHUNK_SAMPLES ? RLOG_FLAG_GRID : 0;
    put(slow->maker, header, rows, count * sizeof(*rows));
}

static void put_samples(struct maker *maker, enum rlog_stream stream, uint64_t first,
                        uint32_t count)
{
    static uint32_t scratch[RLOG_CHUNK_SAMPLES];
    static uint8_t packed[RLOG_CHUNK_SAMPLES * 5];
    const uint32_t *samples = maker->samples[stream];
    struct rlog_record_header header = {
        .type = RLOG_SAMPLES, .stream = (uint8_t)stream, .count = count, .first = first
    };
    size_t size = 0;

    if (stream <= RLOG_STREAM_CURRENT) {
        overview_add(&maker->overview[stream - RLOG_STREAM_VOLTAGE], first, samples, count);
        if (maker->slow[0].maker != NULL) {
            decimate_add(&maker->slow[stream - RLOG_STREAM_VOLTAGE].decimator, first, samples,
                         count);
            return;
        }
    }
    header.flags |= count == RLOG_CHUNK_SAMPLES ? RLOG_FLAG_GRID : 0;
    if (maker->deflate != NULL) {
        size = rlog_deflate_u32(maker->deflate, samples, count, scratch, packed,
                                rlog_deflate_bound(RLOG_CHUNK_SAMPLES));
    }
    if (size > 0) {
        header.flags |= RLOG_FLAG_DEFLATED;
        put(maker, header, packed, size);
    } else {
        put(maker, header, samples, count * sizeof(*samples));
    }
}

static void put_product(struct maker *maker, uint64_t first, uint32_t count)
{
    struct rlog_product product = product_sum(maker->samples[RLOG_STREAM_VOLTAGE],
                                              maker->samples[RLOG_STREAM_CURRENT], count);

    put(maker,
        (struct rlog_record_header){ .type = RLOG_PRODUCT, .count = count, .first = first },
        &product, sizeof(product));
}

static void put_streams(struct maker *maker, uint64_t first, uint32_t count)
{
    const struct rlog_manifest *manifest = &maker->manifest;
    const bool is_put[RLOG_STREAM_STORAGE_CURRENT + 1] = { false, manifest->has_voltage,
                                                           manifest->has_current,
                                                           manifest->has_storage,
                                                           manifest->has_storage };

    for (enum rlog_stream i = RLOG_STREAM_VOLTAGE; i <= RLOG_STREAM_STORAGE_CURRENT; i++) {
        if (is_put[i]) {
            make_samples(maker, i, first, count);
        }
    }
    if (manifest->has_voltage && manifest->has_current) {
        put_product(maker, first, count);
    }
    for (enum rlog_stream i = RLOG_STREAM_VOLTAGE; i <= RLOG_STREAM_STORAGE_CURRENT; i++) {
        if (is_put[i]) {
            put_samples(maker, i, first, count);
        }
    }
}

/* Where the stretch of samples from `at` on ends: at the grid, a gap, or the end. */
static uint64_t stretch_end(const struct plan *plan, uint64_t at)
{
    uint64_t end = (at / RLOG_CHUNK_SAMPLES + 1) * RLOG_CHUNK_SAMPLES;
    const struct rlog_gap *gaps[] = { &plan->gap, &plan->hole };

    for (size_t i = 0; i < 2; i++) {
        if (gaps[i]->n_samples > 0 && gaps[i]->first_sample > at
            && gaps[i]->first_sample < end) {
            end = gaps[i]->first_sample;
        }
    }
    return end < plan->n_samples ? end : plan->n_samples;
}

static void put_anchor(struct maker *maker, uint64_t sample)
{
    struct rlog_anchor anchor = { .sample = sample,
                                  .utc_ns = maker->plan.T_ns + (int64_t)sample * 10000 + 123,
                                  .residual_ns = 123,
                                  .bound_ns = 1500,
                                  .period_ticks_q20 = 2000u << 20 };
    struct rlog_record_header header = { .type = RLOG_ANCHOR, .count = 1, .first = sample };

    put(maker, header, &anchor, sizeof(anchor));
}

static void sync_log(struct maker *maker)
{
    struct err err = { 0 };

    for (size_t i = 0; i < 2; i++) {
        overview_flush(&maker->overview[i]);
    }
    if (rlog_writer_sync(maker->writer, &err) < 0) {
        die(&err);
    }
}

static void put_data(struct maker *maker)
{
    const struct plan *plan = &maker->plan;

    for (uint64_t at = 0; at < plan->n_samples;) {
        if (plan->gap.n_samples > 0 && at == plan->gap.first_sample) {
            struct rlog_record_header header = { .type = RLOG_GAP, .count = 1, .first = at };

            put(maker, header, &plan->gap, sizeof(plan->gap));
            maker->n_gap_samples += plan->gap.n_samples;
            at += plan->gap.n_samples;
            continue;
        }
        if (plan->hole.n_samples > 0 && at == plan->hole.first_sample) {
            at += plan->hole.n_samples;
            continue;
        }
        uint64_t end = stretch_end(plan, at);

        if (at % 100000 == 0) {
            put_anchor(maker, at);
        }
        put_streams(maker, at, (uint32_t)(end - at));
        at = end;
        if (plan->sync_samples > 0 && at % plan->sync_samples == 0) {
            sync_log(maker);
        }
    }
    for (size_t i = 0; i < 2; i++) {
        if (maker->slow[i].maker != NULL) {
            decimate_finish(&maker->slow[i].decimator);
        }
        overview_finish(&maker->overview[i]);
    }
}

/* Pins 0 and 9 in turn, every 5 us from T on. */
static void put_edges(struct maker *maker)
{
    static struct gpio_edge edges[MAX_EDGES];
    static uint8_t packed[10 + 13 * MAX_EDGES];
    unsigned count = maker->plan.n_edges;
    struct rlog_record_header header = { .type = RLOG_EDGES,
                                         .stream = RLOG_STREAM_GPIO,
                                         .count = count };
    size_t size = 0;

    for (unsigned i = 0; i < count; i++) {
        static const uint16_t pins[] = { 1, 1 | 1 << 9, 1 << 9, 0 };

        edges[i].time_ns = maker->plan.T_ns + (int64_t)i * 5000;
        edges[i].value = pins[i % 4];
    }
    size = gpio_codec_encode(edges, count, packed, sizeof(packed));
    if (size > 0) {
        put(maker, header, packed, size);
    }
}

static void put_monitors(struct maker *maker)
{
    static const uint8_t streams[] = { RLOG_STREAM_UART, RLOG_STREAM_KERNEL, RLOG_STREAM_SHEEP,
                                       RLOG_STREAM_NTP };

    for (unsigned i = 0; i < maker->plan.n_texts; i++) {
        uint64_t utc_ns = (uint64_t)maker->plan.T_ns + i * UINT64_C(1000000);
        int64_t values[9] = { i, 2, 3, 4, 5, 6, 7, 8, 9 };
        struct rlog_util util = { (int64_t)utc_ns, 5000, 8000 + i, 700, 0 };
        char text[64];

        int size = snprintf(text, sizeof(text), "line %u: \xC3\xA4 \xFF end", i);

        for (size_t k = 0; k < sizeof(streams); k++) {
            struct rlog_record_header header = { .type = RLOG_TEXT,
                                                 .stream = streams[k],
                                                 .count =
                                                     streams[k] == RLOG_STREAM_SHEEP ? 20 : 0,
                                                 .first = utc_ns };

            put(maker, header, text, (size_t)size + (streams[k] == RLOG_STREAM_UART));
        }
        put(maker,
            (struct rlog_record_header){
                .type = RLOG_ROW, .stream = RLOG_STREAM_SYS_UTIL, .count = 9, .first = utc_ns },
            values, sizeof(values));
        put(maker,
            (struct rlog_record_header){
                .type = RLOG_ROW, .stream = RLOG_STREAM_PTP, .count = 3, .first = utc_ns },
            values, 24);
        put(maker,
            (struct rlog_record_header){ .type = RLOG_UTIL,
                                         .stream = RLOG_STREAM_PRU_UTIL,
                                         .count = 1,
                                         .first = utc_ns },
            &util, sizeof(util));
    }
}

static void make(struct maker *maker)
{
    struct rlog_start start = { .T_ns = maker->plan.T_ns,
                                .start_error_ns = -1234,
                                .start_bound_ns = 1500,
                                .arm_n = 1,
                                .boot_id = 99 };
    struct rlog_end end = { .n_samples = maker->plan.n_samples,
                            .n_edges = maker->plan.n_edges };
    uint8_t digest[RLOG_DIGEST_BYTES];
    struct err err = { 0 };

    put(maker, (struct rlog_record_header){ .type = RLOG_START, .count = 1 }, &start,
        sizeof(start));
    put_edges(maker);
    put_data(maker);
    put_monitors(maker);
    if (maker->plan.remark != NULL) {
        put(maker, (struct rlog_record_header){ .type = RLOG_REMARK }, maker->plan.remark,
            strlen(maker->plan.remark));
    }
    end.n_gap_samples = maker->n_gap_samples;
    if (maker->plan.is_cut ? rlog_writer_sync(maker->writer, &err) < 0
                           : rlog_writer_finish(maker->writer, &end, digest, &err) < 0) {
        die(&err);
    }
}

static struct rlog_gap parse_gap(const char *text)
{
    struct rlog_gap gap = { .cause = RLOG_GAP_RING };
    char *colon = NULL;

    gap.first_sample = strtoull(text, &colon, 10);
    gap.n_samples = *colon == ':' ? strtoull(colon + 1, NULL, 10) : 0;
    return gap;
}

static void set(struct maker *maker, const char *key, const char *value)
{
    struct plan *plan = &maker->plan;
    struct rlog_manifest *manifest = &maker->manifest;
    uint64_t number = strtoull(value, NULL, 10);

    if (strcmp(key, "mode") == 0) {
        manifest->mode = strcmp(value, "emulate") == 0 ? MODE_EMULATE : MODE_HARVEST;
    } else if (strcmp(key, "datatype") == 0) {
        snprintf(manifest->datatype, sizeof(manifest->datatype), "%s", value);
        manifest->window_samples = strcmp(value, "ivcurve") == 0 ? 909 : 0;
    } else if (strcmp(key, "samples") == 0) {
        plan->n_samples = number;
    } else if (strcmp(key, "compression") == 0) {
        plan->compression = (unsigned)number;
    } else if (strcmp(key, "gap") == 0) {
        plan->gap = parse_gap(value);
    } else if (strcmp(key, "hole") == 0) {
        plan->hole = parse_gap(value);
    } else if (strcmp(key, "voltage") == 0) {
        manifest->has_voltage = number != 0;
    } else if (strcmp(key, "current") == 0) {
        manifest->has_current = number != 0;
    } else if (strcmp(key, "storage") == 0) {
        manifest->has_storage = number != 0;
    } else if (strcmp(key, "edges") == 0 && number <= MAX_EDGES) {
        plan->n_edges = (unsigned)number;
    } else if (strcmp(key, "texts") == 0) {
        plan->n_texts = (unsigned)number;
    } else if (strcmp(key, "noise") == 0) {
        plan->noise_bits = (unsigned)number;
    } else if (strcmp(key, "T") == 0) {
        plan->T_ns = (int64_t)number;
    } else if (strcmp(key, "remark") == 0) {
        plan->remark = value;
    } else if (strcmp(key, "sync") == 0) {
        plan->sync_samples = number;
    } else if (strcmp(key, "code") == 0) {
        plan->code = (uint32_t)number;
    } else if (strcmp(key, "rate") == 0) {
        manifest->config.record.samplerate = (enum record_rate)number;
    } else if (strcmp(key, "cut") == 0) {
        plan->is_cut = number != 0;
    } else {
        struct err err = { .text = "unknown or impossible key" };

        die(&err);
    }
}

static void parse(struct maker *maker, int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        char *equals = strchr(argv[i], '=');

        if (equals != NULL) {
            *equals = '\0';
            set(maker, argv[i], equals + 1);
        }
    }
}

int main(int argc, char **argv)
{
    static struct maker maker = {
        .plan = {.n_samples = 100000,
                 .compression = 1,
                 .noise_bits = 4,
                 .T_ns = 1795852800000000000}
    };
    struct rlog_manifest *manifest = &maker.manifest;
    struct err err = { 0 };

    schema_defaults(&node_config_schema, &manifest->config);
    snprintf(manifest->experiment_name, sizeof(manifest->experiment_name), "made");
    snprintf(manifest->node, sizeof(manifest->node), "sheep0");
    snprintf(manifest->version, sizeof(manifest->version), "%s", BW_VERSION);
    snprintf(manifest->board, sizeof(manifest->board), "sim");
    snprintf(manifest->datatype, sizeof(manifest->datatype), "ivsample");
    manifest->experiment = 0x1234;
    manifest->has_voltage = true;
    manifest->has_current = true;
    manifest->voltage = (struct cal_channel){ 1.953125e-05, -1e-3 };
    manifest->current = (struct cal_channel){ 2.0345052083333335e-07, 1e-5 };
    manifest->gpio_mask = 0x3FF;
    if (argc < 2) {
        err_set(&err, ERR_USAGE, "FOLDER [key=value ...]");
        die(&err);
    }
    parse(&maker, argc, argv);
    manifest->n_planned = maker.plan.n_samples;
    manifest->config.mode = manifest->mode;
    manifest->config.record.compression = maker.plan.compression;
    overview_init(&maker.overview[0], RLOG_STREAM_VOLTAGE, put_overview, &maker);
    overview_init(&maker.overview[1], RLOG_STREAM_CURRENT, put_overview, &maker);
    for (size_t i = 0; i < 2 && record_window(&manifest->config.record) > 1; i++) {
        maker.slow[i].maker = &maker;
        maker.slow[i].stream = RLOG_STREAM_VOLTAGE + (enum rlog_stream)i;
        decimate_init(&maker.slow[i].decimator, record_window(&manifest->config.record),
                      put_rows, &maker.slow[i]);
    }
    maker.writer = rlog_writer_create(argv[1], manifest, &err);
    if (maker.writer == NULL) {
        die(&err);
    }
    if (maker.plan.compression > 0) {
        maker.deflate = rlog_deflate_create(maker.plan.compression, &err);
    }
    make(&maker);
    rlog_deflate_destroy(&maker.deflate);
    rlog_writer_destroy(&maker.writer);
    return 0;
}
