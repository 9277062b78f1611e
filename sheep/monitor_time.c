/* SPDX-License-Identifier: MIT */
#include "sheep/monitor_time.h"

#include "common/log.h"
#include "sheep/time_codec.h"
#include "sheep/time_log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    PTP,
    CHRONY,
    PHC2SYS,
    CALM_TICKS = 10,  /* between two looks at what changes slowly, and at what is missing */
    MISSING_TICK = 3, /* by then a daemon that runs has answered */
    ANSWERS_AT_ONCE = 16,
    LEVEL_WARNING = 30,
};

static const double FREQUENCY_PER_PPM = 65536.0; /* adjtimex(2): 2^-16 ppm */
static const char TIMESYNCD[] = "/run/systemd/timesync/synchronized";

struct monitor_time {
    struct monitor_out out;
    char ptp4l_socket[PATH_SIZE];
    char own_socket[PATH_SIZE];
    unsigned chrony_port;
    struct time_log *log; /* NULL: not looked for */
    int fds[MONITOR_TIME_FDS];
    bool is_wanted[MONITOR_TIME_FDS];
    bool is_heard[MONITOR_TIME_FDS];
    unsigned n_ticks;
    uint16_t ptp_sequence;
    uint32_t chrony_sequence;
    struct ptp_status ptp;
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

/* ---- ptp4l ---- */

/* ptp4l answers to the address that asks, so there must be one. */
static void open_ptp(struct monitor_time *time)
{
    struct sockaddr_un own = { .sun_family = AF_UNIX };
    struct sockaddr_un server = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return;
    }
    snprintf(own.sun_path, sizeof(own.sun_path), "%s", time->own_socket);
    snprintf(server.sun_path, sizeof(server.sun_path), "%s", time->ptp4l_socket);
    unlink(time->own_socket);
    if (bind(fd, (const struct sockaddr *)&own, sizeof(own)) < 0
        || connect(fd, (const struct sockaddr *)&server, sizeof(server)) < 0) {
        close(fd);
        return;
    }
    time->fds[PTP] = fd;
}

static void close_source(struct monitor_time *time, size_t i)
{
    if (time->fds[i] >= 0) {
        close(time->fds[i]);
        time->fds[i] = -1;
    }
}

static void ask_ptp(struct monitor_time *time)
{
    static const enum ptp_id IDS[] = { PTP_TIME_STATUS_NP, PTP_CURRENT_DATA_SET };
    uint8_t message[PTP_GET_BYTES];

    for (size_t i = 0; i < ARRAY_LEN(IDS); i++) {
        ptp_encode_get(message, IDS[i], time->ptp_sequence++);
        if (send(time->fds[PTP], message, sizeof(message), MSG_NOSIGNAL) < 0
            && errno != EAGAIN) {
            close_source(time, PTP); /* gone, or started anew: looked for again */
            return;
        }
    }
}

/* The offset is worth a row when there is a master to be off from. */
static void take_ptp(struct monitor_time *time, const uint8_t *bytes, size_t size)
{
    unsigned id = ptp_decode(&time->ptp, bytes, size);
    int64_t values[3];

    time->is_heard[PTP] = time->is_heard[PTP] || id != 0;
    if (id != PTP_CURRENT_DATA_SET || !time->ptp.is_gm_present) {
        return;
    }
    values[0] = time->ptp.offset_ns;
    values[1] = kernel_frequency_ppb();
    values[2] = time->ptp.path_delay_ns;
    monitor_values(&time->out, RLOG_STREAM_PTP, clock_utc(&time->out.clock), values, 3);
}

/* ---- chrony ---- */

static void open_chrony(struct monitor_time *time)
{
    struct sockaddr_in server = { .sin_family = AF_INET };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    server.sin_port = htons((uint16_t)time->chrony_port);
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&server, sizeof(server)) < 0) {
        close(fd);
        fd = -1;
    }
    time->fds[CHRONY] = fd;
}

static void ask_chrony(struct monitor_time *time)
{
    uint8_t request[CHRONY_REQUEST_BYTES];

    chrony_encode_tracking(request, ++time->chrony_sequence);
    /* Refused is what the question before met; this one is on its way. */
    if (send(time->fds[CHRONY], request, sizeof(request), MSG_NOSIGNAL) < 0
        && errno != ECONNREFUSED && errno != EAGAIN) {
        close_source(time, CHRONY);
    }
}

