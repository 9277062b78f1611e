/* SPDX-License-Identifier: MIT */
/* What lies above any board: boot and handshake, parameters, commands, canaries, rings.
 *
 * One thread, except where a function says otherwise. Nothing here allocates after create. */
#ifndef SHEEP_PRU_LINK_H
#define SHEEP_PRU_LINK_H

#include "common/err.h"
#include "pru/abi/pru_shm.h"
#include "sheep/board.h"

#include <stdbool.h>
#include <stdint.h>

struct pru_link {
    struct board *board; /* a loan */
    struct pru_control *control;
    struct pru_shm *shm;
    uint64_t gpio_tick; /* of the last event, unwrapped */
    bool is_booted;
};

void pru_link_init(struct pru_link *link, struct board *board);

/* Boots the firmware for `mode` and waits for IDLE: version, canaries, rings empty. */
MUST_CHECK int pru_link_boot(struct pru_link *link, enum pru_mode mode, struct err *err);

/* What CONFIGURE hands over. */
struct pru_link_setup {
    enum pru_mode mode;
    uint32_t record_mask;
    uint32_t gpio_mask;
    const struct vsource_params *params;
};

/* Writes parameters and masks, empties the rings, CONFIGURE, waits for READY. */
MUST_CHECK int pru_link_configure(struct pru_link *link, const struct pru_link_setup *setup,
                                  struct err *err);

/* ARM for start_tick; the period is the one in force from sample 0. */
MUST_CHECK int pru_link_arm(struct pru_link *link, uint64_t start_tick, uint64_t stop_sample,
                            uint32_t period_ticks_q20, struct err *err);
MUST_CHECK int pru_link_disarm(struct pru_link *link, struct err *err);
MUST_CHECK int pru_link_stop_at(struct pru_link *link, uint64_t stop_sample, struct err *err);

/* Halts whatever runs, target off; never fails. */
void pru_link_halt(struct pru_link *link);

void pru_link_set_period(struct pru_link *link, uint32_t period_ticks_q20);
enum pru_state pru_link_state(const struct pru_link *link);

/* -1 and the reason in words when a canary is gone or the PRU reports a fault. */
MUST_CHECK int pru_link_check(const struct pru_link *link, struct err *err);

/* The oldest block that waits, or NULL; a loan until pru_link_block_done. A block whose canary
 * is wrong, or whose numbers no firmware writes, is an error. */
MUST_CHECK int pru_link_block(struct pru_link *link, const struct pru_block **block,
                              struct err *err);
void pru_link_block_done(struct pru_link *link);
uint32_t pru_link_blocks_waiting(const struct pru_link *link);

/* Copies up to max events whose tick lies before `end_tick`; ticks unwrapped to 64 bits. */
struct pru_link_edge {
    uint64_t tick;
    uint16_t pins;
};
size_t pru_link_edges(struct pru_link *link, uint64_t end_tick, struct pru_link_edge *edges,
                      size_t max);
uint32_t pru_link_edges_lost(const struct pru_link *link); /* the ring was full */
uint32_t pru_link_edges_waiting(const struct pru_link *link);

/* The next utilisation row; false when there is none. */
bool pru_link_util(struct pru_link *link, struct pru_util *util);

/* Free places in the input ring, and input handed over. Any one thread. */
uint32_t pru_link_input_room(const struct pru_link *link);
void pru_link_input_put(struct pru_link *link, const struct pru_input *inputs, uint32_t count);
void pru_link_input_end(struct pru_link *link);

#endif
