/* SPDX-License-Identifier: MIT */
#include "tests/support/fake_tree.h"

#include "common/channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const int64_t UTC_NS = INT64_C(1800000000) * 1000000000;

static int64_t since_ns; /* the start */
static int64_t slow_ns;

static int64_t utc(const struct clock *clock)
{
    (void)clock;
    since_ns += slow_ns;
    return UTC_NS + since_ns;
}

static int64_t mono(const struct clock *clock)
{
    (void)clock;
    since_ns += slow_ns;
    return 1000 * NS_PER_S + since_ns;
}

void fake_tree_step_ms(int64_t ms)
{
    since_ns += ms * NS_PER_MS;
}

void fake_tree_slow_ns(int64_t ns)
{
    slow_ns = ns;
}

/* Appends a line, as far as there is room. */
static void append(char *text, const char *line)
{
    size_t length = strlen(text);

    assert_true(length + strlen(line) + 2 < FAKE_TREE_TEXT);
    snprintf(text + length, FAKE_TREE_TEXT - length, "%s\n", line);
}

static void hear_pairs(struct fake_tree *tree, const struct recorder_row *row, size_t stream)
{
    assert_int_equal(row->count % 2, 0);
    for (uint32_t i = 0; i < row->count; i += 2) {
        int64_t pair[2];
        char line[128];

        memcpy(pair, row->payload + i * sizeof(int64_t), sizeof(pair));
        assert_in_range(pair[0], 0, CHANNEL_MAX - 1);
        assert_int_not_equal(tree->named[stream][pair[0]].name[0], '\0');
        snprintf(line, sizeof(line), "%.6g %s %.9g", (double)(row->utc_ns - UTC_NS) / 1e6,
                 tree->named[stream][pair[0]].name,
                 (double)pair[1] * tree->named[stream][pair[0]].gain
                     + tree->named[stream][pair[0]].offset);
        append(tree->values, line);
    }
}

static void hear_columns(struct fake_tree *tree, const struct recorder_row *row)
{
    char line[256];
    int length = snprintf(line, sizeof(line), "%.6g row", (double)(row->utc_ns - UTC_NS) / 1e6);

    for (uint32_t i = 0; i < row->count; i++) {
        int64_t value = 0;

        memcpy(&value, row->payload + i * sizeof(value), sizeof(value));
        length +=
            snprintf(line + length, sizeof(line) - (size_t)length, " %lld", (long long)value);
    }
    append(tree->values, line);
}

static void hear_name(struct fake_tree *tree, const struct recorder_row *row, size_t stream)
{
    struct channel channel;

    assert_true(channel_decode(&channel, row->payload, row->size));
    assert_true(row->count < CHANNEL_MAX);
    snprintf(tree->named[stream][row->count].name, sizeof(tree->named[0][0].name), "%s/%s",
             channel.name, channel.unit);
    tree->named[stream][row->count].gain = channel.gain;
    tree->named[stream][row->count].offset = channel.offset;
}

static bool hear(void *arg, struct recorder_row *row)
{
    struct fake_tree *tree = arg;
    size_t stream = row->stream == RLOG_STREAM_IIO ? 1 : 0;
    char text[RECORDER_ROW_BYTES + 1];

    if (row->stream == RLOG_STREAM_SHEEP) {
        snprintf(text, sizeof(text), "%.*s", (int)row->size, (const char *)row->payload);
        append(tree->said, text);
    } else if (row->stream == RLOG_STREAM_SYS_UTIL) {
        hear_columns(tree, row);
    } else if (row->type == RLOG_TEXT) {
        hear_name(tree, row, stream);
    } else {
        hear_pairs(tree, row, stream);
    }
    tree->n_rows++;
    return true;
}

int fake_tree_set_up(void **state)
{
    struct fake_tree *tree = calloc(1, sizeof(*tree));

    assert_non_null(tree);
    temp_folder_make(tree->root);
    since_ns = 0;
    slow_ns = 0;
    tree->out = (struct monitor_out){
        .clock = {.utc_ns = utc, .mono_ns = mono},
          .post = hear, .arg = tree
    };
    *state = tree;
    return 0;
}

int fake_tree_tear_down(void **state)
{
    struct fake_tree *tree = *state;

    temp_folder_remove(tree->root);
    free(tree);
    return 0;
}

void fake_tree_write(const struct fake_tree *tree, const char *path, const char *text)
{
    char folder[TEMP_PATH_SIZE];

    temp_folder_path(tree->root, path, folder);
    for (char *at = folder + strlen(tree->root) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        mkdir(folder, 0755);
        *at = '/';
    }
    temp_folder_write(tree->root, path, text);
}

void fake_tree_remove(const struct fake_tree *tree, const char *path)
{
    char full[TEMP_PATH_SIZE];

    temp_folder_path(tree->root, path, full);
    assert_int_equal(unlink(full), 0);
}

void fake_tree_forget(struct fake_tree *tree)
{
    tree->said[0] = '\0';
    tree->values[0] = '\0';
    tree->n_rows = 0;
}
