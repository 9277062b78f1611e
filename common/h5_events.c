/* SPDX-License-Identifier: MIT */
#include "common/h5_events.h"

#include "common/gpio_codec.h"
#include "common/h5_table.h"
#include "pru/abi/pru_shm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NS_PER_SAMPLE = 10000,
    GPIO_CHUNK = 10000,
    EVENT_CHUNK = 1000,
    OVERVIEW_CHUNK = 10000, /* of levels that grow fast, where padding is packed to nothing */
    OVERVIEW_SLOW_LEVEL = 2,
    OVERVIEW_PIECE = 512,
    MAX_EDGES = RLOG_MAX_PAYLOAD, /* an edge takes a byte at least */
    DRAIN = 1024,
    GAP_UNEXPLAINED = 0
};

struct gap {
    uint64_t first;
    uint64_t count;
    uint32_t stream;
};

struct h5_events {
    hid_t file; /* loan */
    struct h5_packer *packer;
    const struct h5_stream_info *streams; /* loan, RLOG_N_STREAMS */
    int64_t T_ns;
    struct h5_table *gpio; /* NULL: no pin is recorded */
    struct h5_table *gaps;
    struct h5_table *sync;
    struct h5_table *overview[RLOG_N_STREAMS][RLOG_OVERVIEW_LEVELS];
    struct gap *known; /* gaps that mean missing samples */
    size_t n_known;
    size_t known_capacity;
    uint64_t n_gaps;
    uint64_t n_edges;
};

static const struct h5_column_spec GAP_COLUMNS[] = {
    H5_TIME_COLUMN("nominal time of the first sample"),
    {"first_sample", H5_CELL_U64, 0, { 1.0, 0.0, "n", "number of the first sample" }},
    { "n_samples",   H5_CELL_U64, 0, { 1.0, 0.0, "n", "how many" }                  },
    { "cause",
                                          H5_CELL_U32,                 0,
                                          { 1.0, 0.0, "n",
        "{0: unexplained, 1: ring was full, 2: storage stalled, 3: cut, 4: input missing "
        "(samples are there), 5: I/O error}" }                                                                           },
    { "stream",
                                          H5_CELL_U32,                 0,
                                          { 1.0, 0.0, "n",
        "{0: all samples, 1: voltage, 2: current, 3: storage voltage, 4: storage current, "
        "5: gpio, 6: pru_util, 7: uart, 8: kernel, 9: sheep, 10: sys_util, 11: ptp, "
        "12: phc2sys, 13: ntp, 16: system, 17: iio}" }                                                                   },
};

static const struct h5_column_spec SYNC_COLUMNS[] = {
    H5_TIME_COLUMN("nominal time of the sample, T + sample * 10 us"),
    {"sample",    H5_CELL_U64, 0, { 1.0, 0.0, "n", "number of the sample" }                    },
    { "utc",      H5_CELL_U64, 0, { 1e-9, 0.0, "s", "measured time of the sample" }            },
    { "residual", H5_CELL_I64, 0, { 1e-9, 0.0, "s", "measured minus nominal time" }            },
    { "bound",    H5_CELL_U32, 0, { 1e-9, 0.0, "s", "half width of the measurement's bracket" }},
    { "period",
                                                        H5_CELL_U32,              0,
                                                        { 1.0 / 1048576, 0.0, "n",
        "sampling period in force, ticks of the PRU's counter (5 ns)" }                                                                           },
};

static bool make_group(hid_t file, const char *path, struct err *err)
{
    hid_t group = h5_make_group(file, path, err);
    bool is_made = group >= 0;

    h5_close(&group);
    return is_made;
}

/* "{0: {name: gpio0}, 9: {name: pwr_good}}": Shepherd's readers find pins by it. */
static void describe_pins(uint32_t mask, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "{");

    for (unsigned bit = 0; bit < PRU_GPIO_PIN_COUNT; bit++) {
        char name[16];

        if (!(mask >> bit & 1)) {
            continue;
        }
        snprintf(name, sizeof(name), bit == PRU_GPIO_POWER_GOOD_BIT ? "pwr_good" : "gpio%u",
                 bit);
        used += (size_t)snprintf(text + used, size - used, "%s%u: {name: %s}",
                                 used > 1 ? ", " : "", bit, name);
    }
    snprintf(text + used, size - used, "}");
}

