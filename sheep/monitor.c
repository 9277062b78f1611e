/* SPDX-License-Identifier: MIT */
#include "sheep/monitor.h"

#include "common/log.h"
#include "sheep/monitor_iio.h"
#include "sheep/monitor_system.h"
#include "sheep/monitor_time.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    TICK_MS = 1000
};

struct monitors {
    struct log_config log;
    struct monitor_out out;
    struct monitor_uart *uart;
    struct monitor_kernel *kernel;
    struct monitor_time *time;
    struct monitor_system *system;
    struct monitor_iio *iio;
    int quit_fd;
    pthread_t thread;
    bool has_thread;
};

static void post(const struct monitor_out *out, struct recorder_row *row)
{
    out->post(out->arg, row);
}

void monitor_text(const struct monitor_out *out, enum rlog_stream stream, uint32_t level,
                  int64_t utc_ns, const void *text, size_t size)
{
    const uint8_t *bytes = text;

    while (size > 0) {
        struct recorder_row row = { .type = RLOG_TEXT, .stream = (uint8_t)stream };
        size_t piece = size < sizeof(row.payload) ? size : sizeof(row.payload);

        row.count = level;
        row.utc_ns = utc_ns;
        row.size = (uint16_t)piece;
        memcpy(row.payload, bytes, piece);
        post(out, &row);
        bytes += piece;
        size -= piece;
    }
}

void monitor_values(const struct monitor_out *out, enum rlog_stream stream, int64_t utc_ns,
                    const int64_t *values, size_t count)
{
    struct recorder_row row = { .type = RLOG_ROW, .stream = (uint8_t)stream };

    row.count = (uint32_t)count;
    row.utc_ns = utc_ns;
    row.size = (uint16_t)(count * sizeof(*values));
    memcpy(row.payload, values, row.size);
    post(out, &row);
}

void monitors_say(struct monitors *monitors, uint32_t level, const char *text)
{
    if (monitors != NULL && monitors->log.sheep) {
        monitor_text(&monitors->out, RLOG_STREAM_SHEEP, level, clock_utc(&monitors->out.clock),
                     text, strlen(text));
    }
}

/* Once, and the run goes on. */
static void say_missing(struct monitors *monitors, uint32_t level, const char *what,
                        const struct err *err)
{
    char text[sizeof(err->text) + 40];

    snprintf(text, sizeof(text), "monitor %s is off: %s", what, err->text);
    if (level == MONITOR_WARNING) {
        log_warn("%s", text);
    } else {
        log_info("%s", text);
    }
    monitors_say(monitors, level, text);
}

static void open_sensors(struct monitors *monitors, const struct monitors_options *options)
{
    const char *root = options->root == NULL ? "" : options->root;
    const struct monitor_system_options system = { .root = root,
                                                   .agent = getpid(),
                                                   .recorder = options->recorder_pid,
                                                   .out = &monitors->out };
    struct err err = { 0 };

    if (monitors->log.system_ns > 0) {
        monitors->system = monitor_system_create(&system, &err);
        if (monitors->system == NULL) {
            say_missing(monitors, MONITOR_WARNING, "system", &err);
        }
    }
    if (monitors->log.iio_ns > 0) {
        monitors->iio = monitor_iio_create(root, &monitors->out, &err);
        if (monitors->iio == NULL) {
            say_missing(monitors, MONITOR_INFO, "iio", &err);
        }
    }
}

