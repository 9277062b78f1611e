/* SPDX-License-Identifier: MIT */
/* An experiment from its first HELLO to its last verdict. */
#ifndef HERD_RUN_H
#define HERD_RUN_H

#include "herd/cmd.h"
#include "herd/context.h"

#include "common/experiment.h"

#include <stdbool.h>
#include <stdint.h>

struct run_request {
    const struct cmd_options *options;
    const char *command; /* for messages */
    const struct context *context;
    struct experiment *experiment; /* NULL: attach to `id` */
    const char *output;            /* folder; NULL: the experiment's, else "." */
    const char *id;                /* attach: of the run; "" or NULL: the newest open one */
    bool take_over;
    uint64_t rate;       /* bytes a second of recordings from each node; 0: no limit */
    uint64_t total_rate; /* and from all of them together */
};

/* All of herd/START.md and what follows it, with progress; prints errors and results
 * itself. Returns an exit status. */
int run_execute(const struct run_request *request);

#endif
