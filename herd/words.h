/* SPDX-License-Identifier: MIT */
/* What became of each node, in a few words; nodes with the same words share a line. */
#ifndef HERD_WORDS_H
#define HERD_WORDS_H

#include "herd/context.h"

#include "common/attrs.h"
#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    WORDS_SIZE = 256
};

/* By the inventory's index. Different nodes may be written from different threads. */
struct words {
    const struct context *context; /* a loan */
    char (*texts)[WORDS_SIZE];
    bool *is_good; /* printed on standard output; else on standard error */
    bool *is_shown;
    size_t shown; /* the node whose line is being printed */
};

/* All texts empty and not good. ERR_MEMORY; fini in any case. */
MUST_CHECK int words_init(struct words *words, const struct context *context, struct err *err);
void words_fini(struct words *words);

/* "sheep[0-3] (4): text" for the nodes that the context selects. */
void words_print(struct words *words);

#endif
