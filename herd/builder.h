/* SPDX-License-Identifier: MIT */
/* HDF5 grows in child processes of herd (`herd build-worker`), one socket pair each; the
 * reactor only hands out work. A child ends with its herd. */
#ifndef HERD_BUILDER_H
#define HERD_BUILDER_H

#include "common/err.h"
#include "common/h5_build.h"

#include <czmq.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum builder_work {
    BUILDER_ADVANCE = 1, /* take in what the log holds now */
    BUILDER_FINISH = 2,  /* advance to END, close, rename */
};

/* What a child says. */
struct builder_answer {
    uint32_t version;
    uint32_t work; /* enum builder_work */
    uint64_t i;
    int32_t result;            /* 0, or -1: err */
    int32_t is_end;            /* ADVANCE: END was seen */
    struct h5_summary summary; /* FINISH */
    struct err err;
};

struct builder_job {
    uint32_t version;
    uint32_t work;
    uint64_t i;
    char log_folder[PATH_SIZE];
    char part_path[PATH_SIZE];
    char final_path[PATH_SIZE];
    struct h5_evidence evidence;
};

struct builder;

typedef void (*builder_fn)(void *arg, const struct builder_answer *answer);
struct builder_config {
    zloop_t *loop;
    size_t n_nodes;
    size_t n_workers; /* 0: as many as there are processors, at most one per node */
    builder_fn on_answer;
    void *arg;
};
struct builder *builder_open(const struct builder_config *config, struct err *err);
void builder_close(struct builder **builder);

/* The log and the file of node i; before any work for it. */
void builder_set(struct builder *builder, size_t i, const char *log_folder,
                 const char *part_path);

/* Asks for work; what is asked while the child is busy with this node is done once, afterwards.
 */
void builder_advance(struct builder *builder, size_t i);
void builder_finish(struct builder *builder, size_t i, const struct h5_evidence *evidence,
                    const char *final_path);

/* Sends what could not be sent before; from a timer. */
void builder_tick(struct builder *builder);

enum {
    BUILDER_WORK_FD = 3 /* where a child finds its socket */
};

/* The child's side: serves the socket until it is closed; an exit status. */
int builder_work(int fd);

#endif
