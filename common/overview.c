/* SPDX-License-Identifier: MIT */
#include "common/overview.h"

#include <string.h>

/* Of RLOG_OVERVIEW_WINDOW and RLOG_OVERVIEW_FACTOR. */
enum {
    WINDOW_SHIFT = 6,
    FACTOR_SHIFT = 3
};

_Static_assert(RLOG_OVERVIEW_WINDOW == 1 << WINDOW_SHIFT, "window");
_Static_assert(RLOG_OVERVIEW_FACTOR == 1 << FACTOR_SHIFT, "factor");

/* What is added to a level: one or many samples at once. */
struct summary {
    uint64_t sum;
    uint64_t n_samples;
    uint32_t minimum;
    uint32_t maximum;
};

void overview_init(struct overview *overview, enum rlog_stream stream, overview_emit_fn emit,
                   void *arg)
{
    memset(overview, 0, sizeof(*overview));
    overview->stream = (uint8_t)stream;
    overview->emit = emit;
    overview->arg = arg;
    for (unsigned i = 0; i < RLOG_OVERVIEW_LEVELS; i++) {
        overview->levels[i].shift = WINDOW_SHIFT + i * FACTOR_SHIFT;
    }
}

static void emit_level(struct overview *overview, unsigned number)
{
    struct overview_level *level = &overview->levels[number];
    struct rlog_record_header header = { .type = RLOG_OVERVIEW,
                                         .stream = overview->stream,
                                         .flags = (uint16_t)(number << 8),
                                         .count = level->count,
                                         .first = level->first_index << level->shift };

    if (level->count > 0) {
        overview->emit(overview->arg, &header, level->entries);
    }
    level->count = 0;
}

static void add_summary(struct overview *overview, unsigned number, uint64_t first_sample,
                        const struct summary *part);

static uint32_t mean_of(const struct overview_level *level)
{
    uint64_t sum = level->sum + level->n_samples / 2;

    return (uint32_t)(level->n_samples == UINT64_C(1) << level->shift ? sum >> level->shift
                                                                      : sum / level->n_samples);
}

/* The entry that grew is complete: into the buffer, and into the next level. */
static void close_entry(struct overview *overview, unsigned number)
{
    struct overview_level *level = &overview->levels[number];
    struct summary part = { level->sum, level->n_samples, level->minimum, level->maximum };

    if (level->n_samples == 0) {
        return;
    }
    if (level->count > 0 && level->index != level->first_index + level->count) {
        emit_level(overview, number);
    }
    if (level->count == 0) {
        level->first_index = level->index;
    }
    level->entries[level->count++] = (struct rlog_overview){
        .minimum = level->minimum,
        .maximum = level->maximum,
        .mean = mean_of(level),
    };
    level->n_samples = 0;
    if (number + 1 < RLOG_OVERVIEW_LEVELS) {
        add_summary(overview, number + 1, level->index << level->shift, &part);
    }
    if (level->count == OVERVIEW_ROOM) {
        emit_level(overview, number);
    }
}

static void add_summary(struct overview *overview, unsigned number, uint64_t first_sample,
                        const struct summary *part)
{
    struct overview_level *level = &overview->levels[number];
    uint64_t index = first_sample >> level->shift;

    if (index != level->index) {
        close_entry(overview, number);
        level->index = index;
    }
    if (level->n_samples == 0) {
        level->sum = 0;
        level->minimum = part->minimum;
        level->maximum = part->maximum;
    }
    level->sum += part->sum;
    level->n_samples += part->n_samples;
    level->minimum = part->minimum < level->minimum ? part->minimum : level->minimum;
    level->maximum = part->maximum > level->maximum ? part->maximum : level->maximum;
}

/* Of at most a window of level 0; halves are summed, so that lanes of 32 bits suffice. */
static struct summary summarize(const uint32_t *samples, size_t count)
{
    uint32_t low = 0;
    uint32_t high = 0;
    uint32_t minimum = samples[0];
    uint32_t maximum = samples[0];

    for (size_t i = 0; i < count; i++) {
        low += samples[i] & 0xFFFF;
        high += samples[i] >> 16;
        minimum = samples[i] < minimum ? samples[i] : minimum;
        maximum = samples[i] > maximum ? samples[i] : maximum;
    }
    return (struct summary){ ((uint64_t)high << 16) + low, count, minimum, maximum };
}

/* Entries whose window has passed are complete although nothing came behind them yet. */
static void close_passed(struct overview *overview, uint64_t next_sample)
{
    for (unsigned i = 0; i < RLOG_OVERVIEW_LEVELS; i++) {
        struct overview_level *level = &overview->levels[i];

        if (next_sample >> level->shift > level->index) {
            close_entry(overview, i);
        }
    }
}

void overview_add(struct overview *overview, uint64_t first, const uint32_t *samples,
                  size_t count)
{
    uint64_t next = first;
    size_t at = 0;

    while (at < count) {
        size_t room = RLOG_OVERVIEW_WINDOW - (size_t)(next % RLOG_OVERVIEW_WINDOW);
        size_t part_size = count - at < room ? count - at : room;
        struct summary part = summarize(samples + at, part_size);

        add_summary(overview, 0, next, &part);
        at += part_size;
        next += part_size;
        if (next % RLOG_OVERVIEW_WINDOW == 0) {
            close_passed(overview, next);
        }
    }
}

void overview_flush(struct overview *overview)
{
    for (unsigned i = 0; i < RLOG_OVERVIEW_LEVELS; i++) {
        emit_level(overview, i);
    }
}

void overview_finish(struct overview *overview)
{
    for (unsigned i = 0; i < RLOG_OVERVIEW_LEVELS; i++) {
        close_entry(overview, i);
    }
    overview_flush(overview);
}
