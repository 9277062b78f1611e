/* SPDX-License-Identifier: MIT */
/* Monitors run as long as a recording runs; which ones, its manifest says. */
#include "sheep/agent_state.h"

#include "common/log.h"
#include "common/rlog.h"
#include "sheep/config.h"
#include "sheep/monitor_time.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where the target's serial line is on a cape. */
static const char UART_OF_CAPE[] = "/dev/ttyS1";

struct agent_monitors {
    struct monitors *monitors; /* NULL: all of them are off */
    int fd;                    /* our own descriptor of the line to the recorder */
    _Atomic uint32_t n_lost;   /* rows that the recorder has not been told about */
};

/* Any thread. */
static bool post_row(void *arg, struct recorder_row *row)
{
    struct agent_monitors *self = arg;
    bool is_taken = false;

    row->n_lost = atomic_exchange(&self->n_lost, 0);
    is_taken = recorder_ipc_send_row(self->fd, row);
    if (!is_taken) {
        atomic_fetch_add(&self->n_lost, row->n_lost + 1);
    }
    return is_taken;
}

/* Any thread: a line of the agent's own log becomes a row. */
static void tap(enum log_level level, const char *line, void *arg)
{
    static const uint32_t levels[] = { [LOG_LEVEL_ERROR] = 40,
                                       [LOG_LEVEL_WARN] = 30,
                                       [LOG_LEVEL_INFO] = 20,
                                       [LOG_LEVEL_DEBUG] = 10 };
    const struct agent_monitors *self = arg;

    monitors_say(self->monitors, levels[level], line);
}

static void stop(struct agent *agent)
{
    struct agent_monitors *self = agent->monitors;
    uint32_t n_lost = 0;

    if (self == NULL) {
        return;
    }
    n_lost = atomic_load(&self->n_lost);
    if (n_lost != 0) {
        log_warn("the last %u records of monitors found no room, which no remark says", n_lost);
    }
    log_set_tap(LOG_LEVEL_INFO, NULL, NULL);
    monitors_destroy(&self->monitors);
    if (self->fd >= 0) {
        close(self->fd);
    }
    free(self);
    agent->monitors = NULL;
}

static int open_monitors(struct agent *agent, struct agent_monitors *self, struct err *err)
{
    bool is_sim = sheep_board_is_simulated(agent->config->board);
    char uart_path[PATH_SIZE + 8];
    struct rlog_reader *reader = rlog_reader_open(agent->page.log_folder, err);

    if (reader == NULL) {
        return -1;
    }
    snprintf(uart_path, sizeof(uart_path), "%s/uart", agent->state_dir);
    const struct time_sources time = {
        .ptp4l_socket = agent->config->clock.ptp4l_socket,
        .phc2sys_log = agent->config->clock.phc2sys_log,
        .chrony_port = agent->config->clock.chrony_port,
        .own_folder = agent->state_dir,
    };
    struct monitors_options options = {
        .log = &rlog_reader_manifest(reader)->config.log,
        .clock = agent->clock,
        .uart_path = is_sim ? uart_path : UART_OF_CAPE,
        .root = "",
        .recorder_pid = agent->page.pid,
        .time = &time,
        .post = post_row,
        .arg = self,
    };
    struct err why = { 0 };

    self->fd = recorder_link_dup(agent->link);
    self->monitors = monitors_create(&options, &why);
    if (self->monitors != NULL && options.log->sheep) {
        log_set_tap((enum log_level)options.log->sheep_level, tap, self);
    }
    rlog_reader_close(&reader);
    if (self->monitors == NULL && why.code != ERR_NONE) {
        *err = why;
        return -1;
    }
    return 0;
}

static void start(struct agent *agent)
{
    struct err err = { 0 };

    agent->monitors = calloc(1, sizeof(*agent->monitors));
    if (agent->monitors == NULL) {
        return; /* tried again at the next tick */
    }
    agent->monitors->fd = -1;
    if (open_monitors(agent, agent->monitors, &err) < 0) {
        log_warn("no monitors: %s", err.text);
    }
}

void agent_keep_monitors(struct agent *agent)
{
    bool is_wanted = agent->node.state == NODE_RUNNING && recorder_link_is_up(agent->link)
                     && agent->page.experiment == agent->node.experiment
                     && agent->page.is_ended == 0;

    if (is_wanted && agent->monitors == NULL) {
        start(agent);
    } else if (!is_wanted && agent->monitors != NULL) {
        stop(agent);
    }
}

void agent_stop_monitors(struct agent *agent)
{
    stop(agent);
}
