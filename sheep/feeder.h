/* SPDX-License-Identifier: MIT */
/* Keeps the PRU's input ring full from a decoded input stream.
 *
 * Two threads: one reads the file ahead into preallocated memory and may stall with the disk,
 * the other moves samples from there into the ring and never waits for anything but time. A
 * stalled read so costs nothing until the memory is empty; what the PRU then misses it counts
 * as underruns. Counts are 64 bit. */
#ifndef SHEEP_FEEDER_H
#define SHEEP_FEEDER_H

#include "common/err.h"
#include "sheep/pru_link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct feeder;

struct feeder_status {
    uint64_t n_read;
    uint64_t n_fed;
    bool is_failed; /* the file broke while it was read; err says how */
    struct err err;
};

/* Opens the input and reads ahead until the ring is full, then keeps it so. `link` is a loan
 * whose input functions belong to the feeder from now on, and READY at least. memory_bytes is
 * cut to what the input needs. is_eager: the board does not run by the clock, so that the ring
 * may empty at any speed. */
struct feeder *feeder_create(struct pru_link *link, const char *path, size_t memory_bytes,
                             bool is_eager, struct err *err);
void feeder_destroy(struct feeder **feeder);

uint64_t feeder_samples(const struct feeder *feeder); /* in the whole input */
void feeder_status(struct feeder *feeder, struct feeder_status *status);

#endif
