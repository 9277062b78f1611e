/* SPDX-License-Identifier: MIT */
/* Monitors: what happens on a node beside the samples, as rows for the recording.
 *
 * One thread of the agent waits for all of them; a source that is missing says so once, in the
 * node's own stream, and the run goes on. Rows go out through the callback, which must not
 * block. */
#ifndef SHEEP_MONITOR_H
#define SHEEP_MONITOR_H

#include "common/clock.h"
#include "common/err.h"
#include "common/experiment.h"
#include "sheep/recorder_ipc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Hands a row to the recorder; false when it was dropped. Called from the monitors' thread. */
typedef bool (*monitor_post_fn)(void *arg, struct recorder_row *row);

struct time_sources;

struct monitors_options {
    const struct log_config *log;    /* what is on; copied */
    struct clock clock;              /* the node's */
    const char *uart_path;           /* the target's serial line; NULL: none */
    const char *root;                /* in front of /proc and /sys; NULL: none */
    int recorder_pid;                /* 0: unknown */
    const struct time_sources *time; /* loan until create returns; see monitor_time.h */
    monitor_post_fn post;
    void *arg;
};

struct monitors;

/* Starts the thread, or gives NULL without an error when everything is off. */
struct monitors *monitors_create(const struct monitors_options *options, struct err *err);
void monitors_destroy(struct monitors **monitors);

/* Levels of the node's own log, as the incumbent counts: also 10 debug, 40 error. */
enum {
    MONITOR_INFO = 20,
    MONITOR_WARNING = 30
};

/* A line of the node's own log; any thread, harmless on NULL. */
void monitors_say(struct monitors *monitors, uint32_t level, const char *text);

/* ---- for the monitors themselves ---- */

struct monitor_out {
    struct clock clock;
    monitor_post_fn post;
    void *arg;
};

/* Text longer than a row is cut into several with one stamp. */
void monitor_text(const struct monitor_out *out, enum rlog_stream stream, uint32_t level,
                  int64_t utc_ns, const void *text, size_t size);
void monitor_values(const struct monitor_out *out, enum rlog_stream stream, int64_t utc_ns,
                    const int64_t *values, size_t count);

/* monitor_uart.c: every read is stamped and no byte is changed; breaks, framing and parity
 * errors, overruns, and a device that goes or comes back are lines of the node's stream: the
 * first error at once, those after it summed up at the next tick. */
struct monitor_uart;
struct monitor_uart *monitor_uart_create(const char *path, uint32_t baudrate,
                                         const struct monitor_out *out, struct err *err);
int monitor_uart_fd(const struct monitor_uart *uart); /* -1 while the device is away */
void monitor_uart_ready(struct monitor_uart *uart);
void monitor_uart_tick(struct monitor_uart *uart); /* about every second */
void monitor_uart_destroy(struct monitor_uart **uart);

/* monitor_kernel.c: /dev/kmsg from now on; gaps of its sequence are noted, its time becomes
 * UTC (kmsg_time.h). */
struct monitor_kernel;
struct monitor_kernel *monitor_kernel_create(const char *path, const struct monitor_out *out,
                                             struct err *err);
int monitor_kernel_fd(const struct monitor_kernel *kernel);
void monitor_kernel_ready(struct monitor_kernel *kernel);
void monitor_kernel_tick(struct monitor_kernel *kernel); /* about every second */
void monitor_kernel_destroy(struct monitor_kernel **kernel);

#endif
