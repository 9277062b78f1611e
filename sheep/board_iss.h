/* SPDX-License-Identifier: MIT */
/* The firmware's binaries in the PRU simulator, against the simulated world: board `iss`.
 *
 * Both cores execute every instruction between start and end of a run, in virtual time: a
 * second takes some seconds. While the firmware only waits for a command or the start, time is
 * skipped in steps that its watchdogs allow, so that the counter follows the host's clock. */
#ifndef SHEEP_BOARD_ISS_H
#define SHEEP_BOARD_ISS_H

#include "common/err.h"
#include "sheep/board.h"
#include "sheep/sim_config.h"

/* The config is copied; its `firmware` names the folder of pru0-harvest-24.elf,
 * pru0-emulate-24.elf and pru1-24.elf, which are read at boot; 24 is the cape. */
struct board *board_iss_create(const struct sim_config *config, struct err *err);

/* Rules of the converters' data sheets that the firmware has broken since its boot, and which;
 * also logged as an error after each run. Only while it is halted. */
uint32_t board_iss_broken_rules(const struct board *board, char *text, size_t size);

#endif
