/* SPDX-License-Identifier: MIT */
/* What a simulation starts from: an experiment file, a node of it, a world, an input. */
#ifndef HERD_SIMULATE_INPUT_H
#define HERD_SIMULATE_INPUT_H

#include "herd/simulate.h"

#include "common/err.h"
#include "common/yaml_doc.h"

#include <stdint.h>

struct simulate_request {
    const char *file;
    const char *inventory;   /* NULL: none, or where the experiment names nodes, the herd's */
    const char *node;        /* NULL: the first */
    const char *environment; /* NULL: constant light, or the experiment's input */
    int64_t begin_ns;
    double time_scale;
    const char *target;  /* NULL: the world's own */
    int64_t duration_ns; /* -1: the experiment's */
};

struct simulate_input {
    char experiment[EXPERIMENT_NAME_SIZE];
    char node[NODE_NAME_SIZE];
    struct node_config config;
    struct world_config world;
    struct harvester_config curves;
    char stream[PATH_SIZE];       /* decoded input, removed at the end; "" without */
    struct simulation simulation; /* ready to run; points into this struct */
};

/* NULL, and faults of the file, or err. A file of HDF5 is decoded into the folder for temporary
 * files. */
struct simulate_input *simulate_input_open(const struct simulate_request *request,
                                           struct fault_list *faults, struct err *err);
void simulate_input_close(struct simulate_input **input);

#endif
