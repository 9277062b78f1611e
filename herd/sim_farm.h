/* SPDX-License-Identifier: MIT */
/* A farm of simulated sheep in one folder: what is written there, and its processes. */
#ifndef HERD_SIM_FARM_H
#define HERD_SIM_FARM_H

#include "common/attrs.h"
#include "common/err.h"
#include "common/inventory.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    FARM_MAX_NODES = 4096,
    FARM_PORT_STEP = 10, /* control, bulk, live; the rest is room */
};

struct farm_plan {
    const char *folder;
    unsigned n_nodes;
    uint64_t seed;
    uint16_t base_port;
    const char *environment; /* CSV of an irradiance; NULL: a constant lamp */
    const char *firmware;    /* folder of the PRU's program files, for board iss; NULL: sim */
};

/* Writes herd.yml, herd.key, herd.pub, and for each node its folder with sheep.yaml, keys,
 * calibration.yaml and authorized/herd.pub. Everything but the keys follows from the seed. The
 * inventory comes last: a folder that has one is whole. ERR_EXISTS when there is one. */
MUST_CHECK int farm_make(const struct farm_plan *plan, struct err *err);

/* The path of the inventory, of a node's sheep.yaml, and of its other files. */
MUST_CHECK int farm_path(char *path, size_t size, const char *folder, const char *node,
                         const char *file, struct err *err);

/* The sheep executable that belongs to this herd: ../sheep/sheep or sheep beside it, else the
 * one of $PATH. */
MUST_CHECK int farm_find_sheep(char *path, size_t size, struct err *err);

/* Starts a node's agent in a session of its own; its log goes to NODE/sheep.log, its pid to
 * NODE/sheep.pid. */
MUST_CHECK int farm_start_node(const char *sheep, const char *folder, const char *node,
                               pid_t *pid, struct err *err);

/* The pid of the node's agent, 0 when it does not run. A pid that another program has by now
 * is not taken for it: the command line must name the node's sheep.yaml. */
pid_t farm_agent_pid(const char *folder, const char *node);

/* Asks agent and recorder of the nodes to end, waits, and kills what does not; returns how many
 * agents ran. */
unsigned farm_stop(const struct inventory *inventory, const char *folder);

#endif
