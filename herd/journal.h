/* SPDX-License-Identifier: MIT */
/* What herd decided, on disk before it acts, so that `herd attach ID` is replay.
 *
 * STATE/runs/ID/ holds `journal`, one JSON object a line, append-only, and `experiment.yaml`,
 * the resolved experiment. A line that a crash tore is no line. */
#ifndef HERD_JOURNAL_H
#define HERD_JOURNAL_H

#include "common/attrs.h"
#include "common/err.h"
#include "common/experiment.h"
#include "common/proto.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    JOURNAL_ID_SIZE = 96
};

enum journal_kind {
    JOURNAL_BEGIN,    /* experiment, controller, name, paths */
    JOURNAL_NODE,     /* node, log: about to be told PREPARE */
    JOURNAL_READY,    /* node, boot_id, log: the name that it really took */
    JOURNAL_CLOCK,    /* node, offset_ns, bound_ns, text: source */
    JOURNAL_OUT,      /* node, text: takes no part, and why */
    JOURNAL_ARM,      /* T_ns, n */
    JOURNAL_GO,       /* T_ns, n: every node that is not out is told */
    JOURNAL_CANCEL,   /* text: why */
    JOURNAL_STOP,     /* sample */
    JOURNAL_NAME,     /* node, path: this file is its, empty or whole */
    JOURNAL_VERDICT,  /* node, path: file, text */
    JOURNAL_RELEASED, /* node */
    JOURNAL_END,      /* the run is over, nothing is left to collect */
    N_JOURNAL_KINDS,
};

struct journal_entry {
    enum journal_kind kind;
    int64_t at_ns; /* filled in by journal_add */
    char node[NODE_NAME_SIZE];
    char log[PROTO_NAME_SIZE];
    char name[EXPERIMENT_NAME_SIZE];
    char text[PROTO_TEXT_SIZE];
    char digest[DIGEST_TEXT_SIZE]; /* VERDICT: of the log, for its release */
    char path[PATH_SIZE];          /* BEGIN: output folder */
    char inventory[PATH_SIZE];     /* BEGIN */
    char key[PATH_SIZE];           /* BEGIN */
    uint64_t experiment;
    uint64_t controller;
    uint64_t boot_id;
    uint64_t n;
    uint64_t sample;
    uint64_t mode; /* BEGIN: enum experiment_mode of the file's prefix */
    int64_t T_ns;
    int64_t offset_ns;
    int64_t bound_ns;
    int64_t clock_error_max_ns; /* BEGIN */
};

struct journal;

/* A new one; `experiment_text` becomes experiment.yaml. Held by this process until close. */
struct journal *journal_create(const char *state_folder, const char *id,
                               const char *experiment_text, struct err *err);

bool journal_exists(const char *state_folder, const char *id);

/* To append to an old one. ERR_STATE: another process holds it (its run is alive). */
struct journal *journal_open(const char *state_folder, const char *id, struct err *err);
void journal_close(struct journal **journal);

/* Appends; durable only after the next sync. */
MUST_CHECK int journal_add(struct journal *journal, const struct journal_entry *entry,
                           struct err *err);
MUST_CHECK int journal_sync(struct journal *journal, struct err *err);

/* Every entry in its order. */
typedef int (*journal_fn)(void *arg, const struct journal_entry *entry, struct err *err);
MUST_CHECK int journal_replay(const char *state_folder, const char *id, journal_fn fn,
                              void *arg, struct err *err);

/* The newest run that has no END and that nobody holds; ERR_NOT_FOUND: none. */
MUST_CHECK int journal_find_open(const char *state_folder, char id[JOURNAL_ID_SIZE],
                                 struct err *err);

/* Every run without END, newest first, also those that a process holds. */
MUST_CHECK int journal_each_open(const char *state_folder,
                                 void (*fn)(void *arg, const char *id), void *arg,
                                 struct err *err);

#endif