static struct h5_table *make_gpio(struct h5_packer *packer, uint32_t mask, struct err *err)
{
    char pins[600];
    const struct h5_column_spec columns[] = {
        H5_TIME_COLUMN("time of the edge"),
        {"value", H5_CELL_U16, 0, { 1.0, 0.0, "n", pins }},
    };

    describe_pins(mask, pins, sizeof(pins));
    return h5_table_create(packer, "/gpio", GPIO_CHUNK, columns, ARRAY_LEN(columns), err);
}

struct h5_events *h5_events_create(hid_t file, struct h5_packer *packer,
                                   const struct rlog_manifest *manifest,
                                   const struct h5_stream_info *streams, struct err *err)
{
    struct h5_events *events = calloc(1, sizeof(*events));

    if (events == NULL) {
        err_set(err, ERR_MEMORY, "events");
        return NULL;
    }
    events->file = file;
    events->packer = packer;
    events->streams = streams;
    if (!make_group(file, "/gpio", err) || !make_group(file, "/gaps", err)
        || !make_group(file, "/sync", err) || !make_group(file, "/overview", err)) {
        goto fail;
    }
    if (manifest->gpio_mask != 0) {
        events->gpio = make_gpio(packer, manifest->gpio_mask, err);
        if (events->gpio == NULL) {
            goto fail;
        }
    }
    events->gaps =
        h5_table_create(packer, "/gaps", EVENT_CHUNK, GAP_COLUMNS, ARRAY_LEN(GAP_COLUMNS), err);
    events->sync = h5_table_create(packer, "/sync", EVENT_CHUNK, SYNC_COLUMNS,
                                   ARRAY_LEN(SYNC_COLUMNS), err);
    if (events->gaps == NULL || events->sync == NULL) {
        goto fail;
    }
    return events;
fail:
    h5_events_destroy(&events);
    return NULL;
}

void h5_events_destroy(struct h5_events **events_p)
{
    struct h5_events *events = *events_p;

    if (events == NULL) {
        return;
    }
    h5_table_destroy(&events->gpio);
    h5_table_destroy(&events->gaps);
    h5_table_destroy(&events->sync);
    for (int i = 0; i < RLOG_N_STREAMS; i++) {
        for (int level = 0; level < RLOG_OVERVIEW_LEVELS; level++) {
            h5_table_destroy(&events->overview[i][level]);
        }
    }
    free(events->known);
    free(events);
    *events_p = NULL;
}

void h5_events_set_start(struct h5_events *events, int64_t T_ns)
{
    events->T_ns = T_ns;
}

static uint64_t nominal_ns(const struct h5_events *events, uint64_t sample)
{
    return (uint64_t)events->T_ns + sample * NS_PER_SAMPLE;
}

static int malformed(const struct rlog_record *record, const char *what, struct err *err)
{
    return err_set(err, ERR_CORRUPT, "segment %u, byte %llu: malformed %s", record->segment,
                   (unsigned long long)record->offset, what);
}

static int store_edges(struct h5_events *events, const struct gpio_edge *edges, size_t count,
                       struct err *err)
{
    int64_t times[DRAIN];
    uint16_t values[DRAIN];
    const void *cells[] = { times, values };

    for (size_t at = 0; at < count; at += DRAIN) {
        size_t part = count - at < DRAIN ? count - at : DRAIN;

        for (size_t i = 0; i < part; i++) {
            times[i] = edges[at + i].time_ns;
            values[i] = edges[at + i].value;
        }
        if (h5_table_append(events->gpio, cells, part, err) < 0) {
            return -1;
        }
    }
    events->n_edges += count;
    return 0;
}

static int add_edges(struct h5_events *events, const struct rlog_record *record,
                     struct err *err)
{
    size_t count = record->header.count;
    struct gpio_edge *edges = NULL;
    int result = 0;

    if (events->gpio == NULL || count > MAX_EDGES || count > record->header.payload_size) {
        return malformed(record, "edges", err);
    }
    edges = malloc((count + 1) * sizeof(*edges));
    if (edges == NULL) {
        return err_set(err, ERR_MEMORY, "%zu edges", count);
    }
    result = gpio_codec_decode(record->payload, record->header.payload_size, edges, count, err);
    if (result == 0) {
        result = store_edges(events, edges, count, err);
    }
    free(edges);
    return result;
}

