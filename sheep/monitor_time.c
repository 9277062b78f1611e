/* SPDX-License-Identifier: MIT */
#include "sheep/monitor_time.h"

#include "sheep/time_ask.h"
#include "sheep/time_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timex.h>

enum {
    PTP,
    CHRONY,
    PHC2SYS,
    CALM_TICKS = 10,  /* between two looks at what changes slowly, and at what is missing */
    MISSING_TICK = 3, /* by then a daemon that runs has answered */
};

static const double FREQUENCY_PER_PPM = 65536.0; /* adjtimex(2): 2^-16 ppm */
static const char TIMESYNCD[] = "/run/systemd/timesync/synchronized";

struct monitor_time {
    struct monitor_out out;
    char ptp4l_socket[PATH_SIZE];
    unsigned chrony_port;
    struct time_ask *ask;
    struct time_log *log; /* NULL: not looked for */
    bool is_wanted[MONITOR_TIME_FDS];
    bool is_heard[MONITOR_TIME_FDS];
    unsigned n_ticks;
};

/* ---- the kernel, timesyncd ---- */

void monitor_time_describe(const struct timex *state, char *text, size_t size)
{
    long long unit_ns = (state->status & STA_NANO) != 0 ? 1 : 1000;

    snprintf(text, size,
             "kernel clock: %s, offset %lld ns, frequency %+.3f ppm, estimated error %lld us, "
             "maximum error %lld us",
             (state->status & STA_UNSYNC) != 0 ? "not disciplined" : "disciplined",
             state->offset * unit_ns, (double)state->freq / FREQUENCY_PER_PPM,
             (long long)state->esterror, (long long)state->maxerror);
}

static void say(const struct monitor_time *time, const char *text)
{
    monitor_text(&time->out, RLOG_STREAM_NTP, 0, clock_utc(&time->out.clock), text,
                 strlen(text));
}

static int64_t kernel_frequency_ppb(void)
{
    struct timex state;

    memset(&state, 0, sizeof(state));
    return adjtimex(&state) < 0 ? 0
                                : (int64_t)((double)state.freq * 1000.0 / FREQUENCY_PER_PPM);
}

static void sample_kernel(const struct monitor_time *time)
{
    struct timex state;
    struct stat status;
    char text[256];

    memset(&state, 0, sizeof(state));
    if (adjtimex(&state) >= 0) {
        monitor_time_describe(&state, text, sizeof(text));
        say(time, text);
    }
    /* It touches this file at every synchronisation. */
    if (stat(TIMESYNCD, &status) == 0) {
        snprintf(text, sizeof(text), "timesyncd: synchronised %lld s ago",
                 (long long)(clock_utc_ns() / NS_PER_S - status.st_mtime));
        say(time, text);
    }
}

/* ---- ptp4l and chrony ---- */

/* The offset is worth a row when there is a master to be off from. */
static void take_ptp(void *arg, const struct ptp_status *status, enum ptp_id id)
{
    struct monitor_time *time = arg;
    int64_t values[3];

    time->is_heard[PTP] = true;
    if (id != PTP_CURRENT_DATA_SET || !status->is_gm_present) {
        return;
    }
    values[0] = status->offset_ns;
    values[1] = kernel_frequency_ppb();
    values[2] = status->path_delay_ns;
    monitor_values(&time->out, RLOG_STREAM_PTP, clock_utc(&time->out.clock), values, 3);
}

static void take_chrony(void *arg, const struct chrony_tracking *tracking)
{
    struct monitor_time *time = arg;
    char text[256];

    time->is_heard[CHRONY] = true;
    if (tracking->leap == 3) {
        say(time, "chrony: not synchronised");
        return;
    }
    snprintf(text, sizeof(text),
             "chrony: stratum %u, offset %+.0f ns, rms %.0f ns, frequency %+.3f ppm, skew %.3f "
             "ppm, root delay %.0f ns, root dispersion %.0f ns",
             tracking->stratum, tracking->offset_s * 1e9, tracking->rms_s * 1e9,
             tracking->frequency_ppm, tracking->skew_ppm, tracking->root_delay_s * 1e9,
             tracking->root_dispersion_s * 1e9);
    say(time, text);
}

/* ---- phc2sys ---- */

static void take_line(void *arg, const char *line)
{
    struct monitor_time *time = arg;
    struct phc2sys_line parsed;

    if (phc2sys_parse(&parsed, line)) {
        const int64_t values[] = { parsed.offset_ns, parsed.frequency_ppb, parsed.delay_ns };

        time->is_heard[PHC2SYS] = true;
        monitor_values(&time->out, RLOG_STREAM_PHC2SYS, clock_utc(&time->out.clock), values, 3);
    }
}

