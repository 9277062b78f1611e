/* SPDX-License-Identifier: MIT */
/* A tree that stands in for /proc and /sys, and a monitor's rows as text. */
#ifndef TESTS_SUPPORT_FAKE_TREE_H
#define TESTS_SUPPORT_FAKE_TREE_H

#include "sheep/monitor.h"
#include "tests/support/temp_folder.h"

enum {
    FAKE_TREE_TEXT = 16384
};

struct fake_tree {
    char root[TEMP_FOLDER_SIZE];
    struct monitor_out out;    /* its clock is stepped by the two below */
    char said[FAKE_TREE_TEXT]; /* lines of the node's log */
    /* "TIME NAME VALUE\n" in units, TIME in ms since the start; SYS_UTIL: "TIME row V V ...\n"
     */
    char values[FAKE_TREE_TEXT];
    unsigned n_rows;
    struct {
        char name[64];
        double gain, offset;
    } named[2][64]; /* of the streams system and iio */
};

/* As cmocka's setup and teardown. */
int fake_tree_set_up(void **state);
int fake_tree_tear_down(void **state);

/* Writes ROOT/PATH and the folders above it. */
void fake_tree_write(const struct fake_tree *tree, const char *path, const char *text);
void fake_tree_remove(const struct fake_tree *tree, const char *path);

void fake_tree_step_ms(int64_t ms);
/* Every reading of the clock takes so long. */
void fake_tree_slow_ns(int64_t ns);
void fake_tree_forget(struct fake_tree *tree); /* said and values */

#endif