static void take_chrony(struct monitor_time *time, const uint8_t *bytes, size_t size)
{
    struct chrony_tracking tracking;
    char text[256];

    if (!chrony_decode_tracking(&tracking, time->chrony_sequence, bytes, size)) {
        return;
    }
    time->is_heard[CHRONY] = true;
    if (tracking.leap == 3) {
        say(time, "chrony: not synchronised");
        return;
    }
    snprintf(text, sizeof(text),
             "chrony: stratum %u, offset %+.0f ns, rms %.0f ns, frequency %+.3f ppm, skew %.3f "
             "ppm, root delay %.0f ns, root dispersion %.0f ns",
             tracking.stratum, tracking.offset_s * 1e9, tracking.rms_s * 1e9,
             tracking.frequency_ppm, tracking.skew_ppm, tracking.root_delay_s * 1e9,
             tracking.root_dispersion_s * 1e9);
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

struct monitor_time *monitor_time_create(const struct time_sources *sources,
                                         const struct monitor_out *out, struct err *err)
{
    struct monitor_time *time = calloc(1, sizeof(*time));

    if (time == NULL) {
        err_set(err, ERR_MEMORY, "time monitor");
        return NULL;
    }
    time->out = *out;
    for (size_t i = 0; i < MONITOR_TIME_FDS; i++) {
        time->fds[i] = -1;
    }
    snprintf(time->ptp4l_socket, sizeof(time->ptp4l_socket), "%s", sources->ptp4l_socket);
    snprintf(time->own_socket, sizeof(time->own_socket), "%.*s/ptp4l-client", PATH_SIZE - 16,
             sources->own_folder);
    time->chrony_port = sources->chrony_port;
    time->is_wanted[PTP] = time->ptp4l_socket[0] != '\0';
    time->is_wanted[CHRONY] = sources->chrony_port != 0;
    time->is_wanted[PHC2SYS] = sources->phc2sys_log[0] != '\0';
    if (time->is_wanted[PHC2SYS]) {
        time->log = time_log_create(sources->phc2sys_log, take_line, time);
    }
    return time;
}

void monitor_time_destroy(struct monitor_time **time_p)
{
    struct monitor_time *time = *time_p;

    if (time == NULL) {
        return;
    }
    if (time->fds[PTP] >= 0) {
        unlink(time->own_socket);
    }
    close_source(time, PTP);
    close_source(time, CHRONY);
    time_log_destroy(&time->log);
    free(time);
    *time_p = NULL;
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
        monitor_text(&time->out, RLOG_STREAM_SHEEP, LEVEL_WARNING, clock_utc(&time->out.clock),
                     text, length);
    }
}

void monitor_time_tick(struct monitor_time *time)
{
    bool is_calm_tick = time->n_ticks % CALM_TICKS == 0;

    if (is_calm_tick) {
        sample_kernel(time);
    }
    if (time->is_wanted[PTP] && time->fds[PTP] < 0 && is_calm_tick) {
        open_ptp(time);
    }
    if (time->fds[PTP] >= 0) {
        ask_ptp(time);
    }
    if (time->is_wanted[CHRONY] && is_calm_tick) {
        if (time->fds[CHRONY] < 0) {
            open_chrony(time);
        }
        if (time->fds[CHRONY] >= 0) {
            ask_chrony(time);
        }
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
    fds[PTP] = time->fds[PTP];
    fds[CHRONY] = time->fds[CHRONY];
    fds[PHC2SYS] = time->log != NULL ? time_log_fd(time->log) : -1;
}

void monitor_time_ready(struct monitor_time *time, size_t i)
{
    uint8_t bytes[TIME_MESSAGE_MAX];

    if (i == PHC2SYS) {
        time_log_ready(time->log);
        return;
    }
    for (int n = 0; n < ANSWERS_AT_ONCE; n++) {
        ssize_t size = recv(time->fds[i], bytes, sizeof(bytes), 0);

        if (size < 0) {
            return; /* none left; a refusal is noted by silence */
        }
        if (i == PTP) {
            take_ptp(time, bytes, (size_t)size);
        } else {
            take_chrony(time, bytes, (size_t)size);
        }
    }
}
