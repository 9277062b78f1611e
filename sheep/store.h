/* SPDX-License-Identifier: MIT */
/* The folder of recordings: names, sizes, what is known of each log, and room for more.
 *
 * A log is DATA/recordings/NAME.rlog, or for record.where: ram it lies in a folder of this
 * node's own in memory, until it is released or the node is switched off; what was found out
 * about a closed one stands beside it in DATA/state/index/NAME.yaml, since a digest takes long
 * to compute again. One thread. */
#ifndef SHEEP_STORE_H
#define SHEEP_STORE_H

#include "common/buf.h"
#include "common/err.h"
#include "common/experiment.h"
#include "common/proto.h"
#include "sheep/config.h"

#include <stdbool.h>
#include <stdint.h>

struct store {
    char recordings[PATH_SIZE];
    char index[PATH_SIZE];
    char memory_parent[PATH_SIZE]; /* "": this node keeps nothing in memory */
    char memory[PATH_SIZE];        /* made when it is needed first */
    /* A cancelled log that the recorder still removes: done before it prepares another one, so
     * that its name is free already. "": none. */
    char leaving[PROTO_NAME_SIZE];
    uint64_t reserve_bytes;
    int retention; /* enum retention */
};

MUST_CHECK int store_open(struct store *store, const struct sheep_config *config,
                          struct err *err);

/* Folder of a log that may exist. ERR_INPUT when the name could leave the folder. */
MUST_CHECK int store_log_path(const struct store *store, const char *log, char path[PATH_SIZE],
                              struct err *err);
bool store_has(const struct store *store, const char *log);
bool store_is_in_memory(const struct store *store, const char *log);

/* Folder that a new log shall get. ERR_INPUT when there is no memory for it. */
MUST_CHECK int store_new_path(const struct store *store, const char *log,
                              enum record_where where, char path[PATH_SIZE], struct err *err);

/* What is known of a closed log. */
struct store_entry {
    uint64_t experiment;
    uint64_t n_samples;
    uint64_t n_gap_samples;
    uint64_t reason; /* enum rlog_end_reason */
    uint64_t log_bytes;
    char digest[DIGEST_TEXT_SIZE];
    char text[PROTO_TEXT_SIZE]; /* a fault, or "" */
    bool is_released;
};
MUST_CHECK int store_note(const struct store *store, const char *log,
                          const struct store_entry *entry, struct err *err);
/* -1 with ERR_NOT_FOUND when nothing is known. */
MUST_CHECK int store_find(const struct store *store, const char *log, struct store_entry *entry,
                          struct err *err);

/* The same by experiment; log gets the name. */
MUST_CHECK int store_find_experiment(const struct store *store, uint64_t experiment,
                                     char log[PROTO_NAME_SIZE], struct store_entry *entry,
                                     struct err *err);

/* The name that a new log gets: `wanted`, or with EXISTS_NUMBER the first free of wanted_1,
 * wanted_2, ...; ERR_EXISTS with EXISTS_REFUSE; EXISTS_OVERWRITE removes what is there. */
MUST_CHECK int store_choose(const struct store *store, const char *wanted,
                            enum record_exists exists, char chosen[PROTO_NAME_SIZE],
                            struct err *err);

uint64_t store_free_bytes(const struct store *store);

/* ERR_NO_SPACE, with the numbers, when needed_bytes and the reserve are more than what is free.
 */
MUST_CHECK int store_check_space(const struct store *store, enum record_where where,
                                 uint64_t needed_bytes, struct err *err);

/* Whether a log that herd has whole stays here: `retention` says so, for logs on the disk. */
bool store_keeps(const struct store *store, const char *log);

/* Removes the log and what is known of it. */
MUST_CHECK int store_remove(const struct store *store, const char *log, struct err *err);

/* YAML for LISTING: a list of {name, state, bytes, samples, digest, experiment, reason}; state
 * is recording for `running` (may be ""), closed, released, or unfinished. */
MUST_CHECK int store_list(const struct store *store, const char *running, struct buf *out,
                          struct err *err);

/* Calls fn with the name of every log. */
MUST_CHECK int store_each(const struct store *store, void (*fn)(void *arg, const char *log),
                          void *arg, struct err *err);

/* Bytes of all segments. */
uint64_t store_log_bytes(const struct store *store, const char *log);

#endif
