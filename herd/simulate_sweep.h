/* SPDX-License-Identifier: MIT */
/* Variants of a simulation that differ in one parameter, one process each, on all cores. */
#ifndef HERD_SIMULATE_SWEEP_H
#define HERD_SIMULATE_SWEEP_H

#include "common/schema.h"
#include "herd/simulate.h"

#include <stddef.h>

enum {
    SWEEP_MAX_VALUES = 64,
    SWEEP_NAME_SIZE = 64
};

struct sweep {
    char name[SWEEP_NAME_SIZE];
    const struct field *field;
    bool is_of_harvester; /* of the source's harvester, when emulating */
    bool is_of_storage;   /* of the source's storage */
    size_t n_values;
    double values[SWEEP_MAX_VALUES];
};

/* "NAME=V1,V2,..."; NAME is a number (or switch) of the source when emulating, of the harvester
 * when harvesting, or "harvester.NAME", "storage.NAME". Values may carry units. */
MUST_CHECK int sweep_parse(struct sweep *sweep, const char *text, enum experiment_mode mode,
                           struct err *err);

/* Puts value i into the configuration, and what follows from it. */
void sweep_apply(const struct sweep *sweep, size_t i, struct node_config *config);

/* Runs all variants of the simulation (without take); results[i] belongs to value i. The first
 * failure is reported, the others end first. n_processes 0: as many as there are cores. */
MUST_CHECK int sweep_run(const struct sweep *sweep, const struct simulation *simulation,
                         unsigned n_processes, struct simulation_result *results,
                         struct err *err);

#endif
