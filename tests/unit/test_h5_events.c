/* SPDX-License-Identifier: MIT */
/* Edges, gaps, anchors and overviews of a log into their groups. */
#include "common/h5_events.h"

#include "common/gpio_codec.h"
#include "tests/support/h5_scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const int64_t T_NS = 1800000000123450000;

static const struct h5_stream_info STREAMS[RLOG_N_STREAMS] = {
    [RLOG_STREAM_VOLTAGE] = {"voltage",  { 2e-5, 1e-3, "V", "x" }},
    [RLOG_STREAM_CURRENT] = { "current", { 2e-7, 0, "A", "x" }   },
};

static struct h5_events *create_with(const struct h5_scratch *scratch, uint32_t gpio_mask)
{
    struct rlog_manifest *manifest = calloc(1, sizeof(*manifest));
    struct err err = { 0 };
    struct h5_events *events = NULL;

    assert_non_null(manifest);
    manifest->gpio_mask = gpio_mask;
    events = h5_events_create(scratch->file, scratch->packer, manifest, STREAMS, &err);
    free(manifest);
    if (events == NULL) {
        fail_msg("%s", err.text);
    }
    h5_events_set_start(events, T_NS);
    return events;
}

static struct h5_events *create(const struct h5_scratch *scratch)
{
    return create_with(scratch, 0x3FF);
}

static void finish(struct h5_events *events)
{
    struct err err = { 0 };

    if (h5_events_finish(events, &err) < 0) {
        fail_msg("%s", err.text);
    }
    h5_events_destroy(&events);
    assert_null(events);
}

static int try_add(struct h5_events *events, struct rlog_record_header header,
                   const void *payload, size_t size, struct err *err)
{
    struct rlog_record record = {
        .header = header, .payload = payload, .segment = 2, .offset = 64
    };

    record.header.payload_size = (uint32_t)size;
    return h5_events_add(events, &record, err);
}

