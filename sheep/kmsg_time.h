/* SPDX-License-Identifier: MIT */
/* UTC of a line of the kernel's log. Pure.
 *
 * The kernel stamps with its scheduler's clock: that one does not step, stands still in a
 * suspend as CLOCK_MONOTONIC does, but is not slewed with it: at 50 ppm they part by 4 s a day.
 * So the difference is learnt: a line cannot be read before it was written, and is mostly read
 * within a millisecond; the least difference of late is the true one. The line's age then leads
 * to UTC by the clock as it is when the line is read: after a step, on the new scale. */
#ifndef SHEEP_KMSG_TIME_H
#define SHEEP_KMSG_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One line of kmsg, "priority,sequence,microseconds,flags;text"; false when it is none.
 * *text points into line. */
struct kmsg_line {
    uint32_t level;
    uint64_t sequence;
    int64_t since_boot_us;
    const char *text;
    size_t size;
};
bool kmsg_parse(const char *line, size_t size, struct kmsg_line *parsed);

/* All clocks, read at once. */
struct kmsg_now {
    int64_t utc_ns;
    int64_t mono_ns;
    int64_t slept_ns; /* CLOCK_BOOTTIME less CLOCK_MONOTONIC */
};

/* {0} at the start. */
struct kmsg_time {
    int64_t offset_ns; /* CLOCK_MONOTONIC less the kernel's stamp */
    int64_t learnt_mono_ns;
    bool has_offset;
    bool has_looked;
    int64_t looked_mono_ns;
    int64_t looked_slept_ns;
    int64_t sleep_ns;       /* how long the last suspend was; 0: none yet */
    int64_t sleep_after_ns; /* it came within these two, CLOCK_MONOTONIC */
    int64_t sleep_by_ns;
    bool is_sleep_seen; /* the kernel's last line before it was dated */
};

/* Every second and before lines are read, so that a suspend is found and known to the second:
 * the lines of that second are before it up to the one that says "Suspending console". */
void kmsg_time_look(struct kmsg_time *time, const struct kmsg_now *now);

int64_t kmsg_time_utc(struct kmsg_time *time, const struct kmsg_now *now,
                      const struct kmsg_line *line);

#endif
