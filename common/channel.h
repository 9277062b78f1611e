/* SPDX-License-Identifier: MIT */
/* Named channels of a log's stream: what a machine has of sensors and counters differs from one
 * to the next, so the log names them itself.
 *
 * RLOG_TEXT with the channel's number as count says what it is; RLOG_ROW holds pairs of number
 * and value. A number may be given anew (an agent that started again), a name stays. */
#ifndef COMMON_CHANNEL_H
#define COMMON_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>

enum {
    CHANNEL_NAME_SIZE = 48, /* letters, digits, '.', '_', '-', ':'; the first no sign */
    CHANNEL_UNIT_SIZE = 16, /* printable ASCII */
    CHANNEL_TEXT_SIZE = 160,
    CHANNEL_MAX = 64 /* of a stream; numbers are below */
};

/* Value in its unit = stored number * gain + offset. */
struct channel {
    char name[CHANNEL_NAME_SIZE];
    char unit[CHANNEL_UNIT_SIZE];
    double gain;
    double offset;
};

/* "GAIN OFFSET UNIT NAME"; returns its length. */
size_t channel_encode(const struct channel *channel, char text[CHANNEL_TEXT_SIZE]);

/* False when it is not such a text; it may come from anywhere. */
bool channel_decode(struct channel *channel, const void *text, size_t size);

/* A name of what a driver calls itself: other characters become '-'. */
void channel_set_name(struct channel *channel, const char *kind, const char *name);

#endif
