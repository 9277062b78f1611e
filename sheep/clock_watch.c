/* SPDX-License-Identifier: MIT */
#include "sheep/clock_watch.h"

#include "sheep/time_ask.h"
#include "sheep/time_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* systemd-timesyncd touches it whenever it synchronises. */
static const char TIMESYNCD[] = "/run/systemd/timesync/synchronized";

struct clock_watch {
    const struct sheep_config *config; /* loan */
    struct time_ask *ask;
    struct time_log *log; /* of phc2sys; NULL until it is needed */
    struct clock_daemons daemons;
};

static void take_ptp(void *arg, const struct ptp_status *status, enum ptp_id id)
{
    struct clock_watch *watch = arg;
    struct clock_daemons *daemons = &watch->daemons;

    daemons->ptp_ns = clock_mono_ns();
    daemons->is_gm_present = status->is_gm_present;
    switch (id) {
    case PTP_CURRENT_DATA_SET:
        daemons->ptp_offsets[daemons->n_ptp_offsets++ % CLOCK_OFFSETS] = status->offset_ns;
        break;
    case PTP_PORT_PROPERTIES_NP:
        if (status->port_state == PTP_PORT_SLAVE) {
            daemons->slave_ns = daemons->ptp_ns;
            daemons->is_stamped_by_hardware = status->stamps != PTP_STAMPS_SOFTWARE;
        }
        break;
    case PTP_TIME_STATUS_NP:
        break;
    }
}

static void take_chrony(void *arg, const struct chrony_tracking *tracking)
{
    struct clock_watch *watch = arg;

    watch->daemons.chrony_ns = clock_mono_ns();
    watch->daemons.chrony = *tracking;
}

static void take_line(void *arg, const char *line)
{
    struct clock_watch *watch = arg;

    if (phc2sys_parse(&watch->daemons.phc2sys, line)) {
        watch->daemons.phc2sys_ns = clock_mono_ns();
    }
}

static bool is_wanted(const struct clock_watch *watch, enum clock_daemon daemon)
{
    int source = watch->config->clock.source;

    return source == CLOCK_AUTO || source == (int)daemon;
}

struct clock_watch *clock_watch_create(const struct sheep_config *config, const char *state_dir,
                                       struct err *err)
{
    char own_socket[PATH_SIZE];
    struct clock_watch *watch = NULL;
    struct time_ask_options options = { .own_socket = own_socket,
                                        .on_ptp = take_ptp,
                                        .on_chrony = take_chrony };

    if (config->clock.source > CLOCK_TIMESYNCD) {
        return NULL;
    }
    watch = calloc(1, sizeof(*watch));
    if (watch == NULL) {
        err_set(err, ERR_MEMORY, "watching the clock");
        return NULL;
    }
    watch->config = config;
    watch->daemons.timesyncd_age_ns = -1;
    snprintf(own_socket, sizeof(own_socket), "%.*s/ptp4l-claim", PATH_SIZE - 16, state_dir);
    options.ptp4l_socket = is_wanted(watch, CLOCK_PTP4L) ? config->clock.ptp4l_socket : "";
    options.chrony_port = is_wanted(watch, CLOCK_CHRONY) ? config->clock.chrony_port : 0;
    options.arg = watch;
    watch->ask = time_ask_create(&options, err);
    if (watch->ask == NULL) {
        clock_watch_destroy(&watch);
    }
    return watch;
}

void clock_watch_destroy(struct clock_watch **watch)
{
    if (*watch == NULL) {
        return;
    }
    time_ask_destroy(&(*watch)->ask);
    time_log_destroy(&(*watch)->log);
    free(*watch);
    *watch = NULL;
}

static void look_at_timesyncd(struct clock_watch *watch)
{
    struct stat status;

    watch->daemons.timesyncd_age_ns = -1;
    if (is_wanted(watch, CLOCK_TIMESYNCD) && stat(TIMESYNCD, &status) == 0) {
        int64_t age_ns = clock_utc_ns() - status.st_mtime * NS_PER_S;

        watch->daemons.timesyncd_age_ns = age_ns < 0 ? 0 : age_ns;
    }
}

void clock_watch_tick(struct clock_watch *watch)
{
    const char *phc2sys_log = watch->config->clock.phc2sys_log;

    for (enum time_ask_daemon daemon = 0; daemon < N_TIME_ASK; daemon++) {
        time_ask_take(watch->ask, daemon);
        time_ask_send(watch->ask, daemon, true);
    }
    if (watch->log == NULL && watch->daemons.is_stamped_by_hardware && phc2sys_log[0] != '\0') {
        watch->log = time_log_create(phc2sys_log, take_line, watch);
    }
    if (watch->log != NULL) {
        time_log_tick(watch->log);
        if (time_log_fd(watch->log) >= 0) {
            time_log_ready(watch->log);
        }
    }
    look_at_timesyncd(watch);
}

void clock_watch_claim(const struct clock_watch *watch, struct clock_claim *claim)
{
    clock_claim_of_daemons(claim, &watch->daemons,
                           (enum clock_daemon)watch->config->clock.source, clock_mono_ns());
}
