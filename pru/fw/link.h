/* SPDX-License-Identifier: MIT */
/* What the two cores share, in shared RAM behind what the host sees: a few words with which
 * they call each other, and the sampler, which they change in turn.
 *
 * PRU1 keeps time, executes commands and runs the harvester of an emulation; PRU0 takes
 * samples. One writer a field; a sequence number that changes says that what lies beside it
 * holds:
 *
 *     due_seq    PRU1: take the sample of due_tick       took_seq = due_seq  PRU0: is at it
 *                                                        done_seq = took_seq PRU0: taken
 *     input_seq  PRU1: the harvester has chosen for      used_seq            PRU0: and that
 *                that sample (emulation)                                     is used up
 *     dac_seq    PRU1: write dac[] and power-good when no sample is due
 *
 * PRU1 orders a sample while PRU0 is at the one before, so that it finds it when it is through,
 * unless it has something else in mind. While due_seq and done_seq differ the sampler is
 * PRU0's, but for input and harvester until input_seq follows; otherwise it is PRU1's. */
#ifndef PRU_FW_LINK_H
#define PRU_FW_LINK_H

#include "pru/abi/pru_map.h"
#include "pru/abi/pru_shm.h"
#include "pru/core/sampler.h"

#include <stdint.h>

struct link {
    /* PRU1 */
    uint64_t due_tick;
    uint32_t due_seq;
    uint32_t input_seq;
    uint32_t dac_seq;
    uint32_t dac[3];     /* by enum sample_dac */
    uint32_t pru1_alive; /* counts loops */
    uint32_t loop_ticks; /* longest of them since the last sample */
    /* PRU0 */
    uint32_t took_seq;
    uint32_t done_seq;
    uint32_t used_seq;
    uint32_t sample_ticks; /* from that sample's trigger to its end */
    uint32_t silent_adc;   /* enum pru_adc of one that cannot be started; 0 */
    uint32_t pru0_mode;  /* enum pru_mode of its image, stored in every loop; PRU1 clears it */
    uint32_t pru0_alive; /* counts loops */
    /* both, in turn */
    struct sampler sampler;
};

_Static_assert(PRU_MAP_PRIVATE_OFFSET >= sizeof(struct pru_control), "private memory");
_Static_assert(sizeof(struct link) <= PRU_MAP_SHARED_BYTES - PRU_MAP_PRIVATE_OFFSET, "link");

static inline struct link *link_memory(void)
{
    return (struct link *)(uintptr_t)(PRU_MAP_SHARED + PRU_MAP_PRIVATE_OFFSET);
}

static inline struct pru_control *link_control(void)
{
    return (struct pru_control *)(uintptr_t)PRU_MAP_SHARED;
}

#endif
