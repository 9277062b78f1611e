/* SPDX-License-Identifier: MIT */
/* What the files of herd retrieve share: retrieve_choose.c (which recordings), retrieve_build.c
 * (copies become HDF5), retrieve_release.c (nodes let go), retrieve_report.c (what is said).
 * One thread. */
#ifndef HERD_RETRIEVE_PARTS_H
#define HERD_RETRIEVE_PARTS_H

#include "herd/ask.h"
#include "herd/builder.h"
#include "herd/context.h"
#include "herd/fetch.h"
#include "herd/listing.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RETRIEVE_TIMEOUT_MS = 5000,
};

/* A recording on its way to a file. */
struct parcel {
    const struct listing_entry *entry; /* loan from the listings */
    char final_path[PATH_SIZE];
    struct h5_summary summary;
    bool is_built;
    bool is_released;
};

/* What is asked for, and one round of it: nodes that were off have rounds of their own. */
struct retrieval {
    const struct cmd_options *options;
    const char *output;
    bool only_latest;
    bool keep;
    bool waits;          /* for nodes that are off */
    uint64_t rate;       /* bytes a second of each node; 0: no limit */
    uint64_t total_rate; /* of all */
    char **patterns;
    int n_patterns;
    struct context context;
    bool *is_open;                /* by node: meant, and not served yet */
    char latest[PROTO_NAME_SIZE]; /* the newest time so far among what matches */
    size_t n_served;              /* nodes that answered */
    size_t n_found;               /* recordings */
    int status;
    /* the round */
    struct ask *ask;
    bool *is_releasing; /* by node: is asked to release */
    struct listings listings;
    struct fetch_job *jobs;
    struct parcel *parcels; /* one per job */
    size_t n_jobs;
    size_t n_building;
    zloop_t *loop;
    struct builder *builder;
};

const char *retrieve_node_name(const struct retrieval *retrieval, size_t node);

/* From the listings, the jobs and their parcels. */
MUST_CHECK int retrieve_choose(struct retrieval *retrieval, struct err *err);

/* Builds what is whole; a job that cannot become a file has its err. */
MUST_CHECK int retrieve_build(struct retrieval *retrieval, struct err *err);

/* Tells the nodes to release what was built. */
void retrieve_release(struct retrieval *retrieval);

/* A line on the terminal while bytes come; a fetch_progress_fn. */
void retrieve_show_progress(void *arg, const struct fetch_job *jobs, size_t n_jobs);

/* Prints the round, throws away the copies that are files now, and settles which nodes are
 * served and what the exit status is. */
void retrieve_conclude(struct retrieval *retrieval);

#endif