static void add(struct h5_events *events, struct rlog_record_header header, const void *payload,
                size_t size)
{
    struct err err = { 0 };

    if (try_add(events, header, payload, size, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

static void add_gap(struct h5_events *events, uint64_t first, uint64_t count, uint32_t cause,
                    uint32_t stream)
{
    struct rlog_gap gap = { first, count, cause, stream };

    add(events, (struct rlog_record_header){ .type = RLOG_GAP, .count = 1 }, &gap, sizeof(gap));
}

static void add_hole(struct h5_events *events, uint32_t stream, uint64_t first, uint64_t count)
{
    struct err err = { 0 };

    assert_int_equal(h5_events_add_hole(events, stream, first, count, &err), 0);
}

/* More edges than are stored at a time. */
static void test_edges_come_back(void **state)
{
    enum {
        N_EDGES = 2500
    };
    static struct gpio_edge edges[N_EDGES];
    static uint8_t packed[16 * N_EDGES];
    static uint64_t times[N_EDGES];
    static uint16_t values[N_EDGES];
    struct h5_scratch *scratch = *state;
    struct h5_events *events = create(scratch);
    size_t size = 0;

    for (unsigned i = 0; i < N_EDGES; i++) {
        edges[i] = (struct gpio_edge){ T_NS + i * INT64_C(700), (uint16_t)(i % 3 ? 0x201 : i) };
    }
    size = gpio_codec_encode(edges, N_EDGES, packed, sizeof(packed));
    add(events, (struct rlog_record_header){ .type = RLOG_EDGES, .count = N_EDGES }, packed,
        size);
    assert_int_equal(h5_events_edges(events), N_EDGES);
    finish(events);
    h5_scratch_read(scratch, "/gpio/time", H5T_NATIVE_UINT64, times, N_EDGES, 0);
    h5_scratch_read(scratch, "/gpio/value", H5T_NATIVE_UINT16, values, N_EDGES, 0);
    for (unsigned i = 0; i < N_EDGES; i++) {
        assert_int_equal(times[i], edges[i].time_ns);
        assert_int_equal(values[i], edges[i].value);
    }
}

static void test_pins_are_named(void **state)
{
    static const struct {
        uint32_t mask;
        const char *text;
    } CASES[] = {
        {0x001,  "{0: {name: gpio0}}"                     },
        { 0x208, "{3: {name: gpio3}, 9: {name: pwr_good}}"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        void *file = NULL;
        struct h5_scratch *scratch = NULL;

        assert_int_equal(h5_scratch_set_up(&file), 0);
        scratch = file;
        finish(create_with(scratch, CASES[i].mask));
        h5_scratch_expect_text(scratch, "/gpio/value", "description", CASES[i].text);
        h5_scratch_tear_down(&file);
    }
}

static void test_without_pins_an_edge_is_malformed(void **state)
{
    struct h5_scratch *scratch = *state;
    struct h5_events *events = create_with(scratch, 0);
    struct gpio_edge edge = { T_NS, 1 };
    uint8_t packed[32];
    size_t size = gpio_codec_encode(&edge, 1, packed, sizeof(packed));
    struct err err = { 0 };

    assert_int_equal(try_add(events,
                             (struct rlog_record_header){ .type = RLOG_EDGES, .count = 1 },
                             packed, size, &err),
                     -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_string_equal(err.text, "segment 2, byte 64: malformed edges");
    finish(events);
    assert_false(h5_has(scratch->file, "/gpio/time"));
    assert_true(h5_has(scratch->file, "/gpio"));
}

static void test_gaps_have_nominal_times(void **state)
{
    struct h5_scratch *scratch = *state;
    struct h5_events *events = create(scratch);

    add_gap(events, 1000, 50, RLOG_GAP_QUEUE, RLOG_STREAM_CURRENT);
    add_gap(events, 2000, 1, RLOG_GAP_UNDERRUN, 0);
    assert_int_equal(h5_events_gaps(events), 2);
    finish(events);
    assert_int_equal(h5_scratch_u64(scratch, "/gaps/time", 0), T_NS + 10000000);
    assert_int_equal(h5_scratch_u64(scratch, "/gaps/first_sample", 0), 1000);
    assert_int_equal(h5_scratch_u64(scratch, "/gaps/n_samples", 0), 50);
    assert_int_equal(h5_scratch_u64(scratch, "/gaps/cause", 0), RLOG_GAP_QUEUE);
    assert_int_equal(h5_scratch_u64(scratch, "/gaps/stream", 0), RLOG_STREAM_CURRENT);
    assert_int_equal(h5_scratch_u64(scratch, "/gaps/cause", 1), RLOG_GAP_UNDERRUN);
}

struct span {
    uint64_t first;
    uint64_t count;
};

/* The rows behind the first `skipped`, all of cause 0. */
static void expect_unexplained(const struct h5_scratch *scratch, uint64_t skipped,
                               const struct span *spans, size_t n_spans)
{
    assert_int_equal(h5_scratch_rows(scratch, "/gaps/time"), skipped + n_spans);
    for (size_t i = 0; i < n_spans; i++) {
        assert_int_equal(h5_scratch_u64(scratch, "/gaps/first_sample", skipped + i),
                         spans[i].first);
        assert_int_equal(h5_scratch_u64(scratch, "/gaps/n_samples", skipped + i),
                         spans[i].count);
        assert_int_equal(h5_scratch_u64(scratch, "/gaps/cause", skipped + i), 0);
    }
}

/* Gaps at [100, 200) of all streams, [300, 400) of the voltage, [500, 600) of the current. */
static void test_holes_that_gaps_explain_are_no_news(void **state)
{
    static const struct {
        struct span hole;
        size_t n_left;
        struct span left[3];
    } CASES[] = {
        {{ 100, 100 },  0, { { 0 } }                                 },
        { { 120, 10 },  0, { { 0 } }                                 },
        { { 90, 10 },   1, { { 90, 10 } }                            },
        { { 200, 100 }, 1, { { 200, 100 } }                          },
        { { 90, 120 },  2, { { 90, 10 }, { 200, 10 } }               },
        { { 50, 600 },  3, { { 50, 50 }, { 200, 100 }, { 400, 250 } }},
        { { 299, 102 }, 2, { { 299, 1 }, { 400, 1 } }                },
        { { 500, 100 }, 1, { { 500, 100 } }                          },
        { { 150, 0 },   0, { { 0 } }                                 },
        { { 7000, 1 },  1, { { 7000, 1 } }                           },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        void *file = NULL;
        struct h5_events *events = NULL;

        assert_int_equal(h5_scratch_set_up(&file), 0);
        events = create(file);
        add_gap(events, 100, 100, RLOG_GAP_RING, 0);
        add_gap(events, 300, 100, RLOG_GAP_RING, RLOG_STREAM_VOLTAGE);
        add_gap(events, 500, 100, RLOG_GAP_RING, RLOG_STREAM_CURRENT);
        add_hole(events, RLOG_STREAM_VOLTAGE, CASES[i].hole.first, CASES[i].hole.count);
        assert_int_equal(h5_events_gaps(events), 3 + CASES[i].n_left);
        finish(events);
        expect_unexplained(file, 3, CASES[i].left, CASES[i].n_left);
        h5_scratch_tear_down(&file);
    }
}

/* An underrun's samples are there: it explains no hole. */
static void test_an_underrun_explains_nothing(void **state)
{
    static const struct span ALL[] = {
        {100, 100}
    };
    struct h5_events *events = create(*state);

    add_gap(events, 100, 100, RLOG_GAP_UNDERRUN, 0);
    add_hole(events, RLOG_STREAM_VOLTAGE, 100, 100);
    finish(events);
    expect_unexplained(*state, 1, ALL, 1);
}

static void test_many_gaps_are_remembered(void **state)
{
    struct h5_events *events = create(*state);

    for (uint64_t i = 0; i < 1000; i++) {
        add_gap(events, i * 10, 10, RLOG_GAP_RING, 0);
    }
    add_hole(events, RLOG_STREAM_CURRENT, 0, 10000);
    assert_int_equal(h5_events_gaps(events), 1000);
    finish(events);
}

static void test_anchors(void **state)
{
    static const struct rlog_anchor ANCHOR = { .sample = 100000,
                                               .utc_ns = T_NS + 1000000123,
                                               .residual_ns = -123,
                                               .bound_ns = 40,
                                               .period_ticks_q20 = 2000 << 20 };
    struct h5_scratch *scratch = *state;
    struct h5_events *events = create(scratch);
    int64_t residual = 0;

    add(events, (struct rlog_record_header){ .type = RLOG_ANCHOR, .count = 1 }, &ANCHOR,
        sizeof(ANCHOR));
    finish(events);
    assert_int_equal(h5_scratch_u64(scratch, "/sync/time", 0), T_NS + 1000000000);
    assert_int_equal(h5_scratch_u64(scratch, "/sync/sample", 0), 100000);
    assert_int_equal(h5_scratch_u64(scratch, "/sync/utc", 0), ANCHOR.utc_ns);
    h5_scratch_read(scratch, "/sync/residual", H5T_NATIVE_INT64, &residual, 1, 0);
    assert_int_equal(residual, -123);
    assert_int_equal(h5_scratch_u64(scratch, "/sync/bound", 0), 40);
    assert_int_equal(h5_scratch_u64(scratch, "/sync/period", 0), 2000 << 20);
    h5_scratch_expect_number(scratch, "/sync/period", "gain", 1.0 / 1048576);
}

static void test_overviews_by_level(void **state)
{
    static const struct rlog_overview ENTRIES[] = {
        {1,  9, 5},
        { 2, 8, 4},
        { 3, 7, 6},
    };
    static const unsigned WINDOWS[] = { 64, 512, 4096, 32768, 262144 };
    struct h5_scratch *scratch = *state;
    struct h5_events *events = create(scratch);

    for (unsigned level = 0; level < RLOG_OVERVIEW_LEVELS; level++) {
        struct rlog_record_header header = { .type = RLOG_OVERVIEW,
                                             .stream = RLOG_STREAM_VOLTAGE,
                                             .flags = (uint16_t)(level << 8),
                                             .count = 3,
                                             .first = 1000 };

        add(events, header, ENTRIES, sizeof(ENTRIES));
        add(events, header, ENTRIES, sizeof(ENTRIES));
    }
    finish(events);
    for (unsigned level = 0; level < RLOG_OVERVIEW_LEVELS; level++) {
        char path[64];
        uint64_t window = WINDOWS[level];

        snprintf(path, sizeof(path), "/overview/voltage/%u/time", WINDOWS[level]);
        assert_int_equal(h5_scratch_rows(scratch, path), 6);
        assert_int_equal(h5_scratch_u64(scratch, path, 0), T_NS + 10000000);
        assert_int_equal(h5_scratch_u64(scratch, path, 2),
                         (uint64_t)T_NS + (1000 + 2 * window) * 10000);
        snprintf(path, sizeof(path), "/overview/voltage/%u/minimum", WINDOWS[level]);
        assert_int_equal(h5_scratch_u64(scratch, path, 1), 2);
        snprintf(path, sizeof(path), "/overview/voltage/%u/maximum", WINDOWS[level]);
        assert_int_equal(h5_scratch_u64(scratch, path, 1), 8);
        snprintf(path, sizeof(path), "/overview/voltage/%u/mean", WINDOWS[level]);
        assert_int_equal(h5_scratch_u64(scratch, path, 1), 4);
        h5_scratch_expect_number(scratch, path, "gain", 2e-5);
        h5_scratch_expect_text(scratch, path, "unit", "V");
    }
    assert_false(h5_has(scratch->file, "/overview/current"));
}

static void test_malformed_records_name_their_place(void **state)
{
    static const struct {
        struct rlog_record_header header;
        size_t size;
        const char *what;
    } CASES[] = {
        {{ .type = RLOG_EDGES, .count = 100 },                                          99, "edges"   },
        { { .type = RLOG_EDGES, .count = UINT32_MAX },                                  99, "edges"   },
        { { .type = RLOG_GAP, .count = 1 },                                             23, "gap"     },
        { { .type = RLOG_GAP, .count = 1 },                                             48, "gap"     },
        { { .type = RLOG_ANCHOR, .count = 1 },                                          31, "anchor"  },
        { { .type = RLOG_OVERVIEW, .stream = 1, .count = 2 },                           12, "overview"},
        { { .type = RLOG_OVERVIEW, .stream = 1, .count = 0x55555556 },                  8,  "overview"},
        { { .type = RLOG_OVERVIEW, .stream = 1, .flags = 5 << 8, .count = 1 },          12, "overview"},
        { { .type = RLOG_OVERVIEW, .stream = RLOG_STREAM_STORAGE_VOLTAGE, .count = 1 },
         12,                                                                                "overview"},
        { { .type = RLOG_OVERVIEW, .stream = 255, .count = 1 },                         12, "overview"},
        { { .type = RLOG_TEXT },                                                        12, "event"   },
        { { .type = 0 },                                                                0,  "event"   },
    };
    struct h5_events *events = create(*state);
    uint8_t zeros[128] = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct err err = { 0 };
        char wanted[80];

        snprintf(wanted, sizeof(wanted), "segment 2, byte 64: malformed %s", CASES[i].what);
        assert_int_equal(try_add(events, CASES[i].header, zeros, CASES[i].size, &err), -1);
        assert_int_equal(err.code, ERR_CORRUPT);
        assert_string_equal(err.text, wanted);
    }
    assert_int_equal(h5_events_gaps(events), 0);
    assert_int_equal(h5_events_edges(events), 0);
    finish(events);
}

static void test_edges_that_do_not_decode_are_refused(void **state)
{
    struct h5_events *events = create(*state);
    uint8_t junk[64];
    struct err err = { 0 };

    memset(junk, 0xFF, sizeof(junk));
    assert_int_equal(try_add(events,
                             (struct rlog_record_header){ .type = RLOG_EDGES, .count = 20 },
                             junk, sizeof(junk), &err),
                     -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_int_equal(h5_events_edges(events), 0);
    finish(events);
}

static void test_a_group_that_is_taken_is_named(void **state)
{
    struct h5_scratch *scratch = *state;
    struct rlog_manifest *manifest = calloc(1, sizeof(*manifest));
    struct err err = { 0 };

    assert_non_null(manifest);
    h5_scratch_group(scratch, "/gaps");
    assert_null(h5_events_create(scratch->file, scratch->packer, manifest, STREAMS, &err));
    assert_int_equal(strncmp(err.text, "group /gaps: ", 13), 0);
    free(manifest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_H5_SCRATCH(test_edges_come_back),
        cmocka_unit_test(test_pins_are_named),
        WITH_H5_SCRATCH(test_without_pins_an_edge_is_malformed),
        WITH_H5_SCRATCH(test_gaps_have_nominal_times),
        cmocka_unit_test(test_holes_that_gaps_explain_are_no_news),
        WITH_H5_SCRATCH(test_an_underrun_explains_nothing),
        WITH_H5_SCRATCH(test_many_gaps_are_remembered),
        WITH_H5_SCRATCH(test_anchors),
        WITH_H5_SCRATCH(test_overviews_by_level),
        WITH_H5_SCRATCH(test_malformed_records_name_their_place),
        WITH_H5_SCRATCH(test_edges_that_do_not_decode_are_refused),
        WITH_H5_SCRATCH(test_a_group_that_is_taken_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
