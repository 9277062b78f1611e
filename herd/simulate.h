/* SPDX-License-Identifier: MIT */
/* One node's experiment offline, as fast as the machine can: the sampler of pru/core against
 * the world of pru/sim, in the order in which a simulated board runs them.
 *
 * One thread. */
#ifndef HERD_SIMULATE_H
#define HERD_SIMULATE_H

#include "common/err.h"
#include "common/experiment.h"
#include "common/gpio_codec.h"
#include "pru/core/sampler.h"
#include "pru/sim/world.h"

#include <stddef.h>
#include <stdint.h>

/* What a block of samples brings; loans until the function returns. */
struct simulation_piece {
    const struct pru_block *block;
    const struct gpio_edge *edges; /* times count from sample 0 */
    size_t n_edges;
    const char *uart; /* what the target has said meanwhile */
    size_t uart_bytes;
};
typedef int (*simulation_fn)(void *arg, const struct simulation_piece *piece, struct err *err);

struct simulation {
    const struct node_config *config; /* loans, all of them */
    const struct world_config *world;
    /* Emulation: a decoded stream (rlog_input), or NULL: curves of the world's transducer,
     * taken as `curves` says (an ivcurve harvester). */
    const char *input;
    const struct harvester_config *curves;
    uint64_t n_samples;
    simulation_fn take; /* NULL: nobody wants the samples */
    void *arg;
    const char *truth; /* file of pru/sim/truth.h to write, or NULL */
};

struct simulation_result {
    uint64_t n_samples;  /* fewer than asked for when the input ended */
    double harvested_Ws; /* harvest: what the transducer gave */
    double input_Ws;     /* emulate, from here on: behind the input stage */
    double output_Ws;    /* in front of the output stage */
    double target_Ws;
    double on_s; /* the target is alive */
    double power_good_s;
    uint64_t n_starts;     /* of the target */
    uint64_t n_power_good; /* rising edges */
    double V_store_min_V;
    double V_store_max_V;
    double V_store_end_V;
    uint64_t n_clamped; /* samples outside the efficiency table */
    uint64_t n_edges;
    double wall_s;
};

/* What the input of an emulation is when the environment gives it: sets input_window and
 * input_step_uV of the config. */
void simulate_curves(struct node_config *config, const struct harvester_config *curves);

MUST_CHECK int simulate(const struct simulation *simulation, struct simulation_result *result,
                        struct err *err);

#endif
