/* SPDX-License-Identifier: MIT */
#include "sheep/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_BYTES = 8192, /* one read of kmsg gives one record, at most this long */
    LINES_AT_ONCE = 32,
    LEVEL_WARNING = 30,
    PRIORITY_MASK = 7
};

struct monitor_kernel {
    struct monitor_out out;
    int fd;
    uint64_t next_sequence;
    bool has_sequence;
};

struct monitor_kernel *monitor_kernel_create(const char *path, const struct monitor_out *out,
                                             struct err *err)
{
    struct monitor_kernel *kernel = calloc(1, sizeof(*kernel));

    if (kernel == NULL) {
        err_set(err, ERR_MEMORY, "kernel log");
        return NULL;
    }
    kernel->out = *out;
    kernel->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (kernel->fd < 0 || lseek(kernel->fd, 0, SEEK_END) < 0) {
        err_set_errno(err, "%s", path);
        monitor_kernel_destroy(&kernel);
        return NULL;
    }
    return kernel;
}

void monitor_kernel_destroy(struct monitor_kernel **kernel_p)
{
    struct monitor_kernel *kernel = *kernel_p;

    if (kernel == NULL) {
        return;
    }
    if (kernel->fd >= 0) {
        close(kernel->fd);
    }
    free(kernel);
    *kernel_p = NULL;
}

int monitor_kernel_fd(const struct monitor_kernel *kernel)
{
    return kernel->fd;
}

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
        || !take_number(&at, end, &microseconds)) {
        return false;
    }
    parsed->level = (uint32_t)(priority & PRIORITY_MASK);
    parsed->since_boot_us = (int64_t)microseconds;
    parsed->text = semicolon + 1;
    newline = memchr(parsed->text, '\n', (size_t)(end - parsed->text));
    parsed->size = (size_t)((newline == NULL ? end : newline) - parsed->text);
    return true;
}

/* The kernel stamps with its local clock, which stands still in suspend and does not step: it
 * runs beside CLOCK_MONOTONIC, so that its age is exact as long as nothing slept since. */
static int64_t utc_of(const struct monitor_kernel *kernel, int64_t since_boot_us)
{
    int64_t age_ns = clock_mono(&kernel->out.clock) - since_boot_us * NS_PER_US;

    return clock_utc(&kernel->out.clock) - (age_ns > 0 ? age_ns : 0);
}

static void take_line(struct monitor_kernel *kernel, const char *line, size_t size)
{
    struct kmsg_line parsed;
    char text[80];

    if (!kmsg_parse(line, size, &parsed)) {
        return;
    }
    int64_t utc_ns = utc_of(kernel, parsed.since_boot_us);

    if (kernel->has_sequence && parsed.sequence != kernel->next_sequence) {
        snprintf(text, sizeof(text), "kernel log: %llu lines are missing",
                 (unsigned long long)(parsed.sequence - kernel->next_sequence));
        monitor_text(&kernel->out, RLOG_STREAM_SHEEP, LEVEL_WARNING, utc_ns, text,
                     strlen(text));
    }
    kernel->has_sequence = true;
    kernel->next_sequence = parsed.sequence + 1;
    monitor_text(&kernel->out, RLOG_STREAM_KERNEL, parsed.level, utc_ns, parsed.text,
                 parsed.size);
}

void monitor_kernel_ready(struct monitor_kernel *kernel)
{
    char line[LINE_BYTES];

    for (int i = 0; i < LINES_AT_ONCE; i++) {
        ssize_t size = read(kernel->fd, line, sizeof(line));

        if (size > 0) {
            take_line(kernel, line, (size_t)size);
        } else if (size < 0 && errno == EPIPE) {
            continue; /* overwritten before it was read; the sequence number tells how much */
        } else {
            if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
                close(kernel->fd);
                kernel->fd = -1;
            }
            return;
        }
    }
}
