/* SPDX-License-Identifier: MIT */
#include "common/log.h"

#include "common/clock.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Atomic(int) current_level = LOG_LEVEL_INFO;
static log_sink_fn current_sink;
static void *current_sink_arg;

static _Atomic(int) tap_level = -1; /* -1: there is no tap */
static pthread_mutex_t tap_lock = PTHREAD_MUTEX_INITIALIZER;
static log_sink_fn current_tap;
static void *current_tap_arg;

void log_set_level(enum log_level level)
{
    atomic_store(&current_level, (int)level);
}

void log_set_sink(log_sink_fn sink, void *arg)
{
    current_sink = sink;
    current_sink_arg = arg;
}

void log_set_tap(enum log_level level, log_sink_fn tap, void *arg)
{
    pthread_mutex_lock(&tap_lock);
    current_tap = tap;
    current_tap_arg = arg;
    atomic_store(&tap_level, tap != NULL ? (int)level : -1);
    pthread_mutex_unlock(&tap_lock);
}

static void write_tap(enum log_level level, const char *text)
{
    pthread_mutex_lock(&tap_lock);
    if (current_tap != NULL) {
        current_tap(level, text, current_tap_arg);
    }
    pthread_mutex_unlock(&tap_lock);
}

static void write_stderr(enum log_level level, const char *text)
{
    static const char *const words[] = { "error", "warn", "info", "debug" };
    static const int priorities[] = { 3, 4, 6, 7 };
    char line[1400];
    int length = 0;

    /* Nothing here ever changes the environment. */
    if (getenv("JOURNAL_STREAM") != NULL) { // NOLINT(concurrency-mt-unsafe)
        length = snprintf(line, sizeof(line), "<%d>%s\n", priorities[level], text);
    } else {
        char stamp[CLOCK_TEXT_SIZE];

        clock_format_utc(clock_utc_ns(), stamp);
        length = snprintf(line, sizeof(line), "%s %-5s %s\n", stamp, words[level], text);
    }
    if (length >= (int)sizeof(line)) {
        length = (int)sizeof(line) - 1;
        line[length - 1] = '\n';
    }
    if (write(STDERR_FILENO, line, (size_t)length) < 0) {
        return; /* nowhere left to say it */
    }
}

void log_write(enum log_level level, const char *format, ...)
{
    char text[1200];
    va_list args;

    bool is_tapped = (int)level <= atomic_load(&tap_level);
    bool is_wanted = (int)level <= atomic_load(&current_level);

    if (!is_tapped && !is_wanted) {
        return;
    }
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (is_tapped) {
        write_tap(level, text);
    }
    if (!is_wanted) {
        return;
    }
    if (current_sink != NULL) {
        current_sink(level, text, current_sink_arg);
    } else {
        write_stderr(level, text);
    }
}

bool log_limit_pass(struct log_limit *limit, int64_t mono_ns, uint32_t burst,
                    uint32_t interval_ms)
{
    if (mono_ns - limit->window_start_ns >= (int64_t)interval_ms * NS_PER_MS) {
        limit->window_start_ns = mono_ns;
        limit->count = 0;
    }
    if (limit->count >= burst) {
        limit->suppressed++;
        return false;
    }
    limit->count++;
    return true;
}