static int remember_gap(struct h5_events *events, const struct rlog_gap *gap, struct err *err)
{
    if (gap->cause == RLOG_GAP_UNDERRUN) {
        return 0;
    }
    if (events->n_known == events->known_capacity) {
        size_t capacity = events->known_capacity * 2 + 16;
        struct gap *known = realloc(events->known, capacity * sizeof(*known));

        if (known == NULL) {
            return err_set(err, ERR_MEMORY, "list of gaps");
        }
        events->known = known;
        events->known_capacity = capacity;
    }
    events->known[events->n_known++] =
        (struct gap){ gap->first_sample, gap->n_samples, gap->stream };
    return 0;
}

static int put_gap(struct h5_events *events, const struct rlog_gap *gap, struct err *err)
{
    uint64_t time_ns = nominal_ns(events, gap->first_sample);
    const void *cells[] = { &time_ns, &gap->first_sample, &gap->n_samples, &gap->cause,
                            &gap->stream };

    events->n_gaps++;
    return h5_table_append(events->gaps, cells, 1, err);
}

static int add_gap(struct h5_events *events, const struct rlog_record *record, struct err *err)
{
    struct rlog_gap gap;

    if (record->header.payload_size != sizeof(gap)) {
        return malformed(record, "gap", err);
    }
    memcpy(&gap, record->payload, sizeof(gap));
    if (remember_gap(events, &gap, err) < 0) {
        return -1;
    }
    return put_gap(events, &gap, err);
}

int h5_events_add_hole(struct h5_events *events, uint32_t stream, uint64_t first,
                       uint64_t count, struct err *err)
{
    uint64_t end = first + count;

    /* Gaps come in order, so one pass cuts off what they explain. */
    for (size_t i = 0; i < events->n_known && first < end; i++) {
        const struct gap *known = &events->known[i];
        uint64_t known_end = known->first + known->count;

        if ((known->stream != 0 && known->stream != stream) || known_end <= first
            || known->first >= end) {
            continue;
        }
        if (known->first > first) {
            struct rlog_gap gap = { first, known->first - first, GAP_UNEXPLAINED, stream };

            if (put_gap(events, &gap, err) < 0) {
                return -1;
            }
        }
        first = known_end;
    }
    if (first < end) {
        struct rlog_gap gap = { first, end - first, GAP_UNEXPLAINED, stream };

        return put_gap(events, &gap, err);
    }
    return 0;
}

static int add_anchor(struct h5_events *events, const struct rlog_record *record,
                      struct err *err)
{
    struct rlog_anchor anchor;
    uint64_t time_ns = 0;
    const void *cells[] = { &time_ns,         &anchor.sample,
                            &anchor.utc_ns,   &anchor.residual_ns,
                            &anchor.bound_ns, &anchor.period_ticks_q20 };

    if (record->header.payload_size != sizeof(anchor)) {
        return malformed(record, "anchor", err);
    }
    memcpy(&anchor, record->payload, sizeof(anchor));
    time_ns = nominal_ns(events, anchor.sample);
    return h5_table_append(events->sync, cells, 1, err);
}

static uint64_t window_of(unsigned level)
{
    uint64_t window = RLOG_OVERVIEW_WINDOW;

    while (level-- > 0) {
        window *= RLOG_OVERVIEW_FACTOR;
    }
    return window;
}

/* /overview/voltage/64 and so on, made when its first entry comes. */
static int open_overview(struct h5_events *events, unsigned stream, unsigned level,
                         struct err *err)
{
    struct h5_stream_info info = events->streams[stream];
    char text[80];
    char path[96];
    struct h5_column_spec columns[] = {
        H5_TIME_COLUMN("start of the window"),
        {"minimum",  H5_CELL_U32, 0, info.meaning},
        { "mean",    H5_CELL_U32, 0, info.meaning},
        { "maximum", H5_CELL_U32, 0, info.meaning},
    };

    uint32_t chunk_rows = level < OVERVIEW_SLOW_LEVEL && h5_packer_deflates(events->packer)
                              ? OVERVIEW_CHUNK
                              : EVENT_CHUNK;