static void open_sources(struct monitors *monitors, const struct monitors_options *options)
{
    struct err err = { 0 };

    if (monitors->log.uart.enable && options->uart_path != NULL) {
        monitors->uart = monitor_uart_create(options->uart_path, monitors->log.uart.baudrate,
                                             &monitors->out, &err);
        if (monitors->uart == NULL) {
            say_missing(monitors, MONITOR_WARNING, "uart", &err);
        }
    }
    if (monitors->log.kernel) {
        monitors->kernel = monitor_kernel_create("/dev/kmsg", &monitors->out, &err);
        if (monitors->kernel == NULL) {
            say_missing(monitors, MONITOR_WARNING, "kernel", &err);
        }
    }
    if (monitors->log.time && options->time != NULL) {
        monitors->time = monitor_time_create(options->time, &monitors->out, &err);
        if (monitors->time == NULL) {
            say_missing(monitors, MONITOR_WARNING, "time", &err);
        }
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void tick(struct monitors *monitors)
{
    if (monitors->uart != NULL) {
        monitor_uart_tick(monitors->uart);
    }
    if (monitors->kernel != NULL) {
        monitor_kernel_tick(monitors->kernel);
    }
    if (monitors->time != NULL) {
        monitor_time_tick(monitors->time);
    }
}

/* Something that is done once per interval. */
struct timer {
    int64_t interval_ns;
    int64_t next_ns;
};

/* Whether it is due; what was missed is not made up for. */
static bool is_due(struct timer *timer, int64_t now_ns)
{
    if (now_ns < timer->next_ns) {
        return false;
    }
    timer->next_ns += timer->interval_ns;
    if (timer->next_ns <= now_ns) {
        timer->next_ns = now_ns + timer->interval_ns;
    }
    return true;
}

struct timers {
    struct timer tick;
    struct timer system;
    struct timer iio;
};

/* Does what is due at now_ns; returns when something is due next. */
static int64_t do_timers(struct monitors *monitors, struct timers *timers, int64_t now_ns)
{
    int64_t next_ns = 0;

    if (is_due(&timers->tick, now_ns)) {
        tick(monitors);
    }
    next_ns = timers->tick.next_ns;
    if (monitors->system != NULL) {
        if (is_due(&timers->system, now_ns)) {
            monitor_system_sample(monitors->system);
        }
        next_ns = earlier(next_ns, timers->system.next_ns);
    }
    if (monitors->iio != NULL) {
        if (is_due(&timers->iio, now_ns)) {
            monitor_iio_sample(monitors->iio);
        }
        next_ns = earlier(next_ns, timers->iio.next_ns);
    }
    return next_ns;
}

enum {
    QUIT,
    UART,
    KERNEL,
    TIME, /* and the others of its kind */
    N_FDS = TIME + MONITOR_TIME_FDS
};

static void find_fds(const struct monitors *monitors, struct pollfd fds[N_FDS])
{
    int time_fds[MONITOR_TIME_FDS] = { -1, -1, -1 };

    if (monitors->time != NULL) {
        monitor_time_fds(monitors->time, time_fds);
    }
    for (size_t i = 0; i < N_FDS; i++) {
        fds[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
    }
    fds[QUIT].fd = monitors->quit_fd;
    fds[UART].fd = monitors->uart == NULL ? -1 : monitor_uart_fd(monitors->uart);
    fds[KERNEL].fd = monitors->kernel == NULL ? -1 : monitor_kernel_fd(monitors->kernel);
    for (size_t i = 0; i < MONITOR_TIME_FDS; i++) {
        fds[TIME + i].fd = time_fds[i];
    }
}

static void serve_fds(struct monitors *monitors, const struct pollfd fds[N_FDS])
{
    if (fds[UART].revents != 0) {
        monitor_uart_ready(monitors->uart);
    }
    if (fds[KERNEL].revents != 0) {
        monitor_kernel_ready(monitors->kernel);
    }
    for (size_t i = 0; i < MONITOR_TIME_FDS; i++) {
        if (fds[TIME + i].revents != 0) {
            monitor_time_ready(monitors->time, i);
        }
    }
}

static void *run_thread(void *arg)
{
    struct monitors *monitors = arg;
    int64_t begin_ns = clock_mono_ns();
    struct timers timers = {
        .tick = {TICK_MS * NS_PER_MS,      begin_ns},
        .system = { monitors->log.system_ns, begin_ns},
        .iio = { monitors->log.iio_ns,    begin_ns}
    };

    pthread_setname_np(pthread_self(), "bw-monitors");
    for (;;) {
        int64_t now_ns = clock_mono_ns();
        int64_t due_ns = do_timers(monitors, &timers, now_ns);
        struct pollfd fds[N_FDS];

        find_fds(monitors, fds);
        if (poll(fds, N_FDS, (int)((due_ns - now_ns) / NS_PER_MS) + 1) < 0 && errno != EINTR) {
            struct err err;

            err_set_errno(&err, "monitors: poll");
            log_error("%s", err.text);
            return NULL;
        }
        if (fds[QUIT].revents != 0) {
            return NULL;
        }
        serve_fds(monitors, fds);
    }
}

static bool is_anything_on(const struct log_config *log)
{
    return log->kernel || log->sheep || log->time || log->uart.enable || log->system_ns > 0
           || log->iio_ns > 0;
}

struct monitors *monitors_create(const struct monitors_options *options, struct err *err)
{
    struct monitors *monitors = NULL;

    if (!is_anything_on(options->log)) {
        return NULL;
    }
    monitors = calloc(1, sizeof(*monitors));
    if (monitors == NULL) {
        err_set(err, ERR_MEMORY, "monitors");
        return NULL;
    }
    monitors->log = *options->log;
    monitors->out = (struct monitor_out){ options->clock, options->post, options->arg };
    monitors->quit_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (monitors->quit_fd < 0) {
        err_set_errno(err, "monitors");
        monitors_destroy(&monitors);
        return NULL;
    }
    open_sources(monitors, options);
    open_sensors(monitors, options);
    if (pthread_create(&monitors->thread, NULL, run_thread, monitors) != 0) {
        err_set(err, ERR_SYSTEM, "thread of the monitors");
        monitors_destroy(&monitors);
        return NULL;
    }
    monitors->has_thread = true;
    return monitors;
}

void monitors_destroy(struct monitors **monitors_p)
{
    struct monitors *monitors = *monitors_p;
    uint64_t one = 1;

    if (monitors == NULL) {
        return;
    }
    if (monitors->has_thread) {
        (void)!write(monitors->quit_fd, &one, sizeof(one));
        pthread_join(monitors->thread, NULL);
    }
    monitor_uart_destroy(&monitors->uart);
    monitor_kernel_destroy(&monitors->kernel);
    monitor_time_destroy(&monitors->time);
    monitor_system_destroy(&monitors->system);
    monitor_iio_destroy(&monitors->iio);
    if (monitors->quit_fd >= 0) {
        close(monitors->quit_fd);
    }
    free(monitors);
    *monitors_p = NULL;
}
