/* SPDX-License-Identifier: MIT */
/* One line, one event, on standard error; with journald's priorities when it is the listener.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include "common/attrs.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level {
    LOG_LEVEL_ERROR, /* someone must act */
    LOG_LEVEL_WARN,  /* data may be worse */
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
};

/* Receives every line that passes the level, instead of standard error. */
typedef void (*log_sink_fn)(enum log_level level, const char *line, void *arg);

/* The level is the one piece of mutable state of the process besides the sink; default info. */
void log_set_level(enum log_level level);
void log_set_sink(log_sink_fn sink, void *arg);

/* Written as one write(2); thread safe; no trailing full stop and no newline in the format. */
void log_write(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

/* Besides, every line up to `level` goes to the tap, whatever the level of the process; NULL
 * ends that, and no thread is in the old one any more when this returns. A tap logs nothing. */
void log_set_tap(enum log_level level, log_sink_fn tap, void *arg);

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* For anything in a loop: true at most `burst` times per `interval_ms`; counts what it held
 * back. */
struct log_limit {
    int64_t window_start_ns;
    uint32_t count;
    uint32_t suppressed; /* the caller prints and zeroes it when true is returned */
};
bool log_limit_pass(struct log_limit *limit, int64_t mono_ns, uint32_t burst,
                    uint32_t interval_ms);

#endif
