/* SPDX-License-Identifier: MIT */
/* The simulated board: the firmware's own step on a host thread, against the simulated world.
 *
 * Its counter is the host's monotonic clock with the error of a crystal. In real time a sample
 * is taken when its tick has come: the first one to some microseconds, the later ones in bursts
 * of a block, so that a node costs little. At `fast` the samples follow each other as quickly
 * as the rings are drained and the input is fed, without loss. */
#ifndef SHEEP_BOARD_SIM_H
#define SHEEP_BOARD_SIM_H

#include "common/err.h"
#include "sheep/board.h"
#include "sheep/sim_config.h"

#include <stdbool.h>

/* Several may live in one process. The config is copied. */
struct board *board_sim_create(const struct sim_config *config, struct err *err);

#endif
