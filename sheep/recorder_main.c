/* SPDX-License-Identifier: MIT */
#include "sheep/recorder_main.h"

#include "sheep/recorder.h"

#include <stdio.h>
#include <string.h>

/* What the options point at. */
struct prepared {
    struct sim_config sim;
    char state_dir[PATH_SIZE];
    char truth_dir[PATH_SIZE];
    struct recorder_options options;
};

static int make_options(const struct sheep_config *config, struct prepared *prepared,
                        struct err *err)
{
    memset(prepared, 0, sizeof(*prepared));
    if (sheep_config_make_folders(config, err) < 0
        || sheep_config_folder(config, "state", prepared->state_dir, err) < 0
        || sheep_config_folder(config, "truth", prepared->truth_dir, err) < 0
        || sim_config_load(&prepared->sim, config->sim, config->path, err) < 0) {
        return -1;
    }
    if (prepared->sim.uart_link[0] == '\0') {
        snprintf(prepared->sim.uart_link, sizeof(prepared->sim.uart_link), "%.*s/uart",
                 (int)(sizeof(prepared->sim.uart_link) - sizeof("/uart")), prepared->state_dir);
    }
    prepared->options.state_dir = prepared->state_dir;
    prepared->options.board = config->board;
    prepared->options.cape = config->cape;
    prepared->options.sim = &prepared->sim;
    prepared->options.truth_dir = prepared->truth_dir;
    prepared->options.clock = sheep_config_clock(config);
    prepared->options.disk_reserve_bytes = config->disk_reserve;
    return 0;
}

int recorder_main(const struct sheep_config *config, const volatile sig_atomic_t *stop_signal,
                  struct err *err)
{
    struct prepared prepared;

    if (make_options(config, &prepared, err) < 0) {
        return -1;
    }
    return recorder_run(&prepared.options, stop_signal, err);
}

int recorder_selftest_main(const struct sheep_config *config, struct buf *report,
                           struct err *err)
{
    struct prepared prepared;
    struct selftest_node node = { .calibration = &config->calibration,
                                  .eeprom = config->eeprom };

    if (make_options(config, &prepared, err) < 0) {
        return -1;
    }
    if (strcmp(config->board, "pru") == 0) {
        node.cape = config->cape;
    } else if (strcmp(config->board, "iss") == 0) {
        node.cape = prepared.sim.cape;
    }
    node.has_harvester = node.cape != 25;
    return recorder_selftest(&prepared.options, &node, report, err);
}
