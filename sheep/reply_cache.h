/* SPDX-License-Identifier: MIT */
/* The last answers given to each controller: a repeated request gets the same one. */
#ifndef SHEEP_REPLY_CACHE_H
#define SHEEP_REPLY_CACHE_H

#include "common/err.h"
#include "common/proto.h"

#include <stdint.h>

enum {
    REPLY_CACHE_CONTROLLERS = 8,
    REPLY_CACHE_REPLIES = 24,      /* of each; a controller has few requests under way */
    REPLY_CACHE_BYTES = 16 * 1024, /* a longer answer is not kept */
};

struct reply_cache;
struct reply_cache *reply_cache_create(struct err *err);
void reply_cache_destroy(struct reply_cache **cache);

/* Keeps what was answered to `user`'s request `verb` with this token; the oldest goes. */
void reply_cache_put(struct reply_cache *cache, const char *user, enum proto_verb verb,
                     const struct proto_token *token, const struct proto_encoded *answer);

/* Fills frames with loans until the next put; 0 when the request is new. */
size_t reply_cache_find(const struct reply_cache *cache, const char *user, enum proto_verb verb,
                        const struct proto_token *token,
                        struct proto_frame frames[PROTO_MAX_FRAMES]);

#endif
