/* SPDX-License-Identifier: MIT */
/* What an agent must know after it was killed: whose experiment is here, and whether it was to
 * start. */
#ifndef SHEEP_NODE_JOURNAL_H
#define SHEEP_NODE_JOURNAL_H

#include "common/err.h"
#include "common/experiment.h"
#include "common/keys.h"
#include "common/proto.h"

#include <stdbool.h>
#include <stdint.h>

struct node_journal {
    uint64_t experiment; /* 0: nothing is here */
    uint64_t controller;
    char experiment_name[EXPERIMENT_NAME_SIZE];
    char owner[PROTO_NAME_SIZE];
    char user[KEY_TEXT_SIZE];  /* the owner's public key */
    char log[PROTO_NAME_SIZE]; /* without .rlog */
    uint64_t n_planned;
    bool is_going; /* GO was accepted: the recorder has T, or is about to get it */
    int64_t T_ns;
    uint64_t arm_n;
};

/* STATE/journal. Absent: zero, which is no failure. */
MUST_CHECK int node_journal_load(struct node_journal *journal, const char *state_dir,
                                 struct err *err);

/* Atomic and durable when it returns. */
MUST_CHECK int node_journal_save(const struct node_journal *journal, const char *state_dir,
                                 struct err *err);

#endif
