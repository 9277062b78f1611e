/* SPDX-License-Identifier: MIT */
/* The newest of a log that grows: overviews of one level, pins, and nothing that is not
 * durable. */
#include "sheep/log_tail.h"

#include "common/gpio_codec.h"
#include "tests/support/caught.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct bench {
    char folder[64];
    char log[80];
    struct rlog_writer *writer;
    struct log_tail *tail;
};

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    static struct rlog_manifest manifest; /* large */
    struct rlog_position begin = { 0 };
    struct err err = { 0 };

    assert_non_null(bench);
    schema_defaults(&node_config_schema, &manifest.config);
    snprintf(manifest.experiment_name, sizeof(manifest.experiment_name), "test");
    snprintf(manifest.node, sizeof(manifest.node), "sheep0");
    snprintf(manifest.datatype, sizeof(manifest.datatype), "ivsample");
    manifest.n_planned = 123;
    manifest.voltage.gain = 1;
    manifest.current.gain = 1;
    caught_make_folder("tail", bench->folder, sizeof(bench->folder));
    snprintf(bench->log, sizeof(bench->log), "%s/run.rlog", bench->folder);
    bench->writer = rlog_writer_create(bench->log, &manifest, &err);
    assert_non_null(bench->writer);
    bench->tail = log_tail_open(bench->log, &begin, &err);
    if (bench->tail == NULL) {
        fail_msg("%s", err.text);
    }
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    log_tail_close(&bench->tail);
    log_tail_close(&bench->tail);
    rlog_writer_destroy(&bench->writer);
    caught_remove_folder(bench->folder);
    free(bench);
    return 0;
}

