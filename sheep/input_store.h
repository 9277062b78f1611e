/* SPDX-License-Identifier: MIT */
/* Input streams by content hash: received in pieces, resumable, verified before they count.
 *
 * DATA/inputs/DIGEST.inp is whole and verified; DIGEST.part is what has arrived so far. */
#ifndef SHEEP_INPUT_STORE_H
#define SHEEP_INPUT_STORE_H

#include "common/err.h"
#include "common/experiment.h"
#include "sheep/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct input_store {
    char folder[PATH_SIZE];
    uint64_t reserve_bytes;
};

MUST_CHECK int input_store_open(struct input_store *store, const struct sheep_config *config,
                                struct err *err);

/* Path of a verified stream; ERR_NOT_FOUND when it is not here. */
MUST_CHECK int input_store_path(const struct input_store *store, const char *digest,
                                char path[PATH_SIZE], struct err *err);

/* Bytes of it that are here, verified or not; 0 when none. */
MUST_CHECK int input_store_have(const struct input_store *store, const char *digest,
                                uint64_t *n_bytes, bool *is_whole, struct err *err);

struct input_piece {
    const char *digest;
    uint64_t size;   /* of the whole stream */
    uint64_t offset; /* of this piece; at most what is here already */
    const void *data;
    size_t n_bytes;
};
/* Appends what is new in the piece. *n_bytes: what is here now, also after a failure because
 * the offset is ahead (ERR_STATE). When it reaches `size`, input_store_verify is due. */
MUST_CHECK int input_store_put(const struct input_store *store, const struct input_piece *piece,
                               uint64_t *n_bytes, struct err *err);

/* Syncs, hashes and names the stream; a wrong digest removes it (ERR_CORRUPT). Slow: from any
 * thread, but only one at a time for a digest. */
MUST_CHECK int input_store_verify(const struct input_store *store, const char *digest,
                                  struct err *err);

#endif
