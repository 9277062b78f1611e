/* SPDX-License-Identifier: MIT */
/* What a simulation recorded, as HDF5 and CSV: through the same log and builder as a node's. */
#ifndef HERD_SIMULATE_FILE_H
#define HERD_SIMULATE_FILE_H

#include "common/h5_build.h"
#include "herd/simulate.h"

#include <stdint.h>

struct simulate_file;

struct simulate_file_options {
    const struct node_config *config;
    const char *experiment;
    const char *node;
    const char *h5_path;  /* NULL: none */
    const char *csv_path; /* NULL: none */
    int64_t T_ns;         /* of sample 0 */
};

/* The log grows in a folder beside h5_path, which must not exist; both paths are written only
 * when the simulation is finished, and replaced only if they do not exist. */
struct simulate_file *simulate_file_create(const struct simulate_file_options *options,
                                           struct err *err);

/* A simulation_fn; arg is the file. */
int simulate_file_take(void *arg, const struct simulation_piece *piece, struct err *err);

MUST_CHECK int simulate_file_finish(struct simulate_file *file,
                                    const struct simulation_result *result,
                                    struct h5_summary *summary, struct err *err);

/* Removes the log, and what is unfinished. */
void simulate_file_destroy(struct simulate_file **file);

#endif
