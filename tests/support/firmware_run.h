/* SPDX-License-Identifier: MIT */
/* The firmware on board iss, or the simulated board in its place, driven as the recorder drives
 * them. */
#ifndef TESTS_SUPPORT_FIRMWARE_RUN_H
#define TESTS_SUPPORT_FIRMWARE_RUN_H

#include "common/experiment.h"
#include "sheep/board.h"
#include "sheep/pru_link.h"
#include "sheep/sim_config.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    FIRMWARE_SAMPLES = 6000, /* of a run at most */
};

struct firmware_trace {
    uint32_t n_samples;   /* taken from blocks */
    uint64_t next_sample; /* behind the last block */
    uint32_t voltage[FIRMWARE_SAMPLES];
    uint32_t current[FIRMWARE_SAMPLES];
    uint32_t store_voltage[FIRMWARE_SAMPLES];
    uint32_t store_current[FIRMWARE_SAMPLES];
    uint32_t flags;
    uint32_t underruns;
    uint32_t late_ticks;  /* of sample 0 */
    enum pru_state state; /* at the end */
    char fault[512];      /* what pru_link_check said, "" for nothing */
};

struct firmware_scene {
    enum pru_mode mode;
    uint32_t n_samples;
    uint32_t n_input; /* inputs that are given */
    bool is_blind;    /* blocks are looked at only in the end */
    struct node_config config;
    struct sim_config sim;
};

/* False, and a word on stdout, where there is no firmware: BW_FIRMWARE_DIR of the build, or
 * that of the environment. */
bool firmware_is_there(void);

/* Defaults, a constant lamp or a sawtooth of input. */
void firmware_prepare(struct firmware_scene *scene, enum pru_mode mode, uint32_t n_samples);

/* Boot, CONFIGURE, ARM, run to DONE or FAULT. Fails the test when a command is not obeyed. */
void firmware_run(struct board *board, const struct firmware_scene *scene,
                  struct firmware_trace *trace);

/* The same on a board iss of its own; `rules`: those of converters that were broken. */
void firmware_run_iss(const struct firmware_scene *scene, struct firmware_trace *trace,
                      char *rules, size_t size);

#endif