    if (events->overview[stream][level] != NULL) {
        return 0;
    }
    snprintf(text, sizeof(text), "%s over %llu samples = value * gain + offset", info.name,
             (unsigned long long)window_of(level));
    for (size_t i = 1; i < ARRAY_LEN(columns); i++) {
        columns[i].meaning.description = text;
    }
    snprintf(path, sizeof(path), "/overview/%s", info.name);
    if (!h5_has(events->file, path) && !make_group(events->file, path, err)) {
        return -1;
    }
    snprintf(path, sizeof(path), "/overview/%s/%llu", info.name,
             (unsigned long long)window_of(level));
    if (!make_group(events->file, path, err)) {
        return -1;
    }
    events->overview[stream][level] =
        h5_table_create(events->packer, path, chunk_rows, columns, ARRAY_LEN(columns), err);
    return events->overview[stream][level] == NULL ? -1 : 0;
}

/* Some entries as they stand in a record. */
struct overview_piece {
    const uint8_t *entries;
    uint32_t count; /* at most OVERVIEW_PIECE */
    uint64_t time_ns;
    uint64_t step_ns;
};

static int append_overview(struct h5_table *table, const struct overview_piece *piece,
                           struct err *err)
{
    uint64_t times[OVERVIEW_PIECE];
    uint32_t minimum[OVERVIEW_PIECE];
    uint32_t mean[OVERVIEW_PIECE];
    uint32_t maximum[OVERVIEW_PIECE];
    const void *const cells[] = { times, minimum, mean, maximum };

    for (uint32_t i = 0; i < piece->count; i++) {
        struct rlog_overview entry;

        memcpy(&entry, piece->entries + i * sizeof(entry), sizeof(entry));
        times[i] = piece->time_ns + i * piece->step_ns;
        minimum[i] = entry.minimum;
        mean[i] = entry.mean;
        maximum[i] = entry.maximum;
    }
    return h5_table_append(table, cells, piece->count, err);
}

static int add_overview(struct h5_events *events, const struct rlog_record *record,
                        struct err *err)
{
    const struct rlog_record_header *header = &record->header;
    unsigned level = header->flags >> 8;
    uint64_t step_ns = window_of(level) * NS_PER_SAMPLE;
    uint64_t time_ns = nominal_ns(events, header->first);

    if (level >= RLOG_OVERVIEW_LEVELS || header->stream >= RLOG_N_STREAMS
        || events->streams[header->stream].name == NULL
        || header->payload_size != (uint64_t)header->count * sizeof(struct rlog_overview)) {
        return malformed(record, "overview", err);
    }
    if (open_overview(events, header->stream, level, err) < 0) {
        return -1;
    }
    for (uint32_t at = 0; at < header->count; at += OVERVIEW_PIECE) {
        uint32_t left = header->count - at;
        struct overview_piece piece = {
            .entries = record->payload + (size_t)at * sizeof(struct rlog_overview),
            .count = left < OVERVIEW_PIECE ? left : OVERVIEW_PIECE,
            .time_ns = time_ns + at * step_ns,
            .step_ns = step_ns,
        };

        if (append_overview(events->overview[header->stream][level], &piece, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int h5_events_add(struct h5_events *events, const struct rlog_record *record, struct err *err)
{
    switch (record->header.type) {
    case RLOG_EDGES:
        return add_edges(events, record, err);
    case RLOG_GAP:
        return add_gap(events, record, err);
    case RLOG_ANCHOR:
        return add_anchor(events, record, err);
    case RLOG_OVERVIEW:
        return add_overview(events, record, err);
    default:
        return malformed(record, "event", err);
    }
}

int h5_events_finish(struct h5_events *events, struct err *err)
{
    if ((events->gpio != NULL && h5_table_finish(events->gpio, err) < 0)
        || h5_table_finish(events->gaps, err) < 0 || h5_table_finish(events->sync, err) < 0) {
        return -1;
    }
    for (int i = 0; i < RLOG_N_STREAMS; i++) {
        for (int level = 0; level < RLOG_OVERVIEW_LEVELS; level++) {
            if (events->overview[i][level] != NULL
                && h5_table_finish(events->overview[i][level], err) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

uint64_t h5_events_edges(const struct h5_events *events)
{
    return events->n_edges;
}

uint64_t h5_events_gaps(const struct h5_events *events)
{
    return events->n_gaps;
}
