/* SPDX-License-Identifier: MIT */
#include "sheep/reply_cache.h"

#include "common/keys.h"

#include <stdlib.h>
#include <string.h>

struct reply {
    enum proto_verb verb; /* of the request; VERB_NONE: free */
    struct proto_token token;
    size_t n_frames;
    size_t sizes[PROTO_MAX_FRAMES];
    unsigned char *bytes; /* all frames, one behind the other */
};

struct controller {
    char user[KEY_TEXT_SIZE];
    uint64_t id; /* of the token: two programs may use one key */
    uint64_t used;
    size_t next;
    struct reply replies[REPLY_CACHE_REPLIES];
};

struct reply_cache {
    uint64_t clock; /* counts uses, so that the longest unused controller goes */
    struct controller controllers[REPLY_CACHE_CONTROLLERS];
};

struct reply_cache *reply_cache_create(struct err *err)
{
    struct reply_cache *cache = calloc(1, sizeof(*cache));

    if (cache == NULL) {
        err_set(err, ERR_MEMORY, "reply cache");
    }
    return cache;
}

static void forget(struct controller *controller)
{
    for (size_t i = 0; i < REPLY_CACHE_REPLIES; i++) {
        free(controller->replies[i].bytes);
    }
    memset(controller, 0, sizeof(*controller));
}

void reply_cache_destroy(struct reply_cache **cache_p)
{
    struct reply_cache *cache = *cache_p;

    if (cache == NULL) {
        return;
    }
    for (size_t i = 0; i < REPLY_CACHE_CONTROLLERS; i++) {
        forget(&cache->controllers[i]);
    }
    free(cache);
    *cache_p = NULL;
}

static bool is_controller(const struct controller *controller, const char *user, uint64_t id)
{
    return controller->used != 0 && controller->id == id && strcmp(controller->user, user) == 0;
}

static struct controller *find_or_take(struct reply_cache *cache, const char *user, uint64_t id)
{
    struct controller *oldest = &cache->controllers[0];

    for (size_t i = 0; i < REPLY_CACHE_CONTROLLERS; i++) {
        struct controller *controller = &cache->controllers[i];

        if (is_controller(controller, user, id)) {
            return controller;
        }
        if (controller->used < oldest->used) {
            oldest = controller;
        }
    }
    forget(oldest);
    strncpy(oldest->user, user, sizeof(oldest->user) - 1);
    oldest->id = id;
    return oldest;
}

static bool is_same_request(const struct reply *reply, enum proto_verb verb,
                            const struct proto_token *token)
{
    return reply->verb == verb && reply->token.seq == token->seq
           && reply->token.experiment == token->experiment
           && reply->token.boot_id == token->boot_id;
}

static const struct reply *find_reply(const struct controller *controller, enum proto_verb verb,
                                      const struct proto_token *token)
{
    for (size_t i = 0; i < REPLY_CACHE_REPLIES; i++) {
        if (is_same_request(&controller->replies[i], verb, token)) {
            return &controller->replies[i];
        }
    }
    return NULL;
}

static bool copy_frames(struct reply *reply, const struct proto_encoded *answer)
{
    size_t total = 0;
    size_t at = 0;

    for (size_t i = 0; i < answer->n_frames; i++) {
        total += answer->frames[i].size;
    }
    if (total > REPLY_CACHE_BYTES) {
        return false;
    }
    reply->bytes = malloc(total + 1);
    if (reply->bytes == NULL) {
        return false;
    }
    for (size_t i = 0; i < answer->n_frames; i++) {
        if (answer->frames[i].size > 0) {
            memcpy(reply->bytes + at, answer->frames[i].data, answer->frames[i].size);
        }
        reply->sizes[i] = answer->frames[i].size;
        at += answer->frames[i].size;
    }
    reply->n_frames = answer->n_frames;
    return true;
}

void reply_cache_put(struct reply_cache *cache, const char *user, enum proto_verb verb,
                     const struct proto_token *token, const struct proto_encoded *answer)
{
    struct controller *controller = find_or_take(cache, user, token->controller);
    struct reply *reply = NULL;

    controller->used = ++cache->clock;
    if (token->seq == 0 || find_reply(controller, verb, token) != NULL) {
        return; /* unasked, or the first answer stands */
    }
    reply = &controller->replies[controller->next];
    free(reply->bytes);
    memset(reply, 0, sizeof(*reply));
    if (copy_frames(reply, answer)) {
        reply->verb = verb;
        reply->token = *token;
        controller->next = (controller->next + 1) % REPLY_CACHE_REPLIES;
    }
}

size_t reply_cache_find(const struct reply_cache *cache, const char *user, enum proto_verb verb,
                        const struct proto_token *token,
                        struct proto_frame frames[PROTO_MAX_FRAMES])
{
    const struct reply *reply = NULL;
    size_t at = 0;

    for (size_t i = 0; i < REPLY_CACHE_CONTROLLERS && reply == NULL && token->seq != 0; i++) {
        if (is_controller(&cache->controllers[i], user, token->controller)) {
            reply = find_reply(&cache->controllers[i], verb, token);
        }
    }
    if (reply == NULL) {
        return 0;
    }
    for (size_t i = 0; i < reply->n_frames; i++) {
        frames[i] = (struct proto_frame){ reply->bytes + at, reply->sizes[i] };
        at += reply->sizes[i];
    }
    return reply->n_frames;
}