static void append(struct bench *bench, struct rlog_record_header header, const void *payload,
                   size_t size)
{
    struct err err = { 0 };

    if (rlog_writer_append(bench->writer, header, payload, size, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

static void sync_log(struct bench *bench)
{
    struct err err = { 0 };

    assert_int_equal(rlog_writer_sync(bench->writer, &err), 0);
}

/* Entries first, first + 1, ... of windows; entry n has the mean n. */
static void append_overview(struct bench *bench, unsigned stream, unsigned level,
                            uint64_t first, uint32_t count)
{
    struct rlog_overview entries[LOG_TAIL_ENTRIES * 2];
    struct rlog_record_header header = { .type = RLOG_OVERVIEW,
                                         .stream = (uint8_t)stream,
                                         .flags = (uint16_t)(level << 8),
                                         .first = first * LOG_TAIL_WINDOW,
                                         .count = count };

    for (uint32_t i = 0; i < count; i++) {
        entries[i] = (struct rlog_overview){ 0, 9999, (uint32_t)first + i };
    }
    append(bench, header, entries, count * sizeof(entries[0]));
}

static const struct log_tail_news *read_news(struct bench *bench)
{
    struct rlog_position durable = rlog_writer_durable(bench->writer);
    const struct log_tail_news *news = NULL;
    struct err err = { 0 };

    if (log_tail_read(bench->tail, &durable, &news, &err) < 0) {
        fail_msg("%s", err.text);
    }
    return news;
}

static void test_entries_come_once_and_only_when_durable(void **state)
{
    struct bench *bench = *state;
    const struct log_tail_news *news = NULL;

    assert_int_equal(log_tail_manifest(bench->tail)->n_planned, 123);
    append_overview(bench, RLOG_STREAM_CURRENT, LOG_TAIL_LEVEL, 4, 3);
    news = read_news(bench);
    assert_int_equal(news->streams[1].count, 0);
    sync_log(bench);
    news = read_news(bench);
    assert_int_equal(news->streams[0].count, 0);
    assert_int_equal(news->streams[1].count, 3);
    assert_int_equal(news->streams[1].first, 4 * LOG_TAIL_WINDOW);
    assert_int_equal(news->streams[1].entries[2].mean, 6);
    news = read_news(bench);
    assert_int_equal(news->streams[1].count, 0);
}

static void test_other_levels_streams_and_records_are_passed_over(void **state)
{
    struct bench *bench = *state;
    uint32_t samples[1000] = { 0 };

    append_overview(bench, RLOG_STREAM_VOLTAGE, LOG_TAIL_LEVEL - 1, 1, 5);
    append_overview(bench, RLOG_STREAM_VOLTAGE + LOG_TAIL_STREAMS, LOG_TAIL_LEVEL, 1, 5);
    append(bench,
           (struct rlog_record_header){
               .type = RLOG_SAMPLES, .stream = RLOG_STREAM_VOLTAGE, .count = 1000 },
           samples, sizeof(samples));
    append_overview(bench, RLOG_STREAM_VOLTAGE, LOG_TAIL_LEVEL, 7, 1);
    sync_log(bench);
    const struct log_tail_news *news = read_news(bench);

    assert_int_equal(news->streams[0].count, 1);
    assert_int_equal(news->streams[0].entries[0].mean, 7);
}

static void test_the_oldest_go_and_a_hole_begins_anew(void **state)
{
    struct bench *bench = *state;
    const struct log_tail_news *news = NULL;

    append_overview(bench, RLOG_STREAM_VOLTAGE, LOG_TAIL_LEVEL, 0, LOG_TAIL_ENTRIES);
    append_overview(bench, RLOG_STREAM_VOLTAGE, LOG_TAIL_LEVEL, LOG_TAIL_ENTRIES, 10);
    sync_log(bench);
    news = read_news(bench);
    assert_int_equal(news->streams[0].count, LOG_TAIL_ENTRIES);
    assert_int_equal(news->streams[0].first, 10 * LOG_TAIL_WINDOW);
    assert_int_equal(news->streams[0].entries[LOG_TAIL_ENTRIES - 1].mean, LOG_TAIL_ENTRIES + 9);
    append_overview(bench, RLOG_STREAM_VOLTAGE, LOG_TAIL_LEVEL, 100, 2);
    append_overview(bench, RLOG_STREAM_VOLTAGE, LOG_TAIL_LEVEL, 200, 1);
    sync_log(bench);
    news = read_news(bench);
    assert_int_equal(news->streams[0].count, 1);
    assert_int_equal(news->streams[0].first, 200 * LOG_TAIL_WINDOW);
}

static void test_the_last_edge_is_the_state_of_the_pins(void **state)
{
    struct bench *bench = *state;
    const struct gpio_edge edges[] = {
        {1000,  0x001},
        { 2000, 0x201},
        { 2500, 0x200}
    };
    uint8_t payload[256];
    size_t size = gpio_codec_encode(edges, 3, payload, sizeof(payload));
    const uint8_t nonsense[16] = { 0xFF, 0xFF, 0xFF };

    assert_false(read_news(bench)->has_gpio);
    append(bench, (struct rlog_record_header){ .type = RLOG_EDGES, .count = 3 }, payload, size);
    append(bench, (struct rlog_record_header){ .type = RLOG_EDGES, .count = 3 }, nonsense,
           sizeof(nonsense));
    sync_log(bench);
    const struct log_tail_news *news = read_news(bench);

    assert_true(news->has_gpio);
    assert_int_equal(news->gpio, 0x200);
    assert_int_equal(news->gpio_ns, 2500);
    assert_int_equal(news->n_edges, 3);
}

static void test_a_log_that_is_no_longer_there_is_an_error(void **state)
{
    struct bench *bench = *state;
    struct rlog_position durable;
    const struct log_tail_news *news = NULL;
    struct log_tail *none = NULL;
    struct err err = { 0 };
    char path[128];

    append_overview(bench, RLOG_STREAM_VOLTAGE, LOG_TAIL_LEVEL, 0, 1);
    sync_log(bench);
    durable = rlog_writer_durable(bench->writer);
    rlog_segment_path(bench->log, 0, path, sizeof(path));
    assert_int_equal(truncate(path, 40), 0);
    assert_int_equal(log_tail_read(bench->tail, &durable, &news, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    none = log_tail_open("/nonexistent.rlog", &durable, &err);
    assert_null(none);
    log_tail_close(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_entries_come_once_and_only_when_durable, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_other_levels_streams_and_records_are_passed_over,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_oldest_go_and_a_hole_begins_anew, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_the_last_edge_is_the_state_of_the_pins, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_log_that_is_no_longer_there_is_an_error, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
