/* SPDX-License-Identifier: MIT */
#include "sheep/kmsg_time.h"

#include "common/clock.h"

#include <string.h>

enum {
    PRIORITY_MASK = 7,
    PARTS_PER_M = 1000000,
    DRIFT_PPM = 500 /* the most that the kernel slews, adjtimex(2) */
};

static const char LAST_AWAKE[] = "Suspending console"; /* kernel/printk/printk.c */

static bool take_number(const char **at, const char *end, uint64_t *value)
{
    const char *first = *at;

    *value = 0;
    while (*at < end && **at >= '0' && **at <= '9' && *value < UINT64_MAX / 20) {
        *value = *value * 10 + (uint64_t)(**at - '0');
        (*at)++;
    }
    return *at > first && *at < end && (**at == ',' || **at == ';');
}

bool kmsg_parse(const char *line, size_t size, struct kmsg_line *parsed)
{
    const char *at = line;
    const char *end = line + size;
    const char *semicolon = memchr(line, ';', size);
    uint64_t priority = 0;
    uint64_t microseconds = 0;
    const char *newline = NULL;

    if (semicolon == NULL || !take_number(&at, end, &priority) || *at++ != ','
        || !take_number(&at, end, &parsed->sequence) || *at++ != ','
        || !take_number(&at, end, &microseconds) || microseconds > INT64_MAX / 1000) {
        return false;
    }
    parsed->level = (uint32_t)(priority & PRIORITY_MASK);
    parsed->since_boot_us = (int64_t)microseconds;
    parsed->text = semicolon + 1;
    newline = memchr(parsed->text, '\n', (size_t)(end - parsed->text));
    parsed->size = (size_t)((newline == NULL ? end : newline) - parsed->text);
    return true;
}

void kmsg_time_look(struct kmsg_time *time, const struct kmsg_now *now)
{
    int64_t slept_ns = now->slept_ns - time->looked_slept_ns;

    /* Two reads of two clocks differ by what came between; no suspend is that short. */
    if (time->has_looked && slept_ns > NS_PER_MS) {
        time->sleep_ns = slept_ns;
        time->sleep_after_ns = time->looked_mono_ns;
        time->sleep_by_ns = now->mono_ns;
        time->is_sleep_seen = false;
        time->looked_slept_ns = now->slept_ns;
    }
    if (!time->has_looked) {
        time->looked_slept_ns = now->slept_ns;
    }
    time->has_looked = true;
    time->looked_mono_ns = now->mono_ns;
}

static void learn(struct kmsg_time *time, int64_t now_ns, int64_t stamp_ns)
{
    int64_t seen_ns = now_ns - stamp_ns;
    int64_t drift_ns = (now_ns - time->learnt_mono_ns) / PARTS_PER_M * DRIFT_PPM;

    if (!time->has_offset || seen_ns < time->offset_ns + drift_ns) {
        time->offset_ns = seen_ns;
    } else {
        time->offset_ns += drift_ns;
    }
    time->learnt_mono_ns = now_ns;
    time->has_offset = true;
}

static bool is_before_sleep(struct kmsg_time *time, int64_t mono_ns,
                            const struct kmsg_line *line)
{
    bool is_before = mono_ns <= time->sleep_after_ns
                     || (mono_ns <= time->sleep_by_ns && !time->is_sleep_seen);

    if (is_before
        && memmem(line->text, line->size, LAST_AWAKE, sizeof(LAST_AWAKE) - 1) != NULL) {
        time->is_sleep_seen = true;
    }
    return is_before;
}

int64_t kmsg_time_utc(struct kmsg_time *time, const struct kmsg_now *now,
                      const struct kmsg_line *line)
{
    int64_t stamp_ns = line->since_boot_us * NS_PER_US;
    int64_t mono_ns = 0;
    int64_t age_ns = 0;

    learn(time, now->mono_ns, stamp_ns);
    mono_ns = stamp_ns + time->offset_ns;
    age_ns = now->mono_ns - mono_ns;
    if (time->sleep_ns > 0 && is_before_sleep(time, mono_ns, line)) {
        age_ns += time->sleep_ns;
    }
    return now->utc_ns - age_ns;
}
