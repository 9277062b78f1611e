/* SPDX-License-Identifier: MIT */
#include "sheep/monitor.h"

#include "sheep/kmsg_time.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_BYTES = 8192, /* one read of kmsg gives one record, at most this long */
    LINES_AT_ONCE = 32
};

struct monitor_kernel {
    struct monitor_out out;
    int fd;
    uint64_t next_sequence;
    bool has_sequence;
    struct kmsg_time time;
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

static struct kmsg_now read_clocks(const struct monitor_kernel *kernel)
{
    struct timespec boot = { 0 };
    struct kmsg_now now = { .utc_ns = clock_utc(&kernel->out.clock),
                            .mono_ns = clock_mono(&kernel->out.clock) };

    clock_gettime(CLOCK_BOOTTIME, &boot);
    now.slept_ns = (int64_t)boot.tv_sec * NS_PER_S + boot.tv_nsec - clock_mono_ns();
    return now;
}

void monitor_kernel_tick(struct monitor_kernel *kernel)
{
    struct kmsg_now now = read_clocks(kernel);

    kmsg_time_look(&kernel->time, &now);
}

static void take_line(struct monitor_kernel *kernel, const char *line, size_t size)
{
    struct kmsg_now now = read_clocks(kernel);
    struct kmsg_line parsed;
    char text[80];

    if (!kmsg_parse(line, size, &parsed)) {
        return;
    }
    int64_t utc_ns = kmsg_time_utc(&kernel->time, &now, &parsed);

    if (kernel->has_sequence && parsed.sequence > kernel->next_sequence) {
        snprintf(text, sizeof(text), "kernel log: %llu lines are missing",
                 (unsigned long long)(parsed.sequence - kernel->next_sequence));
        monitor_text(&kernel->out, RLOG_STREAM_SHEEP, MONITOR_WARNING, utc_ns, text,
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

    monitor_kernel_tick(kernel);
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