/* ---- all of them ---- */

static struct time_ask *create_ask(struct monitor_time *time,
                                   const struct time_sources *sources, struct err *err)
{
    char own_socket[PATH_SIZE];
    struct time_ask_options options = { .ptp4l_socket = sources->ptp4l_socket,
                                        .own_socket = own_socket,
                                        .chrony_port = sources->chrony_port,
                                        .on_ptp = take_ptp,
                                        .on_chrony = take_chrony,
                                        .arg = time };

    snprintf(own_socket, sizeof(own_socket), "%.*s/ptp4l-client", PATH_SIZE - 16,
             sources->own_folder);
    return time_ask_create(&options, err);
}

struct monitor_time *monitor_time_create(const struct time_sources *sources,
                                         const struct monitor_out *out, struct err *err)
{
    struct monitor_time *time = calloc(1, sizeof(*time));

    if (time == NULL) {
        err_set(err, ERR_MEMORY, "time monitor");
        return NULL;
    }
    time->out = *out;
    time->ask = create_ask(time, sources, err);
    if (time->ask == NULL) {
        monitor_time_destroy(&time);
        return NULL;
    }
    snprintf(time->ptp4l_socket, sizeof(time->ptp4l_socket), "%s", sources->ptp4l_socket);
    time->chrony_port = sources->chrony_port;
    time->is_wanted[PTP] = time_ask_is_wanted(time->ask, TIME_ASK_PTP);
    time->is_wanted[CHRONY] = time_ask_is_wanted(time->ask, TIME_ASK_CHRONY);
    time->is_wanted[PHC2SYS] = sources->phc2sys_log[0] != '\0';
    if (time->is_wanted[PHC2SYS]) {
        time->log = time_log_create(sources->phc2sys_log, take_line, time);
    }
    return time;
}

void monitor_time_destroy(struct monitor_time **time)
{
    if (*time == NULL) {
        return;
    }
    time_ask_destroy(&(*time)->ask);
    time_log_destroy(&(*time)->log);
    free(*time);
    *time = NULL;
}

/* Once, and the run goes on. */
static void say_who_is_missing(const struct monitor_time *time)
{
    char text[PATH_SIZE + 256] = "time: not heard:";
    size_t length = strlen(text);
    size_t empty = length;

    if (time->is_wanted[PTP] && !time->is_heard[PTP]) {
        length += (size_t)snprintf(text + length, sizeof(text) - length, " ptp4l at %.400s",
                                   time->ptp4l_socket);
    }
    if (time->is_wanted[PHC2SYS] && !time->is_heard[PHC2SYS]) {
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%s phc2sys",
                                   length > empty ? "," : "");
    }
    if (time->is_wanted[CHRONY] && !time->is_heard[CHRONY]) {
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%s chrony at port %u",
                                   length > empty ? "," : "", time->chrony_port);
    }
    if (length > empty) {
        monitor_text(&time->out, RLOG_STREAM_SHEEP, MONITOR_WARNING,
                     clock_utc(&time->out.clock), text, length);
    }
}

void monitor_time_tick(struct monitor_time *time)
{
    bool is_calm_tick = time->n_ticks % CALM_TICKS == 0;

    time_ask_send(time->ask, TIME_ASK_PTP, is_calm_tick);
    if (is_calm_tick) {
        sample_kernel(time);
        time_ask_send(time->ask, TIME_ASK_CHRONY, true);
    }
    if (time->log != NULL) {
        time_log_tick(time->log);
    }
    if (time->n_ticks == MISSING_TICK) {
        say_who_is_missing(time);
    }
    time->n_ticks++;
}

void monitor_time_fds(const struct monitor_time *time, int fds[MONITOR_TIME_FDS])
{
    fds[PTP] = time_ask_fd(time->ask, TIME_ASK_PTP);
    fds[CHRONY] = time_ask_fd(time->ask, TIME_ASK_CHRONY);
    fds[PHC2SYS] = time->log != NULL ? time_log_fd(time->log) : -1;
}

void monitor_time_ready(struct monitor_time *time, size_t i)
{
    if (i == PHC2SYS) {
        time_log_ready(time->log);
    } else {
        time_ask_take(time->ask, i == PTP ? TIME_ASK_PTP : TIME_ASK_CHRONY);
    }
}
